"""The label of each event, when it became known, and the group it is ranked in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from homeostat.adapters.duckdb import Expression, evaluate
from homeostat.data.known_at import FAR, known_column
from homeostat.data.label_amendments import OBJECTIVE, RECEIVED, VALUE
from homeostat.features.point_in_time import apart

if TYPE_CHECKING:
    from homeostat.features.lookback import LookBack
    from homeostat.features.point_in_time import PointInTime
    from homeostat.project.scope import Scope


def labels(point: PointInTime, looks: Sequence[LookBack], rows: Sequence[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Of each batch: key, and for each objective label, when it became known, and group; over the ``rows`` of its
    events as accepted now.

    A label that an amendment brought or changed became known with it; one that was received by itself when it was.
    """
    scope = point.scope
    for look, table in zip(looks, apart(_labelled(scope, pl.concat(rows)), rows), strict=True):
        for until in point.amended(look):
            table = _known_since(scope, table, _labelled(scope, point.events_until(look, until)), until)
        if (received := point.received(look)) is not None:
            table = _with_received(scope, table, received)
        yield _held_out(table, look.trains_after).select(*scope.key, *label_columns(scope))


def _with_received(scope: Scope, table: pl.DataFrame, received: pl.DataFrame) -> pl.DataFrame:
    """``table`` with labels that the source lacks; one that the source has too is known when the first of them was."""
    key, value, known = list(scope.key), pl.col(VALUE), pl.col(RECEIVED)
    for name in scope.objectives:
        own = received.filter(pl.col(OBJECTIVE) == name).drop(OBJECTIVE)
        label, since = pl.col(f"label__{name}"), pl.col(f"known__{name}")
        table = table.join(own, on=key, how="left", nulls_equal=True, maintain_order="left")
        same = label.is_null() | (label == value)
        first = pl.when(same & value.is_not_null()).then(pl.min_horizontal(since, known)).otherwise(since)
        table = table.with_columns(label.fill_null(value), first.alias(f"known__{name}")).drop(VALUE, RECEIVED)
    return table


def _held_out(table: pl.DataFrame, until: datetime | None) -> pl.DataFrame:
    """Labels of events that are in doubt, known no sooner than ``until``: they train and judge nothing."""
    if until is None:
        return table
    later = pl.lit(until, dtype=pl.Datetime("us"))
    known = [c for c in table.columns if c.startswith("known__")]
    return table.with_columns(
        pl.when(pl.col(c).is_not_null()).then(pl.max_horizontal(c, later)).alias(c) for c in known
    )


def label_columns(scope: Scope) -> dict[str, pl.DataType]:
    """The columns of a feature table that hold the outcome, in order."""
    kinds: dict[str, pl.DataType] = {"label": pl.Float64(), "known": pl.Datetime("us")}
    columns = {f"{kind}__{name}": dtype for kind, dtype in kinds.items() for name in scope.objectives}
    return columns | {f"group__{n}": pl.String() for n, o in scope.objectives.items() if o.group is not None}


def _labelled(scope: Scope, rows: pl.DataFrame) -> pl.DataFrame:
    expressions = []
    for name, objective in scope.objectives.items():
        place = f"objectives.{name}"
        label = f"CASE WHEN ({objective.where}\n) THEN CAST(({objective.label}\n) AS DOUBLE) END"
        expressions += [
            Expression(f"where__{name}", objective.where, "BOOLEAN", f"{place}.where"),  # blamed by its own name
            Expression(f"label__{name}", label, "DOUBLE", f"{place}.label"),
        ]
        if objective.group is not None:
            expressions.append(Expression(f"group__{name}", objective.group, "VARCHAR", f"{place}.group"))
    return evaluate(rows, expressions).with_columns(
        pl.when(pl.col(f"label__{name}").is_not_null(), pl.col(known_column(objective.known)) < FAR)
        .then(pl.col(known_column(objective.known)))
        .alias(f"known__{name}")
        for name, objective in scope.objectives.items()
    )


def _known_since(scope: Scope, table: pl.DataFrame, old: pl.DataFrame, time: datetime) -> pl.DataFrame:
    """``table`` with labels that differ from the ``old`` version known no sooner than its end, ``time``."""
    key = list(scope.key)
    names = [f"label__{name}" for name in scope.objectives]
    before = table.select(key).join(
        old.select(*key, *names), on=key, how="left", nulls_equal=True, maintain_order="left"
    )
    later = pl.lit(time, dtype=pl.Datetime("us"))
    return table.with_columns(
        pl.when(table[f"label__{name}"].eq_missing(before[f"label__{name}"]))
        .then(pl.col(f"known__{name}"))
        .otherwise(pl.max_horizontal(f"known__{name}", pl.when(pl.col(f"known__{name}").is_not_null()).then(later)))
        .alias(f"known__{name}")
        for name in scope.objectives
    )
