"""Forty days of parcels of a depot, and a project of them: a history for what judges batches by those before."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from steps import land, validate

from homeostat.adapters.parquet import write_table
from homeostat.core.periods import Period
from homeostat.project.layout import Project

START, DAYS, LAST = datetime(2024, 3, 1), 40, 39
SCOPE = """
project: depot
goal: know what is late
branch: main
seed: 1
threads: 1
sources:
  parcels:
    path: parcels.parquet
    time: '"at"'
    period: 1d
    key: [id]
    columns: {id: integer, at: time, depot: string, code: string, temp: float, load: float, delay: float, late: integer}
    known_at: {all: {columns: [id, at, depot, code, temp, load, delay, late], at: event_time}}
events: {source: parcels, predict_at: event_time, label_horizon: 1h}
features: {history: 3d}
objectives: {late: {task: binary, label: late = 1, known: all, weight: 1, features: []}}
costs: {alert: 1, capacity: 1}
windows: {warm_up: 1d, train: all, holdout: 2h}
training:
  model: linear
  refit: true
  lightgbm: {trees: 1, leaves: 2, learning_rate: 0.1, min_leaf: 1}
  baseline: {by: [depot]}
evaluation: {slices: [depot], min_slice: 1, resamples: 20, block: 1h, confidence: 0.9}
release: {beats_baseline: 0, not_worse: 1, slice_not_worse: 1, calibration: 1}
monitoring: {window: 1d, quality_drop: 1, calibration: 1, roll_back: 1, drift_method: psi, drift_limit: 1,
  drift_share: 1, score_drift: 1, reference_rows: 10, cool_down: 1d}
rhythm: {offset: 0s, tick: 1d, decide: 2d, retrain: 4d}
"""


def label(day: int) -> str:
    return f"{START + timedelta(days=day):%Y-%m-%d}"


def parcels(seed: int = 1) -> pl.DataFrame:
    """Forty days of parcels: temperatures have a course of the day and wander, weekends are quiet."""
    draw = np.random.default_rng(seed)
    days, wander = [], 0.0
    for day in range(DAYS):
        wander = 0.8 * wander + draw.normal(0, 3)
        rows = int(400 * (0.7 if day % 7 > 4 else 1) * draw.uniform(0.95, 1.05))
        hour = np.sort(np.clip(draw.normal(13, 4, rows), 0, 23.99))
        delay = draw.gamma(1.2, 12, rows) - 8
        days.append(pl.DataFrame({
            "id": np.arange(rows) + 10_000 * day,
            "at": [START + timedelta(days=day, hours=float(h)) for h in hour],
            "depot": draw.choice(["north", "south", "west", "zürich"], rows, p=[0.4, 0.3, 0.2, 0.1]),
            "code": [f"K{n:03d}" for n in draw.zipf(1.5, rows) % 300],
            "temp": 60 + wander + 10 * np.sin((hour - 9) / 24 * 2 * np.pi) + draw.normal(0, 2, rows),
            "load": draw.lognormal(3, 0.4, rows),
            "delay": delay,
            "late": (delay > 20).astype(int),
        }))  # fmt: skip
    return pl.concat(days).with_columns(pl.col("at").cast(pl.Datetime("us")))


def judged(root: Path) -> Project:
    """A project in ``root`` in which all days but the last are judged."""
    (root / "params.yaml").write_text(SCOPE)
    (root / "data").mkdir()
    (root / "data" / "window.yaml").write_text(f"from: {START.isoformat()}\nas_of: {START.isoformat()}\n")
    write_table(parcels(), root / "parcels.parquet")
    project = Project(root, root)
    for day in range(DAYS):
        at = START + timedelta(days=day)
        land(project, "parcels", Period(at, at + timedelta(days=1), label(day)))
        if day < LAST:
            validate(project, "parcels", label(day))
    return project
