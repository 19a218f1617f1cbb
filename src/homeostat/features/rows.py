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
    given = with_filtered(scope, with_given(scope, events)).sort(key, nulls_last=True)
    features = features.select(pl.exclude(key))
    named = dict.fromkeys(c for c in _used(scope) if c not in events.columns and c in features.columns)
    return pl.concat(
        [
            given.select(*key, "event_time", "predict_at"), features, given.select(f"^(given__.*|{FILTERED})$"),
            *([features.select(pl.col(c).alias(f"given__{c}") for c in named)] if named else []),
        ],
        how="horizontal",
    )  # fmt: skip


def with_given(scope: Scope, events: pl.DataFrame) -> pl.DataFrame:
    """Events with those of their columns that slices and rules go by, as ``given__<column>``, and scores."""
    rules = scope.training.rules
    named = dict.fromkeys([*scope.evaluation.slices, *_used(scope)])
    events = events.with_columns(pl.col(c).alias(f"given__{c}") for c in named if c in events.columns)
    scores = [
        Expression(f"given__{column}", rule.sql, "DOUBLE", ".".join(map(str, (*path, "sql"))))
        for column, (path, rule) in rules.items()
        if rule.sql is not None
    ]
    return evaluate(events, scores) if scores else events


def _used(scope: Scope) -> list[str]:
    """What the baseline and other rules go by: columns of the events, or features, such as what came last."""
    rules = (rule for _, rule in scope.training.rules.values())
    return [column for rule in rules for column in (*rule.by, rule.column) if column is not None]
