"""A small project that the whole DAG runs on: readings of meters, one batch an hour, two days and a half of them.

``STEADY`` is the same with less chance in it: a model of its readings beats the baseline by far, and goes on doing so.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from homeostat.adapters import dvc_yaml, git
from homeostat.project.layout import Project
from homeostat.project.window import write_window

ROOT = Path(__file__).parents[1]
START = datetime(2024, 3, 1)
HOURS = 60
METERS = 6
PARAMS = """
project: meters
goal: know the next hour's load
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
    known_at:
      plan: {columns: [meter, at, phase], at: event_time - INTERVAL 1 DAY}
      read: {columns: [load], at: event_time + INTERVAL 10 MINUTE}
    volume: 0.5
events: {source: readings, predict_at: event_time - INTERVAL 1 HOUR, label_horizon: 1h}
features: {history: 1d}
objectives:
  high: {task: binary, label: load > 5, known: read, weight: 2, features: [phase, hour, last_load]}
costs: {alert: 1, capacity: 2}
windows: {warm_up: 1d, train: all, holdout: 12h}
training:
  model: linear
  refit: true
  lightgbm: {trees: 5, leaves: 4, learning_rate: 0.1, min_leaf: 5}
  baseline: {by: [meter]}
evaluation: {slices: [meter], min_slice: 10, resamples: 20, block: 1h, confidence: 0.9}
release: {beats_baseline: 0.01, not_worse: 1, slice_not_worse: 1, calibration: 1}
monitoring: {window: 1d, quality_drop: 1, calibration: 1, roll_back: 1, drift_method: psi, drift_limit: 1,
  drift_share: 1, score_drift: 1, reference_rows: 200, cool_down: 1d}
rhythm: {offset: 0s, tick: 1h, decide: 2h, retrain: 4h}
"""
ROLLOUT = """
rollout: {strategy: at once, steps: [0.3, 0.6], hold: 3h, patience: 12h, events: 6, errors: 0.01, latency: 1,
  score_drift: 2.5}
"""
SQL = """
SELECT e.meter, e.at, min(e.phase) AS phase, min(hour(e.event_time)) AS hour, max_by(r.load, r.event_time) AS last_load
FROM events e
LEFT JOIN readings r ON r.meter = e.meter AND r.read_known_at < e.predict_at
GROUP BY e.meter, e.at
"""
RULE = {
    "type": "expect_column_values_to_be_between",
    "kwargs": {"column": "load", "min_value": 0, "max_value": 100},
    "severity": "warning",
    "meta": {"reason": "Load is in kW."},
}
STEADY = PARAMS.replace("load > 5", "load > 6.5").replace("features: [phase, hour, last_load]", "features: [last_load]")
for _old, _new in {
    "period: 1h": "period: 3h", "late_after: 2h": "late_after: 6h", "warm_up: 1d": "warm_up: 12h",
    "holdout: 12h": "holdout: 9h", "min_slice: 10": "min_slice: 80", "resamples: 20": "resamples: 60",
    "not_worse: 1, slice_not_worse: 1": "not_worse: 0.05, slice_not_worse: 0.5",
    "beats_baseline: 0.01": "beats_baseline: 0.2", "quality_drop: 1": "quality_drop: 0.3",
    "roll_back: 1": "roll_back: 0.05", "cool_down: 1d": "cool_down: 12h",
    "tick: 1h, decide: 2h, retrain: 4h": "tick: 3h, decide: 24h, retrain: 10d",
}.items():  # fmt: skip
    assert _old in STEADY, _old
    STEADY = STEADY.replace(_old, _new)
ANN = {f"GIT_{role}_{what}": "ann@x" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def readings(hours: int = HOURS) -> pl.DataFrame:
    """Loads go up and down by the hour, a meter more than another; every ninth is a surprise."""
    rows = []
    for hour in range(hours):
        for meter in range(METERS):
            n = hour * METERS + meter
            load = 5 + 3 * math.sin((hour + meter) / 4) + (4 if n % 9 == 0 else 0) - (3 if n % 11 == 0 else 0)
            rows.append((f"m{meter}", START + timedelta(hours=hour, minutes=meter), max(load, 0.0), 1 + meter % 3))
    return pl.DataFrame(rows, schema=["meter", "at", "load", "phase"], orient="row")


def steady_readings(hours: int = 72, meters: int = 12) -> pl.DataFrame:
    """Loads go round by the hour, each meter at its own place on the round, so that all hours look alike."""
    rows = []
    for hour in range(hours):
        for meter in range(meters):
            surprise = (hour * 7 + meter * 13) % 11 / 5 - 1
            load = 5 + 3 * math.sin(hour / 4 + 2 * math.pi * meter / meters) + surprise
            rows.append((f"m{meter}", START + timedelta(hours=hour, minutes=meter), round(load, 3), 1 + meter % 3))
    return pl.DataFrame(rows, schema=["meter", "at", "load", "phase"], orient="row")


def write(table: pl.DataFrame, path: Path) -> None:
    """The table as its owner delivers it."""
    table.write_csv(path, datetime_format="%Y-%m-%dT%H:%M:%S")


def make(
    folder: Path, hours: int = 48, own_code: bool = False, params: str = PARAMS, table: pl.DataFrame | None = None,
    severity: str = "warning",
) -> Project:  # fmt: skip
    """The project, committed and ready for ``dvc repro``; with a copy of this package's code, or with the installed."""
    (folder / "data" / "amendments").mkdir(parents=True)
    (folder / "data" / "amendments" / ".gitkeep").touch()
    (folder / "expectations").mkdir()
    suite = {"name": "readings", "expectations": [RULE | {"severity": severity}]}
    (folder / "expectations" / "readings.json").write_text(json.dumps(suite))
    (folder / "params.yaml").write_text(params)
    (folder / "features.sql").write_text(SQL)
    (folder / "requirements.lock").write_text("# none of its own\n")
    shutil.copytree(ROOT / ".dvc", folder / ".dvc", ignore=shutil.ignore_patterns("cache", "tmp", "config.local"))
    for name in (".gitignore", ".dvcignore", "dvc.yaml"):
        shutil.copyfile(ROOT / name, folder / name)
    if own_code:
        shutil.copytree(ROOT / "src" / "homeostat", folder / "src" / "homeostat",
                        ignore=shutil.ignore_patterns("__pycache__"))  # fmt: skip
    write(readings() if table is None else table, folder / "readings.csv")
    project = Project(folder, folder)
    write_window(project, START, START + timedelta(hours=hours))
    (folder / "dvc.yaml").write_text(dvc_yaml.rewritten(folder))
    run(folder, "init", "-q", "-b", "main")
    commit(folder, "start")
    return project


def judged(project: Project) -> Project:
    """The project with every stage before ``pack`` run, in this process."""
    from homeostat.stages import evaluate, featurize, ingest, reference, train, validate

    with contextlib.chdir(project.root):
        for stage in (ingest, validate, featurize, train, evaluate, reference):
            stage.main()
    return project


def run(tree: Path, *args: str) -> str:
    done = subprocess.run(["git", *args], cwd=tree, env=os.environ | ANN, capture_output=True, text=True, check=True)
    return done.stdout.rstrip("\n")


def commit(tree: Path, message: str = "edit") -> str:
    """Commit everything; the id."""
    run(tree, "add", ".")
    run(tree, "commit", "-q", "--allow-empty", "-m", message)
    return git.head(tree)
