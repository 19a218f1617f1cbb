"""The importance of each feature: how much a model's loss on later rows rises when that feature is shuffled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from homeostat.core.release_gate import GOOD_AUC, GOOD_SHARE
from homeostat.scaffold.audit.issue import Issue
from homeostat.scaffold.audit.predictive_power import Array, auc
from homeostat.scaffold.draft.features_sql import FeatureQuery, features_sql
from homeostat.scaffold.profile.batch_period import interval
from homeostat.scaffold.profile.identifiers import always_quoted, quoted
from homeostat.scaffold.profile.label_delay import outcome_time
from homeostat.scaffold.profile.profile_table import Profile
from homeostat.scaffold.profile.table import ROW_ID
from homeostat.scaffold.profile.workspace import Workspace

ROWS = 30_000  # events that the features are tried on
LEAST = 300  # events below which there is no answer
HISTORY = 600_000  # rows of the table that they may look at
TREES, LEAVES = 120, 31
MANY = 60  # features from which fewer trees are grown, so that hundreds of features take no minutes
EARLIER = 0.7


@dataclass(frozen=True)
class Quality:
    """A model on later rows: its AUC (0 of a number), and its loss as a share of that of the mean."""

    auc: float
    share: float


def with_importance(work: Workspace, profile: Profile, query: FeatureQuery) -> tuple[FeatureQuery, tuple[Issue, ...]]:
    """The features with what each adds in their comment, where there are enough events to say; an issue if too much."""
    importance, quality = permutation_importance(work, profile, query)
    described = query.with_features([
        replace(f, comment="; ".join(s for s in (f.comment, f"adds {importance[f.name]:.1%}") if s))
        if f.name in importance else f
        for f in query.features
    ])  # fmt: skip
    return described, tuple(_too_good(profile, importance, quality))


def _too_good(profile: Profile, importance: Mapping[str, float], quality: Quality | None) -> Iterator[Issue]:
    """A first model that is better than first models are, and the features that it rests on."""
    if quality is None or not (quality.auc > GOOD_AUC or quality.share < 1 - GOOD_SHARE):
        return
    best = sorted(importance, key=lambda name: -importance[name])[:3]
    how = f"AUC {quality.auc:.3f}" if quality.auc > GOOD_AUC else f"a loss {1 - quality.share:.0%} below the mean's"
    text = f"a first model reaches {how} on later rows, which is too good to trust: it rests on {', '.join(best)}"
    fix = "ask when these are written; what is known only afterwards: homeostat new ... --drop COLUMN"
    yield Issue("too good to be true", profile.label.column, text, fix, 0.7, 92)


def permutation_importance(
    work: Workspace, profile: Profile, query: FeatureQuery
) -> tuple[dict[str, float], Quality | None]:
    """By feature, the share that the loss rises without it (Breiman 2001), and how good the whole is.

    Empty and None where there are too few events.
    """
    table = build_features(work, profile, query)
    if table.height < LEAST:
        return {}, None
    x = np.column_stack([_numbers(table[f.name]) for f in query.features])
    y = table["__y"].to_numpy().astype(float)
    cut = int(len(y) * EARLIER)
    predict = _fit(x[:cut], y[:cut], profile.label.task)
    score = predict(x[cut:])
    whole, task = _loss(y[cut:], score, profile.label.task), profile.label.task
    plain = _loss(y[cut:], np.full(len(y) - cut, y[:cut].mean()), task)
    quality = Quality(auc(y[cut:], score) if task == "binary" else 0.0, whole / plain if plain else 1.0)
    if not whole:
        return {}, quality
    random = np.random.default_rng(1)
    importance = {}
    for n, feature in enumerate(query.features):
        shuffled = x[cut:].copy()
        shuffled[:, n] = random.permutation(shuffled[:, n])
        importance[feature.name] = _loss(y[cut:], predict(shuffled), profile.label.task) / whole - 1
    return importance, quality


def build_features(work: Workspace, profile: Profile, query: FeatureQuery) -> pl.DataFrame:
    """The features of some events of the window, by the drafted SQL, with their labels as ``__y``."""
    session = work.session()
    session.execute("CREATE SCHEMA IF NOT EXISTS tried")
    _add_events(session, profile)
    for context in profile.contexts:
        name = quoted(context.table.name)
        time = f", {context.time} AS event_time, {context.time} AS given_known_at" if context.time else ""
        session.execute(f"CREATE OR REPLACE VIEW tried.{name} AS SELECT *{time} FROM main.{name}")
    session.execute("SET search_path = 'tried'")
    keys = ", ".join(map(quoted, profile.key.columns))
    return session.frame(
        f"SELECT f.*, CAST(({profile.label.sql_of('e')}) AS DOUBLE) AS __y, e.event_time AS __t "
        f"FROM ({features_sql(profile, query)}) f JOIN tried.events e USING ({keys}) ORDER BY __t, {keys}"
    )


def _add_events(session: Workspace, profile: Profile) -> None:
    """The source as the loop shows it, and some labelled rows of it as ``events``."""
    table, before = profile.table, profile.request.predict_before
    name = f"tried.{quoted(table.name)}"
    (since,) = session.row(
        f"SELECT min(__t) FROM (SELECT __t FROM {table.sql} WHERE __t >= TIMESTAMP '{profile.history.start}' "
        f"ORDER BY __t DESC LIMIT {HISTORY})"
    )
    columns = [f"t.{always_quoted(c)}" for c in table.names if c != ROW_ID]
    if profile.key.generated:
        columns.insert(0, f"CAST(t.rowid AS VARCHAR) AS {ROW_ID}")
    rows = (
        f"SELECT {', '.join(columns)}, t.__t AS event_time, t.__t - {interval(before)} AS predict_at, "
        f"t.__t - {interval(profile.request.known_before)} AS given_known_at FROM {table.sql} t "
        f"WHERE t.__t >= TIMESTAMP '{since}'"
    )
    outcome, _ = outcome_time(profile.delay, profile.series)
    session.execute(
        f"CREATE OR REPLACE TABLE {name} AS SELECT *, coalesce(greatest({outcome}, given_known_at), "
        f"TIMESTAMP '9999-12-31') AS outcome_known_at FROM ({rows})"
    )
    every = max(1, int(session.row(f"SELECT count(*) FROM {name}")[0]) // ROWS)
    session.execute(
        f"CREATE OR REPLACE TABLE tried.events AS SELECT * EXCLUDE (outcome_known_at) FROM {name} "
        f"WHERE ({profile.label.sql}) IS NOT NULL AND hash(event_time, rowid) % {every} = 0"
    )


def _numbers(values: pl.Series) -> Array:
    if values.dtype in (pl.String, pl.Boolean):
        return values.cast(pl.String).rank("dense").cast(pl.Float64).to_numpy()
    return values.cast(pl.Float64).to_numpy()


def _fit(x: Array, y: Array, task: str) -> Callable[[Array], Array]:
    import lightgbm

    settings = {
        "objective": "binary" if task == "binary" else "regression", "num_leaves": LEAVES, "learning_rate": 0.1,
        "min_data_in_leaf": max(5, len(y) // 400), "verbosity": -1, "num_threads": 1, "seed": 1, "deterministic": True,
    }  # fmt: skip
    trees = max(30, TREES * MANY // max(x.shape[1], MANY))
    booster = lightgbm.train(settings, lightgbm.Dataset(x, y), trees)
    return lambda rows: np.asarray(booster.predict(rows))


def _loss(y: Array, score: Array, task: str) -> float:
    if task == "binary":
        p = np.clip(score, 1e-6, 1 - 1e-6)
        return float(-(y * np.log(p) + (1 - y) * np.log(1 - p)).mean())
    return float(np.sqrt(((y - score) ** 2).mean()))
