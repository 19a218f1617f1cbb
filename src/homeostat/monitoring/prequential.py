"""Prequential loss: what was served, judged on each event as its label matures, beside what a full retrain alone gives.

Each event is scored before its label is known and judged once (Dawid, 1984, Journal of the Royal Statistical Society A
147). The full retrain that the continuations of a line began with scores the same events: the difference is what
learning between full retrains is worth.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from homeostat.core import metrics
from homeostat.monitoring import outcomes
from homeostat.training import evaluate

if TYPE_CHECKING:
    from homeostat.project.layout import Project
    from homeostat.training.bundle import Bundle


def prequential(
    tree: Project, features: pl.DataFrame, full: Bundle, release: str, since: datetime, now: datetime
) -> dict[str, dict[str, Any]]:
    """By objective the events that matured after ``since``: rows, metric, loss as served, and ``full``'s.

    Events count that ``release``, or another of its line, has scored, and that ``features`` has. Nothing of an
    objective of which no event has matured, or whose loss is undefined on them.
    """
    scope = tree.scope
    horizon, key = scope.events.label_horizon, list(scope.key)
    served = outcomes.rows(tree, since - horizon, now)
    if served.is_empty():
        return {}
    served = served.filter(pl.col("event_time") > since - horizon)
    losses: dict[str, dict[str, Any]] = {}
    for name, rows in outcomes.observed(scope, served, now, release).items():
        theirs = rows.key.join(features, key, "left", nulls_equal=True, maintain_order="left")
        there = theirs["event_time"].is_not_null().to_numpy()
        if not there.any():
            continue
        task, metric = scope.objectives[name].task, evaluate.metrics_of(scope, name)[0]
        group = None if rows.group is None else rows.group[there]
        scores = (rows.score[there], full.models[name].predict(theirs.filter(there)))
        loss, other = (metrics.value(task, metric, rows.y[there], score, group) for score in scores)
        if np.isfinite(loss) and np.isfinite(other):
            losses[name] = {"rows": int(there.sum()), "metric": metric, "loss": float(loss), "full": float(other)}
    return losses
