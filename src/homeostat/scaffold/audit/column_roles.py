"""The role of each column in a first model: number, flag, words, code, time, identifier; and which stay out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from homeostat.scaffold.audit.label_leakage import Leakage
from homeostat.scaffold.audit.predictive_power import Array, predictive_power
from homeostat.scaffold.profile.identifiers import is_identifier_name, quoted
from homeostat.scaffold.profile.profile_table import Profile
from homeostat.scaffold.profile.table import ROW_ID, Column

CATEGORIES = 500  # distinct words of a column that a model takes as they are
ENTITIES = 20_000  # distinct values of a code, or of a column that trailing means are kept of


@dataclass(frozen=True)
class Roles:
    """Names of columns by role. ``given`` are known when an event is predicted, ``outcome`` with the label."""

    given: tuple[str, ...]
    outcome: tuple[str, ...]
    numbers: tuple[str, ...]
    flags: tuple[str, ...]
    words: tuple[str, ...]
    codes: tuple[str, ...]  # numbers that only name something
    times: tuple[str, ...]
    identifiers: tuple[str, ...]
    constant: tuple[str, ...]
    wordy: tuple[str, ...]  # too many different words to learn from


def assign_roles(profile: Profile, leakage: Leakage, rows: pl.DataFrame) -> Roles:
    """Sort the columns by role. ``rows`` are labelled, in order of time."""
    late = {profile.label.column, profile.delay.column, *leakage.barred}
    given = [c for c in profile.table.columns if c.name not in late]
    apart = (profile.time.column, ROW_ID)
    candidates = [c for c in given if c.name not in apart and quoted(c.name) != profile.label.group]
    constant = [c for c in candidates if c.distinct <= 1]
    identifiers = [c for c in candidates if c not in constant and _is_identifier(c, profile)]
    usable = [c for c in candidates if c not in constant and c not in identifiers]
    y = rows["__y"].to_numpy().astype(float)
    codes = [c for c in usable if c.kind == "integer" and _is_code(c, rows, y, profile.label.task, leakage)]
    names = _names(given)
    return Roles(
        given=names if profile.key.columns[0] in names else (*profile.key.columns, *names),
        outcome=tuple(c.name for c in profile.table.columns if c.name in late),
        numbers=_names([c for c in usable if c.kind in ("integer", "float") and c not in codes]),
        flags=_names([c for c in usable if c.kind == "boolean"]),
        words=_names([c for c in usable if c.kind == "string" and c.distinct <= CATEGORIES]),
        codes=_names(codes),
        times=_names([c for c in usable if c.kind == "time" and _varies(c, rows)]),
        identifiers=_names(identifiers),
        constant=_names(constant),
        wordy=_names([c for c in usable if c.kind == "string" and c.distinct > CATEGORIES]),
    )


def _names(columns: Sequence[Column]) -> tuple[str, ...]:
    return tuple(c.name for c in columns)


def _is_identifier(column: Column, profile: Profile) -> bool:
    """Whether it names a row, which says nothing about the next."""
    if column.kind not in ("integer", "string") or column.name in profile.entities:
        return False
    if (column.name,) == profile.key.columns:
        return True
    filled = max(column.rows - column.absent, 1)
    if names_each_row(column):
        return column.kind == "string" or is_identifier_name(column.raw) or _counts_up(column)
    return column.distinct > 0.2 * filled and (is_identifier_name(column.raw) or column.kind == "string")


def names_each_row(column: Column) -> bool:
    """Whether hardly a value comes twice."""
    return column.distinct > 0.9 * max(column.rows - column.absent, 1)


def _counts_up(column: Column) -> bool:
    """Whole numbers nearly without gaps, as a database numbers rows."""
    if column.low is None or column.high is None:
        return False
    return 0.9 * column.distinct <= float(column.high) - float(column.low) + 1 <= 1.5 * column.distinct


def _is_code(column: Column, rows: pl.DataFrame, y: Array, task: str, leakage: Leakage) -> bool:
    """Whether a number names something: its values predict more than their order does."""
    if not 24 < column.distinct <= ENTITIES or column.distinct > column.rows / 20:
        return False
    if float(rows[column.name].value_counts()["count"].max() or 0) > 0.4 * rows.height:  # type: ignore[arg-type]
        return False  # a count that is mostly zero
    by_value = predictive_power(rows[column.name].cast(pl.String), y, task)
    return by_value > leakage.powers.get(column.name, 0.0) + 0.05


def _varies(column: Column, rows: pl.DataFrame) -> bool:
    """Whether a time's distance from the event varies."""
    return (rows[column.name] - rows["__t"]).dt.total_days().n_unique() > 3
