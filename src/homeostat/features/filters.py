"""Events that are neither ranked nor acted on: ``events.filters`` of the scope, as known at predict-at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from homeostat.adapters.duckdb import Expression, evaluate

if TYPE_CHECKING:
    from homeostat.project.scope import Scope

FILTERED = "filtered__by"  # the first filter that holds for an event, null where none does


def with_filtered(scope: Scope, events: pl.DataFrame) -> pl.DataFrame:
    """Events, blank where nothing is known yet, with ``FILTERED``; as they are where the scope has no filters.

    Raises:
        ScopeError: a filter cannot be used.
    """
    filters = scope.events.filters
    if not filters:
        return events
    held = evaluate(events, [_expression(name, sql) for name, sql in filters.items()])
    first = pl.coalesce(pl.when(pl.col(f"filter__{name}")).then(pl.lit(name)) for name in filters)
    return events.with_columns(held.select(first.cast(pl.String).alias(FILTERED)).to_series())


def _expression(name: str, sql: str) -> Expression:
    return Expression(f"filter__{name}", sql, "BOOLEAN", f"events.filters.{name}")
