"""What each feature adds: how much worse a model gets on later rows when that feature is shuffled among them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from homeostat.scaffold.draft.features_sql import Feature, FeatureDraft, interval
from homeostat.scaffold.draft.params_yaml import SECOND, outcome_sql
from homeostat.scaffold.profile.identifiers import always_quoted, quoted
from homeostat.scaffold.profile.profile_table import label_of

if TYPE_CHECKING:
    import duckdb
    import polars as pl

    from homeostat.scaffold.audit.predictive_power import Array
    from homeostat.scaffold.draft.roles import Choices
    from homeostat.scaffold.profile.profile_table import Understanding

ROWS = 30_000  # events that the features are tried on
HISTORY = 600_000  # rows of the table that they may look at
TREES, LEAVES = 120, 31
MANY = 60  # features from which each gets less work, so that hundreds take no minutes
EARLIER = 0.7


def added(
    connection: duckdb.DuckDBPyConnection, found: Understanding, choices: Choices, features: FeatureDraft
) -> dict[str, float]:
    """By feature, the share that the loss rises without it; empty where there is too little to say."""
    table = built(connection, found, features)
    if table.height < 300:
        return {}
    x = np.column_stack([_numbers(table[f.name]) for f in features.features])
    y = table["__y"].to_numpy().astype(float)
    cut = int(len(y) * EARLIER)
    predict = _fitted(x[:cut], y[:cut], found.label.task)
    whole = _loss(y[cut:], predict(x[cut:]), found.label.task)
    if not whole:
        return {}
    chance = np.random.default_rng(1)
    answer = {}
    for n, feature in enumerate(features.features):
        shuffled = x[cut:].copy()
        shuffled[:, n] = chance.permutation(shuffled[:, n])
        answer[feature.name] = _loss(y[cut:], predict(shuffled), found.label.task) / whole - 1
    return answer


def said(features: FeatureDraft, worth: dict[str, float]) -> tuple[Feature, ...]:
    """The features with what each adds in their comment."""
    return tuple(
        replace(f, said="; ".join(s for s in (f.said, f"adds {worth[f.name]:.1%}") if s)) if f.name in worth else f
        for f in features.features
    )


def built(connection: duckdb.DuckDBPyConnection, found: Understanding, features: FeatureDraft) -> pl.DataFrame:
    """The features of some events of the window, by the very SQL, with their labels as ``__y``."""
    import polars as pl

    name = found.table.name
    before = found.asked.predict_before
    since = connection.sql(
        f"SELECT min(__t) FROM (SELECT __t FROM {always_quoted(name)} WHERE __t >= TIMESTAMP '{found.start}' "
        f"ORDER BY __t DESC LIMIT {HISTORY})"
    ).fetchall()[0][0]  # fmt: skip
    columns = ", ".join(f"t.{always_quoted(c.name)}" for c in found.table.columns if c.name not in ("row_id",))
    row_id = "CAST(t.rowid AS VARCHAR) AS row_id, " if "row_id" in found.table.names else ""
    made = (
        f"SELECT {row_id}{columns}, t.__t AS event_time, t.__t - {interval(before)} AS predict_at, "
        f"t.__t - {interval(before + SECOND)} AS given_known_at FROM {always_quoted(name)} t WHERE t.__t "
        f">= TIMESTAMP '{since}'"
    )
    session = connection.cursor()
    session.execute("CREATE SCHEMA IF NOT EXISTS tried")
    outcome = outcome_sql(found)
    session.execute(
        f"CREATE OR REPLACE TABLE tried.{quoted(name)} AS SELECT *, coalesce(greatest({outcome}, given_known_at), "
        f"TIMESTAMP '9999-12-31') AS outcome_known_at FROM ({made})"
    )
    many = int(session.sql(f"SELECT count(*) FROM tried.{quoted(name)}").fetchall()[0][0])
    every = max(1, many // ROWS)
    session.execute(
        f"CREATE OR REPLACE TABLE tried.events AS SELECT * EXCLUDE (outcome_known_at) FROM tried.{quoted(name)} "
        f"WHERE ({found.label.sql}) IS NOT NULL AND hash(event_time, rowid) % {every} = 0"
    )
    for context in found.contexts:
        time = (
            f", {context.table.time} AS event_time, {context.table.time} AS given_known_at"
            if context.table.time
            else ""
        )
        session.execute(
            f"CREATE OR REPLACE VIEW tried.{quoted(context.table.name)} AS SELECT *{time} FROM "
            f"main.{quoted(context.table.name)}"
        )
    session.execute("SET search_path = 'tried'")
    keys = ", ".join(quoted(k) for k in found.table.key)
    label = label_of(found.label, "e")
    sql = (
        f"SELECT f.*, CAST(({label}) AS DOUBLE) AS __y, e.event_time AS __t FROM ({features.sql}) f "
        f"JOIN tried.events e USING ({keys}) ORDER BY __t, {keys}"
    )
    return pl.DataFrame(session.sql(sql).to_arrow_table())


def _numbers(values: pl.Series) -> Array:
    import polars as pl

    if values.dtype in (pl.String, pl.Boolean):
        return values.cast(pl.String).rank("dense").cast(pl.Float64).to_numpy()
    return values.cast(pl.Float64).to_numpy()


def _fitted(x: Array, y: Array, task: str):  # type: ignore[no-untyped-def]
    import lightgbm

    settings = {
        "objective": "binary" if task == "binary" else "regression", "num_leaves": LEAVES, "learning_rate": 0.1,
        "min_data_in_leaf": max(5, len(y) // 400), "verbosity": -1, "num_threads": 1, "seed": 1, "deterministic": True,
    }  # fmt: skip
    trees = max(30, TREES * MANY // max(x.shape[1], MANY))
    booster = lightgbm.train(settings, lightgbm.Dataset(x, y), trees)
    return booster.predict


def _loss(y: Array, score: Array, task: str) -> float:
    if task == "binary":
        p = np.clip(score, 1e-6, 1 - 1e-6)
        return float(-(y * np.log(p) + (1 - y) * np.log(1 - p)).mean())
    return float(np.sqrt(((y - score) ** 2).mean()))
