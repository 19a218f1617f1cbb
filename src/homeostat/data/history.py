"""A batch held to its own history: its profile beside those before, judged by Great Expectations."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from homeostat.adapters.parquet import digest
from homeostat.core.batch_rules import CLOCK_CHANGE, against_history
from homeostat.core.errors import DataError
from homeostat.core.findings import TOO_FEW, Finding
from homeostat.core.history_faults import faults
from homeostat.core.periods import period_of
from homeostat.core.profile_limits import compare
from homeostat.core.profiles import FEWEST_NORMAL, NORMAL, Past, trusted
from homeostat.core.rules import Rule
from homeostat.data import amendments
from homeostat.data.casts import TYPES
from homeostat.data.profile import profile_of
from homeostat.data.selection import event_times

if TYPE_CHECKING:
    from collections.abc import Sequence

    from homeostat.core.profile_limits import Compared
    from homeostat.core.profiles import Profile
    from homeostat.data.case import Before, Case
    from homeostat.data.workspace import Workspace
    from homeostat.project.scope import Source

ZONES = ("America/New_York", "Europe/Berlin", "Australia/Sydney", "America/Santiago", "Pacific/Auckland")
SUITE = json.dumps({
    "name": "history",
    "expectations": [
        {
            "type": "expect_column_pair_values_a_to_be_greater_than_b",
            "kwargs": {"column_A": high, "column_B": low, "or_equal": True},
            "severity": "warning",
            "meta": {"reason": reason},
        }
        for high, low, reason in (("high", "value", "above its limit"), ("value", "low", "below its limit"))
    ],
}).encode()  # fmt: skip


def history_findings(
    workspace: Workspace, case: Case, rows: pl.DataFrame, times: pl.Series, released: str
) -> list[Finding]:
    """What is wrong with the rows of a batch by the batches before; ``times`` are their event times.

    ``released``: when a person released the batch, if one did.

    Raises:
        DataError: a batch before is missing or was changed since it was judged.
    """
    if not case.before or case.span is None:
        return []
    key = partial(profile_key, case.name, case.source)
    own = workspace.profiles.get(key(case.content), partial(profile_of, rows, times, case.span))
    makers = [(b, partial(_profiled, workspace, case, b)) for b in case.before]
    kept = [(b, workspace.profiles.get(key(b.content), make)) for b, make in makers]
    before = [Past(profile, frozenset(b.suspect), b.released) for b, profile in kept]
    past = trusted(before, normal_after(case.source.length))
    compared = compare(own, past)
    outside = _outside(workspace, compared)
    found = faults(own, [p.profile for p in past], outside, case.units) if outside else []
    strict = case.source.history == "quarantine"
    if found and clocks_change(*case.span):
        found = [f for f in found if f.kind != CLOCK_CHANGE]
    if not found:
        return [Finding(Rule.HISTORY, "", "pass" if compared else TOO_FEW, 0.0 if compared else None, 1.0)]
    return [against_history(case.name, case.label, f, case.suspect, f.exact or strict, released) for f in found]


def normal_after(period: timedelta) -> int:
    """In how many batches a column must have failed, until that is how it is: four weeks of them, within reason.

    >>> normal_after(timedelta(days=1)), normal_after(timedelta(days=7)), normal_after(timedelta(hours=1))
    (28, 8, 28)
    """
    return min(NORMAL, max(FEWEST_NORMAL, timedelta(days=NORMAL) // period))


def clocks_change(start: datetime, end: datetime) -> bool:
    """Whether summer time begins or ends within a day of a span, anywhere where many people live.

    >>> clocks_change(datetime(2013, 3, 10, 5), datetime(2013, 3, 11, 5))
    True
    >>> clocks_change(datetime(2013, 5, 10), datetime(2013, 5, 11))
    False
    """
    around = [time.replace(tzinfo=UTC) for time in (start - timedelta(days=1), end + timedelta(days=1))]
    return any(len({time.astimezone(zone).utcoffset() for time in around}) > 1 for zone in map(ZoneInfo, ZONES))


def _outside(workspace: Workspace, compared: Sequence[Compared]) -> list[Compared]:
    """The statistics that lie outside their limits, as Great Expectations finds."""
    if not compared:
        return []
    table = pl.DataFrame({name: np.array([getattr(c, name) for c in compared]) for name in ("value", "low", "high")})
    failures = workspace.contracts.check(table, SUITE, "the history of a source")
    return [compared[row] for row in sorted({row for failure in failures for row in failure.rows})]


def profile_key(name: str, source: Source, content: str) -> str:
    """What the profile of a batch follows from: how its source is declared, and the hash of its content."""
    return digest(f"{name} {source.time} {source.columns} {source.period} {content}".encode())


def _profiled(workspace: Workspace, case: Case, before: Before) -> Profile:
    rows = _declared(_rows(workspace, case, before), case)
    period = period_of(before.label, case.source.length, workspace.scope.rhythm.offset)
    return profile_of(rows, event_times(case.name, case.source, rows), (period.start, period.end))


def _declared(rows: pl.DataFrame, case: Case) -> pl.DataFrame:
    """The declared columns; one that was not declared yet when the batch came, or otherwise, as far as there is any."""
    return rows.select(
        pl.col(c).cast(TYPES[kind], strict=False) if c in rows.columns else pl.lit(None, TYPES[kind]).alias(c)
        for c, kind in case.source.columns.items()
    )


def _rows(workspace: Workspace, case: Case, before: Before) -> pl.DataFrame:
    """The rows that were judged."""
    path = workspace.project.landed / case.name / f"{before.label}.parquet"
    landed = workspace.files.read(path)
    if landed is not None and digest(landed) == before.content:
        return pl.read_parquet(landed)
    for amendment in workspace.amendments:
        if (amendment.source, amendment.batch, amendment.sha256) == (case.name, before.label, before.content):
            return amendments.corrected_rows(workspace.project, amendment)
    raise DataError(f"{path}: not as it was when it was judged; run the stages ingest and validate again")
