"""A small project with a week's worth of records: batches, predictions, releases, decisions, an incident."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from readings import CONTRACT, PARAMS, START, readings, write_contract
from steps import land, missing, validate

from homeostat.adapters import git
from homeostat.core.batch_rules import overdue
from homeostat.core.findings import Decision, Finding, Interval, Trigger, Versions, Versus
from homeostat.core.headlines import headline
from homeostat.core.incidents import Incident
from homeostat.core.ledger import Register, ReleaseEvent, event_tag, release_tag
from homeostat.core.periods import periods_between
from homeostat.core.rules import Reason, Rule
from homeostat.project.layout import Project, stamp
from homeostat.project.window import write_window

HOURS = 24
HELD, GONE = 5, 20  # the hour with a bad value, the hour that never came
HOUR = timedelta(hours=1)
ANN = {f"GIT_{role}_{what}": "ann@x" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def empty(folder: Path, params: str = PARAMS) -> Project:
    """The project as a person has just committed it: nothing has run."""
    folder.mkdir(exist_ok=True)
    (folder / "params.yaml").write_text(params)
    rows = readings(HOURS).filter(pl.col("at").dt.hour() != GONE)
    bad = (pl.col("at").dt.hour() == HELD) & (pl.col("meter") == "m1")
    rows = rows.with_columns(pl.when(bad).then(900.0).otherwise("load").alias("load"))
    rows.write_csv(folder / "readings.csv", datetime_format="%Y-%m-%dT%H:%M:%S")
    (folder / "data").mkdir()
    project = Project(folder, folder)
    write_window(project, START, START)
    write_contract(project, CONTRACT)
    (folder / ".gitignore").write_text(".homeostat\nreports\ndata/predictions\n")
    for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "start"]):
        subprocess.run(["git", *command], cwd=folder, env=os.environ | ANN, check=True)
    return project


def recorded(folder: Path) -> Project:
    """The same after a day of hourly ticks."""
    project = empty(folder)
    ledger = project.worktree
    ledger.root.mkdir(parents=True)
    for name in ("params.yaml", "readings.csv"):
        shutil.copyfile(folder / name, ledger.root / name)
    shutil.copytree(project.contracts, ledger.contracts)
    end = START + HOURS * HOUR
    write_window(ledger, START, end)
    for period in periods_between(START, end, HOUR, timedelta(0)):
        if land(ledger, "readings", period).path is not None:
            validate(ledger, "readings", period.label)
        else:
            missing(ledger, "readings", period)
    _predictions(project)
    _releases(project)
    _decisions(project)
    late = overdue(START + 21 * HOUR, 2 * HOUR, START + 23 * HOUR)
    facts = {"batch": "2024-03-01T20", "status": "missing", "failed": [late.to_dict()]}
    finding = Finding(Rule.BATCH, "readings", "fail", facts=facts)
    incident = Incident(finding, START + 22 * HOUR, START + 22 * HOUR)
    project.incidents.mkdir(parents=True)
    (project.incidents / "0001.json").write_text(json.dumps(incident.to_dict()))
    return project


def _predictions(project: Project) -> None:
    """High loads come true where the hour is late; what serves knows it, the baseline does not."""
    project.predictions.mkdir(parents=True)
    project.worktree.features.mkdir(parents=True)
    for path in sorted((project.worktree.accepted / "readings").glob("*.parquet")):
        rows = pl.read_parquet(path).select("meter", "at", "load").with_columns(pl.col("at").alias("event_time"))
        key, hour = ["meter", "at", "event_time"], pl.col("at").dt.hour()
        label = (pl.col("load") > 15).cast(pl.Float64)
        rows.select(*key, label.alias("label__high"), pl.col("at").alias("known__high")).write_parquet(
            project.worktree.features / path.name
        )
        score = pl.when(pl.col("load") > 13).then(0.8).otherwise(0.2)
        rows.select(
            *key, release=pl.lit("v0.1.0"), alert=pl.col("load") > 13, score__high=score,
            never__high=pl.when(hour >= 12).then(0.6).otherwise(0.4), baseline__high=pl.lit(0.5),
        ).write_parquet(project.predictions / path.name)  # fmt: skip


def _releases(project: Project) -> None:
    commit, home = git.head(project.home), project.home
    for number, (version, action) in enumerate(
        [("v0.1.0", "promote"), ("v0.2.0", "promote"), ("v0.1.0", "rollback")], 1
    ):
        at, why = START + 6 * number * HOUR, f"{action} {version}, said <the loop>"
        if number < 3:
            made = Register(version, commit, "homeostat", why, at, str(number) * 64)
            git.create_tag(home, release_tag("meters", version), commit, made.message(), at)
        event = ReleaseEvent(number, version, action, commit, "homeostat", why, at, version[3] * 64)  # type: ignore[arg-type]
        git.create_tag(home, event_tag("meters", number), commit, event.message(), at)


def _decisions(project: Project) -> None:
    good = Finding(
        Rule.QUALITY, "high", "pass", 0.01, 1.0, rows=80, facts={"loss": "log_loss", "share": -0.4, "promised": -0.41}
    )
    bad = Finding(
        Rule.CALIBRATION, "high", "fail", 0.6, 0.35, Interval(1.3, 1.9, 0.95), rows=80,
        facts={"ratio": 1.6},
    )  # fmt: skip
    drift = "reports/drift/2024-03-01T180000.json"
    both = Versions("v0.1.0", "", "v0.2.0")
    better = Versus("high", "v0.2.0", "v0.1.0", 0.3, 0.31, -0.032, 80, Interval(-0.06, -0.01, 0.95))
    worse = Versus("high", "v0.1.0", "v0.2.0", 0.31, 0.4, -0.225, 80, Interval(-0.4, -0.1, 0.95))
    trigger = Trigger(("high: calibration",))
    quality: dict[str, Any] = {
        "high": {"rows": 80, "metrics": {"log_loss": {"realised": 0.31, "promised": 0.3}}},
        "money": {"cost": {"value": 20.0}, "silence": 80.0, "alerts": 30, "needless": 4, "rows": 80},
    }
    back = Versions("v0.2.0", "v0.1.0")
    decisions = [
        (6, Decision("release", Reason.FIRST, Versions(candidate="v0.1.0")), "", {}, {"bundle": "1"}),
        (12, Decision("retrain", Reason.PASSED, both, (good,), (), (better,)), "v0.1.0", quality, {"bundle": "2"}),
        (18, Decision("roll back", Reason.PREVIOUS_BETTER, back, (bad,), (), (worse,), trigger, (drift,)), "v0.2.0",
         quality, None),
        (24, Decision("nothing", Reason.NOTHING_DUE, Versions("v0.1.0"), (good,)), "v0.1.0", quality, None),
    ]  # fmt: skip
    for hours, decision, release, figures, candidate in decisions:
        at: datetime = START + hours * HOUR
        body = {"at": at.isoformat(), "headline": headline(decision), **decision.to_dict()}
        body |= {"release": release, "quality": figures}
        project.decisions.mkdir(parents=True, exist_ok=True)
        (project.decisions / f"{stamp(at)}.json").write_text(json.dumps(body | {"candidate": candidate}))
