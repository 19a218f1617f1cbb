"""A small project with two releases to make, the second of which weighs its objective more; and asking it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import hourly
from starlette.testclient import TestClient

from homeostat.adapters import git
from homeostat.core.authorship import Authorship
from homeostat.core.ledger import Beside
from homeostat.faults.bad_release import reseal, turn_models_around
from homeostat.project.layout import Project
from homeostat.releases.registry import Registry
from homeostat.serving import jsonl, prediction_log
from homeostat.serving.auth import read_or_make_token
from homeostat.serving.http import application
from homeostat.training import bundle as bundles
from homeostat.training import pack

NOW = hourly.START + timedelta(hours=49)  # what the clock of PARAMS says
# A clock that stands at the next tick, an hour after the end of the window.
PARAMS = hourly.PARAMS.replace("threads: 1\n", 'threads: 1\nclock:\n  start: "2024-03-03T00:00:00"\n') + hourly.ROLLOUT
WEIGHTS = (2, 3)


def make(folder: Path) -> Project:
    """The project with everything run, and a sealed bundle a weight in ``.homeostat/releases``; nothing released."""
    project = hourly.judged(hourly.make(folder, params=PARAMS))
    params = project.root / "params.yaml"
    text = params.read_text()
    for weight in WEIGHTS:
        params.write_text(text.replace("weight: 2", f"weight: {weight}"))
        made = pack.pack(Project(project.root, project.home))
        project.releases.mkdir(parents=True, exist_ok=True)
        shutil.copytree(project.bundle, project.releases / made)
    params.write_text(text)
    return project


def sealed(project: Project) -> list[str]:
    """The hashes of the bundles, by weight."""
    loaded = [bundles.load(folder) for folder in project.releases.iterdir()]
    return [b.hash for b in sorted(loaded, key=lambda b: b.scope.objectives["high"].weight)]


def release(project: Project, number: int, after: int = 0) -> str:
    """Release one of the bundles; its version."""
    commit = git.head(project.root)
    at = NOW + timedelta(hours=after)
    return Registry(project).release(commit, sealed(project)[number], Authorship("ann", "passed", at)).version


def beside(project: Project, bundle: str, share: float | None, after: int = 0) -> str:
    """Try one of the bundles as a canary for a share of the keys, or in shadow; its version."""
    commit, at = git.head(project.root), NOW + timedelta(hours=after)
    act: Beside = "shadow" if share is None else "canary"
    return Registry(project).release(commit, bundle, Authorship("ann", "passed", at), act, share).version


def spoilt(project: Project, spoil: Callable[[Path], None]) -> str:
    """The hash of the second bundle once it is spoilt and sealed again; it passes its rehearsal."""
    return reseal(project, bundles.load(project.releases / sealed(project)[1]), spoil)


def turned(folder: Path) -> None:
    """Scores turned around and nine times as sure, so that a few events show it."""
    turn_models_around(folder)
    path = folder / "models" / "high" / "model.json"
    model = json.loads(path.read_text())
    model["intercept"] *= 9
    for feature in model["features"]:
        feature["weight"], feature["missing"] = 9 * feature["weight"], 9 * feature["missing"]
    path.write_text(json.dumps(model))


def failing(folder: Path) -> None:
    """Features that cannot be computed for the meters m1, m3 and m5 of any hour after the next."""
    path = folder / "features.sql"
    late = f"min(e.event_time) > TIMESTAMP '{NOW + timedelta(hours=2)}' AND min(e.phase) = 2"
    broken = f"CASE WHEN {late} THEN CAST(min(e.meter) AS BIGINT) ELSE min(hour(e.event_time)) END AS hour"
    text = path.read_text()
    assert "min(hour(e.event_time)) AS hour" in text
    path.write_text(text.replace("min(hour(e.event_time)) AS hour", broken))


def asking(project: Project, **settings: Any) -> TestClient:
    """The service in this process, asked with its token."""
    headers = {"authorization": f"Bearer {read_or_make_token(project)}"}
    return TestClient(application(project, **settings), headers=headers)


def logged(project: Project) -> list[dict[str, Any]]:
    """The predictions of the log, each once, in the order of the files."""
    lines: dict[str, dict[str, Any]] = {}
    for path in prediction_log.log_files(project):
        for line in jsonl.read(path):
            if "id" in line:
                lines.setdefault(line["id"], line)
    return list(lines.values())


def event(hour: float = 49, meter: int = 0, **more: Any) -> dict[str, Any]:
    """An event of the small project as a request gives it, ``hour`` hours after the start."""
    at = hourly.START + timedelta(hours=hour, minutes=meter)
    return {"meter": f"m{meter}", "at": at.isoformat(), "phase": 1 + meter % 3} | more
