"""A small project of its own: readings of meters, one batch an hour."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from homeostat.project.layout import Project

START = datetime(2024, 3, 1)
PARAMS = """
project: meters
goal: know tomorrow's load
branch: main
seed: 1
threads: 1
sources:
  readings:
    path: readings.csv
    time: '"at"'
    period: 1h
    late_after: 2h
    key: [meter, at]
    columns: {meter: string, at: time, load: float, phase: integer}
    known_at: {all: {columns: [meter, at, load, phase], at: event_time}}
    volume: 0.5
events: {source: readings, predict_at: event_time, label_horizon: 1h}
features: {history: 1d}
objectives: {high: {task: binary, label: load > 5, known: all, weight: 1, features: []}}
costs: {alert: 1, capacity: 1}
windows: {warm_up: 1d, train: all, holdout: 2h}
training:
  model: linear
  refit: true
  lightgbm: {trees: 1, leaves: 2, learning_rate: 0.1, min_leaf: 1}
  baseline: {by: [meter]}
evaluation: {slices: [meter], min_slice: 1, resamples: 20, block: 1h, confidence: 0.9}
release: {beats_baseline: 0, not_worse: 1, slice_not_worse: 1, calibration: 1}
monitoring: {window: 1d, quality_drop: 1, calibration: 1, roll_back: 1, drift_method: psi, drift_limit: 1,
  drift_share: 1, score_drift: 1, reference_rows: 10, cool_down: 1d}
rhythm: {offset: 0s, tick: 1h, decide: 2h, retrain: 4h}
"""
CONTRACT = [
    (
        "expect_column_values_to_be_between",
        {"column": "load", "min_value": 0, "max_value": 100},
        "warning",
        "Load is in kW.",
    ),
    ("expect_column_values_to_not_be_null", {"column": "meter"}, "critical", "Each reading is of a meter."),
    (
        "expect_column_values_to_be_in_set",
        {"column": "phase", "value_set": [1, 2, 3]},
        "info",
        "There are three phases.",
    ),
]


def readings(hours: int, meters: int = 10) -> pl.DataFrame:
    rows = [
        (f"m{m}", START + timedelta(hours=h, minutes=m), float(h + m), 1 + m % 3)
        for h in range(hours)
        for m in range(meters)
    ]
    return pl.DataFrame(rows, schema=["meter", "at", "load", "phase"], orient="row")


def write_contract(project: Project, rules: list[tuple[str, dict[str, object], str, str]]) -> Path:
    body = [{"type": t, "kwargs": k, "severity": s, "meta": {"reason": r}} for t, k, s, r in rules]
    project.contracts.mkdir(exist_ok=True)
    path = project.contracts / "readings.json"
    path.write_text(json.dumps({"name": "readings", "expectations": body}))
    return path
