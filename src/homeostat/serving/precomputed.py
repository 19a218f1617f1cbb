"""Precomputing answers: the loop's predictions, feature rows of batches scored once, and events that lie ahead."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from homeostat.adapters.parquet import read_table
from homeostat.core.costs import cost_of_acting
from homeostat.core.event_decision import reason
from homeostat.features.filters import FILTERED
from homeostat.serving.answer import Answer, Key, Precomputed
from homeostat.training import bundle as bundles
from homeostat.training.event_decisions import decide

if TYPE_CHECKING:
    from homeostat.serving.context import Context
    from homeostat.training.bundle import Bundle

MAX_AHEAD = 20_000  # events ahead; where there are more, each is computed on request


def precompute(context: Context, bundle: Bundle, version: str, fresh: timedelta) -> Precomputed:
    """The answers of a release for the upcoming periods."""
    source = context.scope.event_source
    first, *_ = source.known_at.values()
    columns = [name for name in source.columns if name in first.columns]
    answers: dict[Key, Answer] = {}
    visible: dict[Key, tuple[Any, ...]] = {}
    upcoming = context.upcoming()
    ahead = {a.key: a for a in _ahead(context, bundle, [rows for _, rows in upcoming])}
    for period, rows in upcoming:
        of_period = ahead | {a.key: a for a in _features(context, bundle, period.label)}
        of_period |= {a.key: a for a in _predictions(context, bundle, version, period.label)}
        for key, event in zip(rows.select(source.key).iter_rows(), rows.select(columns).iter_rows(), strict=True):
            if key in of_period:
                answers[key], visible[key] = of_period[key], event
    return Precomputed(answers, visible, fresh)


def answers(bundle: Bundle, scored: pl.DataFrame, as_of: list[datetime], how: str, ids: list[str]) -> Iterator[Answer]:
    """Rows of ``bundle.score`` as answers; ``ids`` name what each was made from."""
    scope = bundle.scope
    names = list(scope.objectives)
    columns = {name: scored[f"score__{name}"].to_numpy() for name in names}
    ranked = any(objective.task == "ranking" for objective in scope.objectives.values())
    acting = cost_of_acting(columns, scope.objectives, scope.costs.alert).tolist()
    decisions = decide(scope, scored, columns)
    barred = scored[FILTERED].to_list() if FILTERED in scored.columns else [None] * len(scored)
    scores = np.stack([columns[name] for name in names], axis=1).tolist()
    rows = scored.select(*scope.key, "event_time", "predict_at", "risk").iter_rows()
    for n, row in enumerate(rows):
        *key, event_time, predict_at, risk = row
        why = reason(decisions[n], risk, acting[n], ranked, barred[n])
        yield Answer(
            tuple(key), event_time, predict_at, as_of[n], tuple(scores[n]), risk, acting[n], decisions[n], why, how,
            ids[n],
        )  # fmt: skip


def _ahead(context: Context, bundle: Bundle, upcoming: list[pl.DataFrame]) -> Iterator[Answer]:
    """Events that will be requested before the next tick, all computed at once as of now, so that a rollback is fast.

    None where there are more than ``MAX_AHEAD``.
    """
    if not upcoming:
        return
    rows = pl.concat(upcoming)
    until = context.now + context.scope.rhythm.tick
    rows = rows.filter(pl.col("predict_at") >= context.now, pl.col("predict_at") < until)
    rows = rows.filter(~rows.select(context.scope.key).is_duplicated())
    if 0 < rows.height <= MAX_AHEAD:
        table, ids = context.features(bundle.sql, rows, context.now)
        scored = bundles.score(bundle, table, baselines=False)
        yield from answers(bundle, scored, [context.now] * table.height, "ahead", ids.to_list())


def _features(context: Context, bundle: Bundle, label: str) -> Iterator[Answer]:
    """The feature rows of a batch, each as of its own predict-at; only where the bundle has the tree's SQL."""
    path = context.tree.features / f"{label}.parquet"
    if bundle.sql != context.sql or not path.is_file():
        return
    table = read_table(path)
    if table.height:
        scored = bundles.score(bundle, table, baselines=False)
        yield from answers(bundle, scored, table["predict_at"].to_list(), "features", [label] * table.height)


def _predictions(context: Context, bundle: Bundle, version: str, label: str) -> Iterator[Answer]:
    """The loop's predictions of a batch by that release."""
    path = context.tree.predictions / f"{label}.parquet"
    if not path.is_file():
        return
    rows = read_table(path).filter(pl.col("release") == version)
    if rows.height:
        yield from answers(bundle, rows, rows["as_of"].to_list(), "prediction", [label] * rows.height)
