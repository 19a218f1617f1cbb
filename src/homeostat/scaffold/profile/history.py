"""The history that the table holds: where it begins in earnest, its rhythm, and the rows of each batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from math import log
from statistics import median

import numpy as np

from homeostat.core.errors import DataError, UsageError
from homeostat.core.periods import EPOCH, floor
from homeostat.core.text import count
from homeostat.scaffold.profile import batch_period
from homeostat.scaffold.profile.batch_period import PERIODS, Rhythm, choose_rhythm
from homeostat.scaffold.profile.event_time import EventTime
from homeostat.scaffold.profile.table import Table
from homeostat.scaffold.profile.workspace import Workspace

MOST_PERIODS = 50_000  # of a history that are counted
DRY, CHANCE = 0.05, 1e-9  # least share of the history whose labels are all alike, and how unlikely that is by chance
WHOLE = 0.5  # share of the usual rows below which the last batch is not whole yet, and would be quarantined
FEWER = 0.7  # the same of the last batches, where it is known that labels come late
LEAST_BATCHES, TAIL = 12, 4  # of a history that may thin out at its end, and of that end
GAP = 4  # batches in a row without a row that are a gap, as between seasons
THIN, LASTING = 0.4, 8  # share of the usual rows below which a period is thin; periods in which it has to last


@dataclass(frozen=True)
class History:
    """From ``start`` to ``end``, without a thin beginning; ``counts`` are the rows of each batch.

    ``waiting`` are rows after ``end``, of a batch that is not whole yet; ``dried`` those from ``end`` on whose labels
    are all of one class; ``thinned`` those from ``end`` on that are an early part, whose labels came soon.
    """

    start: datetime
    end: datetime
    rhythm: Rhythm
    counts: tuple[int, ...]
    waiting: int = 0
    dried: int = 0
    thinned: int = 0
    labels_until: datetime | None = None  # from when on labels cannot be trusted

    @property
    def length(self) -> timedelta:
        return self.end - self.start

    @property
    def covered(self) -> timedelta:
        """The length without gaps."""
        return self.length - sum(self._in_gaps) * self.rhythm.period

    def with_gaps(self, covered: timedelta) -> timedelta:
        """How long it takes from the start until so much of the history has passed that lies in no gap.

        >>> day = timedelta(days=1)
        >>> rhythm = Rhythm(day, day, day, 5, 9)
        >>> history = History(datetime(2024, 1, 1), datetime(2024, 1, 10), rhythm, (5, 5, 0, 0, 0, 0, 5, 0, 5))
        >>> history.covered.days, history.with_gaps(2 * day).days, history.with_gaps(3 * day).days
        (5, 2, 7)
        """
        passed, batches = timedelta(0), 0
        for in_gap in self._in_gaps:
            if passed >= covered:
                break
            passed, batches = passed + (not in_gap) * self.rhythm.period, batches + 1
        return batches * self.rhythm.period + max(covered - passed, timedelta(0))

    @property
    def _in_gaps(self) -> list[bool]:
        """Of each batch, whether it is one of ``GAP`` or more in a row without a row."""
        runs = [(empty, len(list(run))) for empty, run in groupby(rows == 0 for rows in self.counts)]
        return [empty and many >= GAP for empty, many in runs for _ in range(many)]


def read_history(work: Workspace, table: Table, time: EventTime, period: timedelta | None = None) -> History:
    """Count the rows of each period, and choose start and rhythm by them; ``period``: of a batch, as requested.

    Raises:
        DataError: there are fewer than three batches.
        UsageError: there are too many batches of the period that was requested.
    """
    periods = [p for p in (PERIODS if period is None else (period,)) if (time.last - time.first) / p < MOST_PERIODS]
    if not periods:
        raise UsageError(f"--period {period}: makes over {MOST_PERIODS:,} batches of the history; name a longer one")
    counted = {p: _counts(work, table, p, time.first, time.last) for p in periods}
    begin, kept = _without_thin_start(counted, time.first)
    rhythm = choose_rhythm({p: c for p, c in kept.items() if c})
    if rhythm.batches < 3:
        raw = table.column(time.column).raw
        raise DataError(f"--time {raw}: only {count(rhythm.batches, 'batch')} of history; give a longer one")
    start = floor(begin, rhythm.period, timedelta(0))
    end = floor(time.last, rhythm.period, timedelta(0)) + rhythm.period
    counts = _counts(work, table, rhythm.period, start, time.last)
    waiting = counts.pop() if len(counts) > 3 and counts[-1] < WHOLE * rhythm.rows else 0
    return History(start, end - rhythm.period if waiting else end, rhythm, tuple(counts), waiting)


def thin_since(history: History) -> datetime | None:
    """From about when on, to the end, batches have clearly fewer rows than usual; None where they do not."""
    counts = np.array(history.counts, dtype=float)
    if len(counts) < LEAST_BATCHES:
        return None
    smooth = np.convolve(counts, np.ones(3) / 3, mode="valid")
    usual = float(np.median(counts))
    tail = next((n for n, c in enumerate(reversed(smooth[:-1])) if c >= 0.6 * usual), 0)
    return history.end - (tail + 2) * history.rhythm.period if tail >= TAIL else None


def until_rows_thin_out(history: History) -> History:
    """The history without an end of few rows: where labels come late, those of the others have not come yet."""
    period, usual = history.rhythm.period, median(history.counts)
    tail = next((n for n, count in enumerate(reversed(history.counts)) if count >= FEWER * usual), 0)
    since = thin_since(history) or (history.end - tail * period if tail > 1 else None)
    if since is None:
        return history
    kept = (since - history.start) // period
    if kept < len(history.counts) / 2 or kept < 3:
        return history
    thinned = sum(history.counts[kept:]) + history.waiting
    return replace(history, end=since, counts=history.counts[:kept], waiting=0, thinned=thinned, labels_until=since)


def until_labels_dry_up(work: Workspace, table: Table, label_sql: str, history: History) -> History:
    """The history up to where the labels of all later rows are of one class, more of them than chance allows."""
    rows = (
        f"(SELECT __t, CAST(({label_sql}) AS DOUBLE) AS y FROM {table.sql} WHERE __t >= TIMESTAMP '{history.start}' "
        f"AND __t < TIMESTAMP '{history.end}' AND ({label_sql}) IS NOT NULL)"
    )
    (last,) = work.row(f"SELECT arg_max(y, __t) FROM {rows}")
    unlike = f"FILTER (y <> {last})"
    since, other, share = work.row(
        f"SELECT max(__t) {unlike}, count(*) {unlike}, avg(CAST(y = {last} AS DOUBLE)) FROM {rows}"
    )
    if not other or history.end - since < history.length * DRY:
        return history
    end = floor(since, history.rhythm.period, timedelta(0)) + history.rhythm.period
    (dried,) = work.row(f"SELECT count(*) FROM {rows} WHERE __t >= TIMESTAMP '{end}'")
    kept = (end - history.start) // history.rhythm.period
    if kept < len(history.counts) / 2 or kept < 3 or dried * log(share) > log(CHANCE):
        return history
    until = since.replace(microsecond=0) + timedelta(seconds=1)
    return replace(history, end=end, counts=history.counts[:kept], dried=dried, labels_until=until)


def _counts(work: Workspace, table: Table, period: timedelta, first: datetime, last: datetime) -> list[int]:
    """Rows of every period from the one that holds ``first`` to that of ``last``, empty ones included."""
    seconds = int(period.total_seconds())
    begin = floor(first, period, timedelta(0))
    by_period = dict(work.rows(
        f"SELECT CAST(floor((epoch(__t) - epoch(TIMESTAMP '{EPOCH}')) / {seconds}) AS BIGINT) AS p, count(*) "
        f"FROM {table.sql} WHERE __t >= TIMESTAMP '{begin}' GROUP BY 1"
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
