"""Feature tables as they are read: of which batches, which rows are mature, which columns are features."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from homeostat.adapters.parquet import read_table, read_tables
from homeostat.core.errors import DataError

if TYPE_CHECKING:
    from homeostat.project.layout import Project
    from homeostat.project.scope import Scope


def read_features(project: Project, labels: Iterable[str] | None = None, where: pl.Expr | None = None) -> pl.DataFrame:
    """The feature tables of these batches (None: of all that are there), one below the other in order of batch.

    ``where`` keeps some of the rows. No batch gives no rows, in the columns of the others.

    Raises:
        DataError: a table is missing, or they were not made by one features.sql.
    """
    there = sorted(p.stem for p in project.features.glob("*.parquet"))
    wanted = there if labels is None else sorted(labels)
    if not wanted and there:
        return read_table(project.features / f"{there[0]}.parquet").clear()
    if not wanted:
        raise DataError(f"{project.features}: holds no features; run the stage featurize first")
    try:
        return read_tables([project.features / f"{label}.parquet" for label in wanted], where)
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"{project.features}: its tables have different columns; run the stage featurize again"
        ) from error


def mature(table: pl.DataFrame, objective_name: str, scope: Scope, now: datetime) -> pl.DataFrame:
    """The rows that may train or judge as of ``now``: labelled, known, and past the label horizon."""
    return table.filter(is_mature(objective_name, scope, now))


def is_mature(objective_name: str, scope: Scope, now: datetime) -> pl.Expr:
    """Of a row, whether it is mature as of ``now``; it is false, and not null, where no label is or can be trusted."""
    until = scope.events.labels_until
    trusted = pl.lit(True) if until is None else pl.col("event_time") < until
    return (
        trusted
        & pl.col(f"label__{objective_name}").is_not_null()
        & (pl.col(f"known__{objective_name}") < now).fill_null(False)
        & (pl.col("event_time") <= now - scope.events.label_horizon).fill_null(False)
    )


def not_left_out(spans: Iterable[tuple[datetime, datetime]]) -> pl.Expr | None:
    """Of a row, whether it was to be predicted in none of the spans; None where there are none."""
    inside = [pl.col("predict_at").is_between(since, until, closed="left") for since, until in spans]
    return ~pl.any_horizontal(inside) if inside else None


def without(rows: pl.DataFrame, spans: Iterable[tuple[datetime, datetime]]) -> pl.DataFrame:
    """The rows that were to be predicted in none of the spans."""
    trusted = not_left_out(spans)
    return rows if trusted is None else rows.filter(trusted)


def listed(scope: Scope) -> tuple[str, ...]:
    """Every feature that an objective lists, or a rung for it, once."""
    return tuple(dict.fromkeys(name for objective in scope.objectives for name in scope.features_of(objective)))
