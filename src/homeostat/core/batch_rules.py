"""The rules on a batch beyond its contract: its size, its time, its columns, and whether it came at all, or twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

from homeostat.core.findings import TOO_FEW, Finding, Outcome
from homeostat.core.rules import Rule

if TYPE_CHECKING:
    from homeostat.core.history_faults import Fault

Status = Literal["accepted", "quarantined", "missing"]
HISTORY = 28  # accepted batches that volume is compared with
ENOUGH = 7  # of them, to say anything
ROWS = ""  # the rows of a batch as such, beside its columns
CLOCK_CHANGE = "clock change"  # an hour, as summer time brings it: reported, and no reason to doubt the batch
CUT_SHORT = frozenset({"lost hours", "few rows", "lost slice"})  # kinds of faults of a batch that lacks rows
FAILING = 0.5  # share of a batch's rows that fail rules for rows, from which the others are no better
FEWEST = 20  # rows of a batch of which a share says anything
CHANGED = 0.1  # share of a batch's rows whose value does not fit, above which the column is another: fewer are slips

Since = Mapping[tuple[str, str | None], str]  # the batch since which a column fails, by its type; None: it is gone


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

    @property
    def suspect_columns(self) -> frozenset[str]:
        """The columns that are not as they were in the batches before; ``ROWS`` among them if its rows are not."""
        open_findings = [f for f in self.failed if f.rule == Rule.HISTORY and f.facts["suspect"]]
        return frozenset(c for f in open_findings for c in f.facts["columns"] or (ROWS,))

    @property
    def released_history(self) -> bool:
        """Whether a person released what the history rules found."""
        return self.trains_since is not None

    @property
    def trains_since(self) -> datetime | None:
        """When a person released a batch that was not to train until then; None: it may, or still may not."""
        times = [f.facts["released"] for f in self.findings if f.rule == Rule.HISTORY and "released" in f.facts]
        return datetime.fromisoformat(max(times)) if times else None

    @property
    def failed(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.failed)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"files": dict(self.files), "findings": [f.to_dict() for f in self.findings]}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Verdict:
        return cls(**{**raw, "findings": tuple(Finding.from_dict(f) for f in raw["findings"])})


def volume(rows: int, history: Sequence[int], share: float) -> Finding:
    """Rows against the median of the source's own last accepted batches.

    >>> volume(40, [100] * 28, 0.5).outcome
    'fail'
    >>> volume(40, [100] * 3, 0.5).outcome
    'too few to say'
    """
    recent = history[-HISTORY:]
    if len(recent) < ENOUGH:
        return Finding(Rule.VOLUME, "", TOO_FEW, None, share, rows=rows, facts={"least": ENOUGH})
    usual = median(recent)
    off = abs(rows - usual) / usual if usual else float(rows > 0)
    facts = {"median": usual, "batches": len(recent)}
    return Finding(Rule.VOLUME, "", "fail" if off > share else "pass", round(off, 6), share, rows=rows, facts=facts)


def lacks_rows(finding: Finding) -> bool:
    """Whether a failed finding says that rows of a batch are not there: its source may deliver them yet."""
    if finding.rule == Rule.VOLUME:
        return (finding.rows or 0) < finding.facts["median"]
    return finding.rule == Rule.HISTORY and finding.facts["kind"] in CUT_SHORT


def failing_rows(failing: int, rows: int) -> Finding:
    """How many rows fail rules for rows, copies of others aside; where most do, the batch is bad as a whole.

    >>> failing_rows(63, 100).outcome, failing_rows(2, 3).outcome
    ('fail', 'too few to say')
    """
    if rows < FEWEST:
        return Finding(Rule.FAILING_ROWS, "", TOO_FEW, None, FAILING, rows=rows)
    share = failing / rows
    return Finding(Rule.FAILING_ROWS, "", "fail" if share > FAILING else "pass", round(share, 6), FAILING, rows=rows)


def against_history(
    source: str, batch: str, fault: Fault, before: Mapping[str, str], quarantine: bool, released: str = ""
) -> Finding:
    """A fault that the batches before show; ``before`` says since which batch each column was already not as usual.

    ``released``: when a person released the batch, if one did: then it is what it is. ``quarantine``: whether the batch
    is quarantined for it. ``value`` is how far out it lies, in units of the limit.
    """
    columns = list(fault.columns)
    since = min((before[c] for c in columns or (ROWS,) if c in before), default=batch)
    facts = {
        "kind": fault.kind, "columns": columns, "source": source, "batch": batch, "suspect": fault.kind != CLOCK_CHANGE,
        "exact": fault.exact, "quarantine": quarantine, "evidence": dict(fault.facts),
    }  # fmt: skip
    if released:
        facts["released"] = released
    subject = ", ".join(columns)
    outcome: Outcome = "pass" if released else "fail"
    return Finding(Rule.HISTORY, subject, outcome, round(fault.excess, 6), 1.0, since=since, facts=facts)


def suspect_since(findings: Iterable[Finding]) -> dict[str, str]:
    """Since which batch each column is not as usual, by the findings on a batch; ``ROWS``: its rows."""
    failed = [f for f in findings if f.rule == Rule.HISTORY and f.failed]
    return {c: f.since for f in failed for c in f.facts["columns"] or (ROWS,)}


def unusual_units(findings: Iterable[Finding]) -> dict[str, str]:
    """The unit that each column came in instead of its own, by the findings on a batch."""
    failed = [f for f in findings if f.rule == Rule.HISTORY and f.failed and f.facts["evidence"].get("unit")]
    return {c: f.facts["evidence"]["unit"] for f in failed for c in f.facts["columns"]}


def within_period(start: datetime, end: datetime, first: datetime | None, last: datetime | None) -> Finding:
    """No row of the batch lies outside its period: none is from the future, none is stale; ``value`` in seconds."""
    if last is not None and last >= end:
        facts = {"side": "after", "time": last.isoformat(), "bound": end.isoformat()}
        return Finding(Rule.PERIOD, "", "fail", (last - end).total_seconds(), 0.0, facts=facts)
    if first is not None and first < start:
        facts = {"side": "before", "time": first.isoformat(), "bound": start.isoformat()}
        return Finding(Rule.PERIOD, "", "fail", (start - first).total_seconds(), 0.0, facts=facts)
    return Finding(Rule.PERIOD, "", "pass", 0.0, 0.0)


def delivered_once(batch: str, others: Mapping[str, str]) -> Finding:
    """``batch`` is its content's hash, ``others`` the hashes of the source's other batches by label."""
    twin = next((label for label, content in sorted(others.items()) if content == batch), None)
    if twin is not None:
        return Finding(Rule.DELIVERED_ONCE, "", "fail", 1.0, 0.0, facts={"twin": twin})
    return Finding(Rule.DELIVERED_ONCE, "", "pass", 0.0, 0.0)


def overdue(end: datetime, late_after: timedelta, now: datetime) -> Finding:
    """Whether a batch that has not come should have by ``now``; ``value`` and ``limit`` in seconds."""
    waited = now - end
    outcome: Outcome = "fail" if waited >= late_after else "pass"
    return Finding(Rule.FRESHNESS, "", outcome, waited.total_seconds(), late_after.total_seconds())


def column_gone(source: str, batch: str, column: str, extra: Sequence[str], before: Since) -> Finding:
    """A declared column that a batch came without.

    ``extra`` are columns that are not declared, ``before`` is ``failing_since`` of the batch before.
    """
    if (column, None) in before:
        return _as_before(column, None, before)
    facts = {"type": None, "source": source, "extra": list(extra)}
    return Finding(Rule.SCHEMA, column, "fail", since=batch, facts=facts)


def column_changed(
    source: str, batch: str, column: str, kind: str, few: tuple[int, int, str], before: Since
) -> Finding:
    """A column that no longer has its type; ``few`` is how many rows of how many, and one of the values."""
    if (column, kind) in before:
        return _as_before(column, kind, before)
    unfit, rows, example = few
    facts = {"type": kind, "source": source, "unfit": unfit, "example": example}
    return Finding(Rule.SCHEMA, column, "fail", unfit / rows, CHANGED, since=batch, rows=rows, facts=facts)


def _as_before(column: str, kind: str | None, before: Since) -> Finding:
    return Finding(Rule.SCHEMA, column, "fail", since=before[column, kind], facts={"type": kind})


def failing_since(findings: Iterable[Finding]) -> dict[tuple[str, str | None], str]:
    """Since which batch each column fails, by the findings on a batch.

    >>> failing_since([column_gone("meters", "2024-03-05", "load", [], {})])
    {('load', None): '2024-03-05'}
    """
    failed = (f for f in findings if f.rule == Rule.SCHEMA and f.failed and f.since)
    return {(f.subject, f.facts["type"]): f.since for f in failed}
