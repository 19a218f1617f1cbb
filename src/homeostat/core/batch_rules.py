"""What is asked of a batch beyond its contract: its size, its time, and whether it came at all, or twice."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import Any, Literal

from homeostat.core.findings import Finding
from homeostat.core.text import listed

Status = Literal["accepted", "quarantined", "missing"]
HISTORY = 28  # accepted batches that volume is held against
ENOUGH = 7  # of them, to say anything
CHANGED = 0.1  # share of a batch's rows whose value does not fit, above which the column is another: fewer are slips
NAMED = 8  # columns that a sentence lists
SINCE = re.compile(r"^(column .+? (?:is not there|is not \w+)), since (\S+?): ", re.DOTALL)


@dataclass(frozen=True)
class Verdict:
    """What was decided on one batch, and from what."""

    status: Status
    key: str
    rows_accepted: int
    rows_quarantined: int
    findings: tuple[Finding, ...] = ()
    batch: str = ""  # hash of the landed file
    contract: str = ""  # hash of the contract
    files: Mapping[str, str] = field(default_factory=dict)  # hashes of what was written: accepted, quarantine

    @property
    def rows(self) -> int:
        return self.rows_accepted + self.rows_quarantined

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"files": dict(self.files)}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Verdict:
        return cls(**{**raw, "findings": tuple(Finding(**f) for f in raw["findings"])})


def volume(rows: int, history: Sequence[int], share: float) -> Finding:
    """Rows against the median of the source's own last accepted batches.

    >>> volume(40, [100] * 28, 0.5).outcome
    'fail'
    >>> volume(40, [100] * 3, 0.5).outcome
    'too few to say'
    """
    recent = history[-HISTORY:]
    if len(recent) < ENOUGH:
        said = f"{rows} rows; fewer than {ENOUGH} accepted batches to compare with"
        return Finding("volume", "too few to say", None, share, said)
    usual = median(recent)
    off = abs(rows - usual) / usual if usual else float(rows > 0)
    said = f"{rows} rows, {off:.0%} off the median of {usual:g} of the last {len(recent)} accepted batches"
    return Finding("volume", "fail" if off > share else "pass", round(off, 6), share, said)


def within_period(start: datetime, end: datetime, first: datetime | None, last: datetime | None) -> Finding:
    """No row of the batch lies outside its period: none is from the future, none is stale."""
    if last is not None and last >= end:
        said = f"its last row is of {last}, after its period ended at {end}: a batch from the future"
        return Finding("period", "fail", (last - end).total_seconds(), 0.0, said)
    if first is not None and first < start:
        said = f"its first row is of {first}, before its period began at {start}: a stale batch"
        return Finding("period", "fail", (start - first).total_seconds(), 0.0, said)
    return Finding("period", "pass", 0.0, 0.0, "every row lies in the batch's period")


def came_once(batch: str, others: Mapping[str, str]) -> Finding:
    """``batch`` is its content's hash, ``others`` the hashes of the source's other batches by label."""
    twin = next((label for label, content in sorted(others.items()) if content == batch), None)
    if twin is not None:
        return Finding("came once", "fail", 1.0, 0.0, f"the same rows came as batch {twin}: a batch delivered twice")
    return Finding("came once", "pass", 0.0, 0.0, "no other batch has the same rows")


def overdue(end: datetime, late_after: timedelta, now: datetime) -> Finding:
    """Whether a batch that has not come should have by ``now``."""
    waited = now - end
    said = f"nothing came {_hours(waited)} after the period ended; it is due within {_hours(late_after)}"
    late = waited >= late_after
    return Finding("freshness", "fail" if late else "pass", waited.total_seconds(), late_after.total_seconds(), said)


def _hours(length: timedelta) -> str:
    return f"{length.total_seconds() / 3600:g} h"


def column_gone(source: str, batch: str, column: str, besides: Sequence[str], before: Mapping[str, str]) -> Finding:
    """A declared column that a batch came without; ``before`` is ``since_when`` of the batch before.

    >>> column_gone("meters", "2024-03-05", "load", ["watts"], {}).sentence  # doctest: +ELLIPSIS
    'column load is not there, since 2024-03-05: not declared but there: watts. If load has another ...'
    """
    what = f"column {column} is not there"
    if what in before:
        return _as_before(what, before[what])
    other = f"not declared but there: {listed(besides, NAMED)}. " if besides else "nothing else is new. "
    twin = besides[0] if len(besides) == 1 else "NEW NAME"
    said = (
        f"{what}, since {batch}: {other}If {column} has another name now, say sources.{source}.read: "
        f'{{{column}: coalesce("{column}", "{twin}")}} in params.yaml; if batches may come without it, add it to '
        f"sources.{source}.optional there; else deliver the batch again with it"
    )
    return Finding("schema", "fail", None, None, said)


def column_changed(
    source: str, batch: str, column: str, kind: str, few: tuple[int, int, str], before: Mapping[str, str]
) -> Finding:
    """A column that no longer holds its type; ``few`` is how many rows of how many, and one of the values."""
    what = f"column {column} is not {kind}"
    if what in before:
        return _as_before(what, before[what])
    unfit, rows, example = few
    shown = repr(example if len(example) <= 40 else example[:37] + "...")
    said = (
        f"{what}, since {batch}: {unfit} of {rows} rows do not fit, such as {shown}. If that is what "
        f"it holds now, change sources.{source}.columns.{column} in params.yaml, or say in sources.{source}.read how "
        f"it is read, in SQL; else deliver the batch again"
    )
    return Finding("schema", "fail", unfit / rows, CHANGED, said)


def _as_before(what: str, since: str) -> Finding:
    return Finding("schema", "fail", None, None, f"{what}, since {since}: that batch says what to do")


def since_when(failed: Iterable[str]) -> dict[str, str]:
    """Since which batch each column fails, from the sentences of the batch before.

    >>> since_when([column_gone("meters", "2024-03-05", "load", [], {}).sentence])
    {'column load is not there': '2024-03-05'}
    """
    found = (SINCE.match(sentence) for sentence in failed)
    return {match[1]: match[2] for match in found if match}
