"""A small project of its own whose features are already there: gauges, one batch a day, three kinds of objective."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from ruamel.yaml import YAML

from homeostat.project.layout import Project
from homeostat.project.window import write_window

START = datetime(2024, 3, 1)
PARAMS = """
project: tides
goal: close the gates in time
branch: main
seed: 1
threads: 1
sources:
  gauges:
    path: gauges.csv
    time: '"at"'
    period: 1d
    key: [gauge, at]
    columns: {gauge: string, at: time, level: float}
    known_at: {all: {columns: [gauge, at, level], at: event_time}}
events: {source: gauges, predict_at: event_time, label_horizon: 2d}
features: {history: 1d}
objectives:
  flood: {task: binary, label: level > 5, known: all, weight: 5, features: [wind, moon, bay]}
  height: {task: regression, label: level, known: all, weight: 1, features: [wind, moon]}
  order: {task: ranking, label: "round(level)", known: all, weight: 1, features: [wind, moon], group: gauge}
costs: {alert: 1, capacity: 4}
windows: {warm_up: 10d, train: all, holdout: 7d}
training:
  model: lightgbm
  refit: true
  lightgbm: {trees: 20, leaves: 7, learning_rate: 0.2, min_leaf: 5}
  baseline: {by: [gauge]}
evaluation:
  metrics:
    binary: [log_loss, auc, average_precision, brier]
    regression: [rmse, mae, r2]
    ranking: [ndcg_loss, ndcg]
  slices: [gauge]
  min_slice: 50
  resamples: 50
  block: 1d
  confidence: 0.9
release: {beats_baseline: 0, not_worse: 1, slice_not_worse: 1, calibration: 1}
monitoring: {window: 7d, quality_drop: 1, calibration: 1, roll_back: 1, drift_method: psi, drift_limit: 1,
  drift_share: 1, score_drift: 1, reference_rows: 10, cool_down: 1d}
rhythm: {offset: 0s, tick: 1d, decide: 7d, retrain: 28d}
"""


def gauges(days: int, a_day: int = 48, seed: int = 0) -> pl.DataFrame:
    """Rows as the stage featurize writes them; the label of a flood is missing where the gauge was."""
    rng = np.random.default_rng(seed)
    rows = days * a_day
    at = [START + timedelta(hours=24 * i / a_day) for i in range(rows)]
    wind, moon = rng.gamma(2, 4, rows), np.sin(np.arange(rows) / a_day)
    level = 2 + 0.25 * wind + moon + rng.normal(0, 0.5, rows)
    gauge = [f"g{i % 3}" for i in range(rows)]
    known = [t + timedelta(hours=1) for t in at]
    return pl.DataFrame(
        {
            "gauge": gauge, "at": at, "event_time": at, "predict_at": at, "wind": wind, "moon": moon,
            "bay": [f"b{i % 5}" for i in range(rows)], "given__gauge": gauge,
            "label__flood": [None if i % 40 == 0 else float(x > 5) for i, x in enumerate(level)],
            "label__height": level, "label__order": np.clip(np.round(level - 2), 0, 3),
            "known__flood": known, "known__height": known, "known__order": known,
            "group__order": [f"{t:%Y-%m-%d}" for t in at],
        }
    ).with_columns(pl.col("at", "event_time", "predict_at", "^known__.*$").cast(pl.Datetime("us")))  # fmt: skip


def tides(root: Path, days: int = 40, table: pl.DataFrame | None = None, **changes: Any) -> Project:
    """The project with features of ``days``; a change such as ``windows__holdout="3d"`` goes into its scope."""
    params = YAML(typ="safe").load(PARAMS)
    for place, value in changes.items():
        *parents, last = place.split("__")
        part = params
        for parent in parents:
            part = part[parent]
        part[last] = value
    root.mkdir(parents=True, exist_ok=True)
    with (root / "params.yaml").open("w") as file:
        YAML().dump(params, file)
    project = Project(root, root)
    table = gauges(days) if table is None else table
    project.features.mkdir(parents=True, exist_ok=True)
    for (day,), rows in table.group_by(pl.col("at").dt.strftime("%Y-%m-%d"), maintain_order=True):
        rows.write_parquet(project.features / f"{day}.parquet")
    write_window(project, START, START + timedelta(days=days))
    return project


def judged_tides(root: Path) -> Project:
    """The project with a candidate, trained and judged."""
    from homeostat.training.evaluate import judge
    from homeostat.training.train import train

    project = tides(root)
    train(project)
    judge(project)
    return project


def only(name: str) -> dict[str, Any]:
    """A change that leaves one objective."""
    return {"objectives": {name: YAML(typ="safe").load(PARAMS)["objectives"][name]}}
