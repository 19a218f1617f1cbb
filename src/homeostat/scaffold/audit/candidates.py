"""The columns that a feature could come from, with the labelled rows and how well each predicts the label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from homeostat.scaffold.audit.predictive_power import Array, predictive_power
from homeostat.scaffold.profile.identifiers import is_identifier_name
from homeostat.scaffold.profile.profile_table import Profile
from homeostat.scaffold.profile.table import Column

NAMES = 50  # distinct values from which a column of words names entities rather than outcomes


@dataclass(frozen=True)
class Candidates:
    """``rows`` in order of time with their labels ``y`` (n,); ``powers`` by column, from 0 to 1."""

    profile: Profile
    rows: pl.DataFrame
    y: Array
    columns: tuple[Column, ...]
    powers: Mapping[str, float]

    @classmethod
    def of(cls, profile: Profile, rows: pl.DataFrame) -> Candidates:
        """All columns but the label, the times of event and label, and the key."""
        y = rows["__y"].to_numpy().astype(float)
        aside = {profile.label.column, profile.time.column, profile.delay.column, *profile.key.columns}
        columns = tuple(c for c in profile.table.columns if c.name in rows.columns and c.name not in aside)
        task = profile.label.task
        return cls(profile, rows, y, columns, {c.name: predictive_power(as_learned(rows, c), y, task) for c in columns})

    @property
    def times(self) -> list[Column]:
        return [c for c in self.columns if c.kind == "time"]


def as_learned(rows: pl.DataFrame, column: Column) -> pl.Series:
    """A column as a model would see it: a time as days from the event."""
    if column.kind == "time":
        return (rows[column.name] - rows["__t"]).dt.total_seconds() / 86400
    return rows[column.name]


def floats(values: pl.Series) -> Array:
    """Numbers (n,) as float64, NaN where none is."""
    return values.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def names_entities(column: Column) -> bool:
    """Whether its values are many and recur, as those of customers or machines: each has its own label."""
    named = column.kind == "string" or column.kind == "integer" and is_identifier_name(column.raw)
    return named and NAMES < column.distinct < 0.5 * column.rows
