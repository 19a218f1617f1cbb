"""Answers that are there before anybody asks: the loop's predictions, feature rows scored once, and what is ahead.

One holds for a request where the source says of the event what the request says, and where it was made recently
enough; the request decides nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from homeostat.adapters.parquet import read_table
from homeostat.core.costs import worth
from homeostat.training import bundle as bundles

if TYPE_CHECKING:
    from homeostat.serving.context import Context
    from homeostat.training.bundle import Bundle

Key = tuple[Any, ...]
MANY = 20_000  # events ahead; more are computed when they are asked for


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said of one event, and how it was come by: prediction, features, ahead or computed."""

    key: Key
    event_time: datetime
    predict_at: datetime
    as_of: datetime
    scores: tuple[float, ...]  # in the order of the release's objectives
    risk: float
    alert: bool  # silence is expected to cost more than an alert
    how: str
    context: str  # what it was made from


@dataclass(frozen=True)
class Ready:
    """Answers by key, with what the source says of the event."""

    answers: Mapping[Key, Answer]
    told: Mapping[Key, tuple[Any, ...]]  # the columns that make the event visible
    fresh: timedelta

    def find(self, key: Key, said: tuple[Any, ...], now: datetime) -> Answer | None:
        """The answer for an event of which ``said`` is said, if there is one that holds now."""
        found = self.answers.get(key)
        if found is None or self.told[key] != said:
            return None
        target = min(found.predict_at, now)
        return found if found.as_of <= target and target - found.as_of <= self.fresh else None


def ready(context: Context, bundle: Bundle, version: str, fresh: timedelta) -> Ready:
    """What is there for the periods at hand, by that release."""
    source = context.scope.event_source
    first, *_ = source.known_at.values()
    visible = [name for name in source.columns if name in first.columns]
    answers: dict[Key, Answer] = {}
    told: dict[Key, tuple[Any, ...]] = {}
    coming = context.coming()
    ahead = {a.key: a for a in _ahead(context, bundle, [rows for _, rows in coming])}
    for period, rows in coming:
        made = ahead | {a.key: a for a in _features(context, bundle, period.label)}
        made |= {a.key: a for a in _predictions(context, bundle, version, period.label)}
        for key, said in zip(rows.select(source.key).iter_rows(), rows.select(visible).iter_rows(), strict=True):
            if key in made:
                answers[key], told[key] = made[key], said
    return Ready(answers, told, fresh)


def answers(bundle: Bundle, scored: pl.DataFrame, as_of: list[datetime], how: str, ids: list[str]) -> Iterator[Answer]:
    """Rows of ``bundles.score`` as answers."""
    scope = bundle.scope
    names = list(scope.objectives)
    columns = {name: scored[f"score__{name}"].to_numpy() for name in names}
    alert = worth(columns, scope.objectives, scope.costs.alert).tolist()
    scores = np.stack([columns[name] for name in names], axis=1).tolist()
    rows = scored.select(*scope.key, "event_time", "predict_at", "risk").iter_rows()
    for n, row in enumerate(rows):
        *key, event_time, predict_at, risk = row
        yield Answer(tuple(key), event_time, predict_at, as_of[n], tuple(scores[n]), risk, alert[n], how, ids[n])


def _ahead(context: Context, bundle: Bundle, coming: list[pl.DataFrame]) -> Iterator[Answer]:
    """What is asked for until the next tick, all computed at once as of now: a rollback finds it there."""
    if not coming:
        return
    rows = pl.concat(coming)
    until = context.now + context.scope.rhythm.tick
    rows = rows.filter(pl.col("predict_at") >= context.now, pl.col("predict_at") < until)
    rows = rows.filter(~rows.select(context.scope.key).is_duplicated())
    if 0 < rows.height <= MANY:
        table, ids = context.features(bundle.sql, rows, context.now)
        scored = bundles.score(bundle, table, baselines=False)
        yield from answers(bundle, scored, [context.now] * table.height, "ahead", ids.to_list())


def _features(context: Context, bundle: Bundle, label: str) -> Iterator[Answer]:
    """Feature rows of a batch, which are as of each event's own predict-at; of the tree's SQL alone."""
    path = context.tree.features / f"{label}.parquet"
    if bundle.sql != context.sql or not path.is_file():
        return
    table = read_table(path)
    if table.height:
        scored = bundles.score(bundle, table, baselines=False)
        yield from answers(bundle, scored, table["predict_at"].to_list(), "features", [label] * table.height)


def _predictions(context: Context, bundle: Bundle, version: str, label: str) -> Iterator[Answer]:
    """What the loop has predicted by that release."""
    path = context.tree.predictions / f"{label}.parquet"
    if not path.is_file():
        return
    rows = read_table(path).filter(pl.col("release") == version)
    if rows.height:
        yield from answers(bundle, rows, rows["as_of"].to_list(), "prediction", [label] * rows.height)
