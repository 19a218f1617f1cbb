"""Labels that rank rows within a group: whether one does, and the grades that a model learns."""

from __future__ import annotations

import re

from homeostat.models.targets import GRADES
from homeostat.scaffold.profile.identifiers import always_quoted
from homeostat.scaffold.profile.table import Column, Table
from homeostat.scaffold.profile.workspace import Workspace

TRIED = 40  # columns that are tried as the group
NUMBERED = 0.9  # share of the groups that have to be numbered 1, 2, 3
TOP = 5  # places that earn a grade
LISTS = {"query", "queries", "qid", "session", "search", "request", "list", "slate", "impression", "auction", "race",
         "heat", "match", "round", "basket"}  # fmt: skip


def group_of(work: Workspace, table: Table, label: Column) -> Column | None:
    """The column within whose values the label numbers the rows 1, 2, 3; None if there is none."""
    if label.kind not in ("integer", "float") or label.low is None or float(label.low) != 1 or label.distinct < 3:
        return None
    name = always_quoted(label.name)
    for column in _candidates(table, label):
        (share,) = work.row(
            f"SELECT avg(CAST(n = k AND least = 1 AND most = n AS INTEGER)) FROM (SELECT count(*) AS n, "
            f"count(DISTINCT {name}) AS k, min({name}) AS least, max({name}) AS most FROM {table.sql} "
            f"WHERE {name} IS NOT NULL GROUP BY {always_quoted(column.name)} HAVING count(*) > 1)"
        )
        if share is not None and share >= NUMBERED:
            return column
    return None


def _candidates(table: Table, label: Column) -> list[Column]:
    fitting = [
        c for c in table.columns
        if c.name != label.name and c.kind in ("string", "integer", "time") and not c.absent
        and 1.8 <= c.rows / max(c.distinct, 1) <= 500 and c.distinct >= 10
    ]  # fmt: skip
    return sorted(fitting, key=lambda c: c.kind == "time")[:TRIED]


def likely_group(table: Table, label: Column) -> Column | None:
    """A column that is called like a ranked list, if the label looks like a grade."""
    if not (label.kind == "boolean" or label.kind == "integer" and label.low in ("0", "1") and label.distinct <= 11):
        return None
    for column in _candidates(table, label):
        if set(re.split(r"[^a-z]+", column.raw.lower())) & LISTS:
            return column
    return None


def grade_sql(work: Workspace, table: Table, label: Column, group: Column) -> tuple[str, str]:
    """SQL of a whole grade, higher is better, and a note on it."""
    if label.kind == "boolean":
        return f"CAST({label.sql} AS DOUBLE)", ""
    low, high = float(label.low or 0), float(label.high or 0)
    numbered = group_of(work, table, label)
    if numbered is not None and numbered.name == group.name:
        top = max(1, min(TOP, int(high) - 1))
        return (
            f"CAST(greatest(0, {top + 1} - {label.sql}) AS DOUBLE)",
            f"the first of a group is graded {top}, those after place {top} zero",
        )
    if label.kind == "integer" and low >= 0 and high < GRADES:
        return f"CAST({label.sql} AS DOUBLE)", ""
    fifths = f"quantile_cont(CAST({label.sql} AS DOUBLE), [0.2, 0.4, 0.6, 0.8])"
    (limits,) = work.row(f"SELECT {fifths} FROM {table.sql}")
    steps = " + ".join(f"CAST({label.sql} > {limit!r} AS DOUBLE)" for limit in dict.fromkeys(limits))
    return f"CASE WHEN {label.sql} IS NOT NULL THEN {steps} END", "graded 0 to 4 by its fifths"
