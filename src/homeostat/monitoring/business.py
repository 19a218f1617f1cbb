"""The business's own figure beside the model's: read from its source, joined by time with the release that served."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from homeostat.adapters.duckdb import Expression, evaluate
from homeostat.core import metrics
from homeostat.core.business import Block, Metric, business_finding
from homeostat.core.findings import Finding
from homeostat.core.periods import EPOCH
from homeostat.data.known_at import with_known_at
from homeostat.features.tables import mature
from homeostat.monitoring import outcomes
from homeostat.training.evaluate import groups, metrics_of

if TYPE_CHECKING:
    from homeostat.project.layout import Project
    from homeostat.project.operation_scope import Business
    from homeostat.project.scope import Scope

PERIOD = "__period"


def business_blocks(project: Project, now: datetime) -> list[Block]:
    """A block a round of decisions and release, in order of time: those that have both figures by ``now``.

    Empty where the scope names no business metric.

    Raises:
        ScopeError: the expression of the metric cannot be used.
        DataError: a file is damaged.
    """
    scope = project.scope
    if scope.business is None:
        return []
    table = outcomes.rows(project, until=now)
    if table.is_empty():
        return []
    values = _values(outcomes.labelled(project), scope, scope.business, now)
    parts = table.with_columns(_period(scope)).partition_by(PERIOD, "release", maintain_order=True)
    joined = ((part, int(part[PERIOD][0]), dict(_metrics(scope, part, now))) for part in parts)
    return [
        Block(part["event_time"][0], part["release"][0], values[period], measured)
        for part, period, measured in joined
        if measured and period in values
    ]


def check_business(project: Project, now: datetime) -> list[Finding]:
    """For each objective whether the business fell as its loss did, from the release before to the one in service."""
    scope = project.scope
    if scope.business is None:
        return []
    blocks = business_blocks(project, now)
    higher, confidence = scope.business.better == "higher", scope.evaluation.confidence
    losses = [(name, metrics_of(scope, name)[0]) for name in scope.objectives]
    return [business_finding(blocks, loss, higher, confidence) for loss in losses]


def _period(scope: Scope) -> pl.Expr:
    seconds = int(outcomes.window_length(scope).total_seconds())
    since = (pl.col("event_time") - EPOCH - scope.rhythm.offset).dt.total_microseconds()
    return (since // (seconds * 1_000_000)).alias(PERIOD)


def _values(tree: Project, scope: Scope, business: Business, now: datetime) -> Mapping[int, float]:
    """The mean of the figure over the accepted rows of each period."""
    name, source = business.source, scope.sources[business.source]
    expression = [Expression("__value", business.value, "DOUBLE", "business.value")]
    paths = sorted((tree.accepted / name).glob("*.parquet"))
    if not paths:
        return {}
    rows = evaluate(with_known_at(name, source, pl.concat(map(pl.read_parquet, paths))), expression)
    rows = rows.filter(pl.col("event_time") < now).with_columns(_period(scope))
    table = rows.group_by(PERIOD).agg(pl.col("__value").mean()).drop_nulls()
    return {int(period): value for period, value in table.select(PERIOD, "__value").iter_rows()}


def _metrics(scope: Scope, part: pl.DataFrame, now: datetime) -> Iterator[tuple[Metric, float]]:
    for name, objective in scope.objectives.items():
        rows = mature(part, name, scope, now).drop_nulls(f"score__{name}")
        if len(rows) < scope.evaluation.min_slice:
            continue
        y, score = rows[f"label__{name}"].to_numpy(), rows[f"score__{name}"].to_numpy()
        group = groups(rows, name) if objective.task == "ranking" else None
        for metric in metrics_of(scope, name):
            value = metrics.value(objective.task, metric, y, score, group)
            if np.isfinite(value):
                yield (name, metric), float(value)
