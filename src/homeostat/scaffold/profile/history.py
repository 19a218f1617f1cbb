"""The history that the table holds: where it begins in earnest, its rhythm, and the rows of each batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from homeostat.core.errors import DataError
from homeostat.core.periods import EPOCH, floor
from homeostat.core.text import count
from homeostat.scaffold.profile import batch_period
from homeostat.scaffold.profile.batch_period import PERIODS, Rhythm, choose_rhythm
from homeostat.scaffold.profile.event_time import EventTime
from homeostat.scaffold.profile.table import Table
from homeostat.scaffold.profile.workspace import Workspace

MOST_PERIODS = 50_000  # of a history that are counted
THIN, LASTING = 0.4, 8  # share of the usual rows below which a period is thin; periods in which it has to last


@dataclass(frozen=True)
class History:
    """From ``start`` to ``end``, without a thin beginning; ``counts`` are the rows of each batch."""

    start: datetime
    end: datetime
    rhythm: Rhythm
    counts: tuple[int, ...]

    @property
    def length(self) -> timedelta:
        return self.end - self.start


def read_history(work: Workspace, table: Table, time: EventTime) -> History:
    """Count the rows of each period, and choose start and rhythm by them.

    Raises:
        DataError: there are fewer than three batches.
    """
    periods = [p for p in PERIODS if (time.last - time.first) / p < MOST_PERIODS]
    counted = {p: _counts(work, table, p, time.first, time.last) for p in periods}
    begin, kept = _without_thin_start(counted, time.first)
    rhythm = choose_rhythm({p: c for p, c in kept.items() if c})
    if rhythm.batches < 3:
        raw = table.column(time.column).raw
        raise DataError(f"--time {raw}: only {count(rhythm.batches, 'batch')} of history; give a longer one")
    start = floor(begin, rhythm.period, timedelta(0))
    end = floor(time.last, rhythm.period, timedelta(0)) + rhythm.period
    return History(start, end, rhythm, tuple(_counts(work, table, rhythm.period, start, time.last)))


def _counts(work: Workspace, table: Table, period: timedelta, first: datetime, last: datetime) -> list[int]:
    """Rows of every period from the one that holds ``first`` to that of ``last``, empty ones included."""
    seconds = int(period.total_seconds())
    begin = floor(first, period, timedelta(0))
    by_period = dict(work.rows(
        f"SELECT CAST(floor((epoch(__t) - epoch(TIMESTAMP '{EPOCH}')) / {seconds}) AS BIGINT) AS p, count(*) "
        f"FROM {table.sql} WHERE __t >= TIMESTAMP '{begin}' GROUP BY p"
    ))  # fmt: skip
    base = (begin - EPOCH) // period
    return [int(by_period.get(base + n, 0)) for n in range((last - begin) // period + 1)]


def _without_thin_start(
    counted: Mapping[timedelta, Sequence[int]], first: datetime
) -> tuple[datetime, dict[timedelta, list[int]]]:
    """The start without a beginning of few rows, and the counts from there."""
    usable = [p for p in sorted(counted) if 20 <= len(counted[p]) <= batch_period.MOST] or [max(counted)]
    rough = next((p for p in usable if median(n for n in counted[p] if n) >= 30), usable[-1])
    counts = counted[rough]
    usual = sorted(counts)[len(counts) * 3 // 5]
    full = [c >= THIN * usual for c in counts]
    thin = next((n for n, f in enumerate(full) if f and sum(full[n : n + LASTING]) >= 0.75 * LASTING), 0)
    if thin > len(counts) // 2 or thin < 3:
        thin = 0
    begin = floor(first, rough, timedelta(0)) + thin * rough
    kept = {p: list(c[max(0, (begin - floor(first, p, timedelta(0))) // p) :]) for p, c in counted.items()}
    return max(begin, first), kept
