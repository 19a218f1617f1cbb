"""Rows of a feature table: key, times, features, and what slices and the baseline go by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from homeostat.adapters.duckdb import Expression, evaluate
from homeostat.features.filters import FILTERED, with_filtered

if TYPE_CHECKING:
    from homeostat.project.scope import Scope


def joined(scope: Scope, events: pl.DataFrame, features: pl.DataFrame) -> pl.DataFrame:
    """Key, times, features, ``given__`` columns and filter of events; both tables hold the same events."""
    key = list(scope.key)
    given = with_filtered(scope, _given(scope, events)).sort(key, nulls_last=True)
    features = features.select(pl.exclude(key))
    return pl.concat(
        [given.select(*key, "event_time", "predict_at"), features, given.select(f"^(given__.*|{FILTERED})$")],
        how="horizontal",
    )


def _given(scope: Scope, events: pl.DataFrame) -> pl.DataFrame:
    """Events with the columns that slices and the baseline go by, as ``given__<column>``, and its rule."""
    baseline = scope.training.baseline
    named = dict.fromkeys([*scope.evaluation.slices, *baseline.by, *([baseline.column] if baseline.column else [])])
    events = events.with_columns(pl.col(c).alias(f"given__{c}") for c in named)
    if baseline.sql is None:
        return events
    return evaluate(events, [Expression("given__sql", baseline.sql, "DOUBLE", "training.baseline.sql")])
