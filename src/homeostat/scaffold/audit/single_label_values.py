"""Values of a column, its absence or its presence, that always go with one label, more often than chance allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log

from homeostat.core.text import number
from homeostat.scaffold.audit.candidates import Candidates
from homeostat.scaffold.audit.issue import Issue, leak
from homeostat.scaffold.audit.late_columns import STRONG
from homeostat.scaffold.profile.identifiers import quoted
from homeostat.scaffold.profile.table import Column
from homeostat.scaffold.profile.workspace import Workspace

CHANCE = 1e-6  # as in the leakage check: a constant label less likely than this is not by chance
BLOCKS = 5  # least days or batches that a value has to occur in
FEW = 200  # distinct values of a column up to which each is tried
MANY, SLIPS = 1000, 0.001  # rows of a value from which a few of them may have the other label, and how many
ABSENT, PRESENT, ZERO, POSITIVE, VALUE = "missing", "present", "zero", "positive", "value"


@dataclass(frozen=True)
class SingleLabel:
    """``rows`` with one state of a column (missing, present, zero, positive, or a value) all have this label."""

    column: str
    state: str
    value: str | None
    label: float
    rows: int


def single_label_values(work: Workspace, candidates: Candidates) -> list[SingleLabel]:
    """Over all rows of the window, in order of the columns."""
    profile, label = candidates.profile, candidates.profile.label.number_sql
    base = f"FROM {profile.table.sql} WHERE __t >= TIMESTAMP '{profile.history.start}' AND {label} IS NOT NULL"
    shares = dict(work.rows(f"SELECT {label}, count(*) / sum(count(*)) OVER () {base} GROUP BY 1"))
    # Rows of a series are like their neighbours: its days count, not its rows.
    seconds = 86400 if profile.series else max(int(profile.rhythm.period.total_seconds()), 86400)
    block = f"count(DISTINCT epoch(__t) // {seconds})"
    if max(shares.values()) == 1.0:
        return []
    (periods,) = work.row(f"SELECT {block} {base}")
    alike, common = f"min({label}) = max({label})", f"min({label})"
    if profile.label.task == "binary":  # a tip means a card, but for a slip of the hand
        slips = min(SLIPS, (1 - max(shares.values())) / 50)
        alike = f"least(avg({label}), 1 - avg({label})) <= CASE WHEN count(*) >= {MANY} THEN {slips} ELSE 0 END"
        common = f"round(avg({label}))"
    return [
        SingleLabel(column.name, state, value, low, rows)
        for column in candidates.columns
        for state, value, rows, blocks, low in [
            row for states in _states(column, profile.series) for row in work.rows(
                f"SELECT {states[0]}, {states[1]}, count(*), {block}, {common} {base}{states[2]} "
                f"GROUP BY 1, 2 HAVING {alike} ORDER BY 1, 2"
            )
        ]
        if blocks >= min(BLOCKS, periods) and (blocks if profile.series else rows) * log(shares[low]) < log(CHANCE)
    ]  # fmt: skip


def _states(column: Column, series: bool) -> Iterator[tuple[str, str, str]]:
    """SQL of the state, of the value, and a condition on the rows, for each way to group a column."""
    name = quoted(column.name)
    if column.absent:
        yield f"CASE WHEN {name} IS NULL THEN '{ABSENT}' ELSE '{PRESENT}' END", "NULL", ""
    if column.kind in ("integer", "float") and column.distinct > 2 and column.low and float(column.low) == 0:
        yield f"CASE WHEN {name} = 0 THEN '{ZERO}' WHEN {name} > 0 THEN '{POSITIVE}' END", "NULL", ""
    measured = series and column.kind == "float"  # neighbours share both the value and the label
    if column.distinct <= FEW and column.kind != "time" and not measured:
        yield f"'{VALUE}'", f"CAST({name} AS VARCHAR)", f" AND {name} IS NOT NULL"


def single_label_issue(candidates: Candidates, values: Sequence[SingleLabel]) -> Issue:
    """The issue of a column with such values: a leak by absence, or a question."""
    column, label = values[0].column, candidates.profile.label.column
    raw, power = candidates.profile.table.column(column).raw, candidates.powers[column]
    absence = next((v for v in values if v.state in (ABSENT, PRESENT)), None)
    if absence is not None:
        text = (
            f"whenever {raw} is {absence.state}, {label} is {number(absence.label)} ({absence.rows:,} rows, as good as "
            "all): whether it is filled follows from the label"
        )
        return leak("label leakage by absence", column, text, 0.97, 94)
    filled = next((v for v in values if v.state == POSITIVE), None)
    if filled is not None and power >= STRONG:
        text = (
            f"whenever {raw} is positive, {label} is {number(filled.label)} ({filled.rows:,} rows, as good as all), "
            f"and it predicts {label} well (power {power:.2f}): it is filled when the label is known"
        )
        return leak("label leakage by absence", column, text, 0.9, 93)
    exact = [v for v in values if v.state == VALUE] or values
    first = max(exact, key=lambda v: v.rows)
    state = f"= {first.value}" if first.state == VALUE else f"is {first.state}"
    more = f", as do {len(exact) - 1} more of its values" if len(exact) > 1 else ""
    text = (
        f"{raw} {state} always goes with {label} {number(first.label)} ({first.rows:,} rows){more}; "
        "kept: is it known before?"
    )
    fix = f"if it is written afterwards: move {column} from features.allowed to features.barred in params.yaml"
    return Issue("value with a single label", column, text, fix, 0.6, 70)
