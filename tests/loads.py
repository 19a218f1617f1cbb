"""A small hourly project with features: loads of meters, read ten minutes after, checked five hours after."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
from steps import land, validate_many

from homeostat.core.periods import Period, periods_between
from homeostat.project.layout import Project

START = datetime(2024, 3, 1)
HOURS = 9
PARAMS = """
project: loads
goal: know the next hour's load
branch: main
seed: 1
threads: 1
sources:
  readings:
    path: readings.csv
    time: taken
    period: 1h
    late_after: 2h
    key: [meter, taken]
    columns: {meter: string, taken: time, phase: integer, note: string, load: float, checked: float}
    known_at:
      plan: {columns: [meter, taken, phase, note], at: event_time - INTERVAL 1 DAY}
      read: {columns: [load], at: event_time + INTERVAL 10 MINUTE}
      checked: {columns: [checked], at: event_time + INTERVAL 5 HOUR}
  places:
    path: places.csv
    period: once
    key: [note]
    columns: {note: string, floors: integer}
events: {source: readings, predict_at: event_time - INTERVAL 1 HOUR, label_horizon: 1h}
features:
  history: 1d
  allowed: []
  barred: []
objectives: {high: {task: binary, label: load > 5, known: read, weight: 1, features: [hour, total]}}
costs: {alert: 1, capacity: 1}
windows: {warm_up: 1d, train: all, holdout: 2h}
training:
  model: linear
  refit: true
  lightgbm: {trees: 1, leaves: 2, learning_rate: 0.1, min_leaf: 1}
  baseline: {by: [phase]}
evaluation: {slices: [meter], min_slice: 1, resamples: 20, block: 1h, confidence: 0.9}
release: {beats_baseline: 0, not_worse: 1, slice_not_worse: 1, calibration: 1}
monitoring: {window: 1d, quality_drop: 1, calibration: 1, roll_back: 1, drift_method: psi, drift_limit: 1,
  drift_share: 1, score_drift: 1, reference_rows: 10, cool_down: 1d}
rhythm: {offset: 0s, tick: 1h, decide: 2h, retrain: 4h}
"""
SQL = """
SELECT e.meter, e.taken, hour(e.event_time) AS hour, total.load AS total
FROM events e LEFT JOIN (
    SELECT e.meter, e.taken, sum(r.load::DECIMAL(9, 1)) AS load
    FROM events e JOIN readings r ON r.meter = e.meter AND r.read_known_at < e.predict_at
    GROUP BY ALL
) total USING (meter, taken)
"""


def feature(expression: str, join: str = "true") -> str:
    """SQL of one more feature, ``leak``: an aggregate over readings ``r`` joined to events ``e``."""
    return f"""
    SELECT e.meter, e.taken, min(hour(e.event_time)) AS hour, min(e.phase) AS total, {expression} AS leak
    FROM events e LEFT JOIN readings r ON {join} GROUP BY e.meter, e.taken
    """


def loads(hours: int = HOURS) -> pl.DataFrame:
    """Six meters, ten minutes apart, so that a reading is known just when another event is predicted."""
    rows = [
        (f"m{m}", START + timedelta(hours=h, minutes=10 * m), 1 + (h + m) % 3, f"n{m % 2}", (h * 7 + m * 13) % 11 / 1.0)
        for h in range(hours)
        for m in range(6)
    ]
    found = pl.DataFrame(rows, schema=["meter", "taken", "phase", "note", "load"], orient="row")
    return found.with_columns(checked=pl.col("load") + 0.5)


def make(folder: Path, rows: pl.DataFrame | None = None, sql: str = SQL, hours: int = HOURS, **changes: str) -> Project:
    """The project with ``hours`` landed and validated; ``changes`` are new texts for keys of ``params.yaml``."""
    params = PARAMS
    for key, text in changes.items():
        old = next(line for line in params.splitlines() if line.strip().startswith(f"{key}: "))
        params = params.replace(old, old[: old.index(key)] + f"{key}: {text}", 1)
    (folder / "params.yaml").write_text(params)
    (folder / "features.sql").write_text(sql)
    table = loads(hours) if rows is None else rows
    table.write_csv(folder / "readings.csv", datetime_format="%Y-%m-%dT%H:%M:%S", null_value="NA")
    (folder / "places.csv").write_text("note,floors\nn0,3\nn1,5\n")
    (folder / "data").mkdir(exist_ok=True)
    end = START + timedelta(hours=hours)
    (folder / "data" / "window.yaml").write_text(f"from: {START.isoformat()}\nas_of: {end.isoformat()}\n")
    project = Project(folder, folder)
    settle(project, hours)
    return project


def settle(project: Project, hours: int = HOURS) -> None:
    """Land and validate what is there."""
    spans = periods_between(START, START + timedelta(hours=hours), timedelta(hours=1), timedelta(0))
    for period in spans:
        land(project, "readings", period)
    landed = [s.label for s in spans if (project.landed / "readings" / f"{s.label}.parquet").is_file()]
    validate_many(project, "readings", landed)
    once = Period(START, START, "once")
    land(project, "places", once)
    validate_many(project, "places", ["once"])
