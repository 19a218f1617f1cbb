"""Where neither what serves nor the version before it is worth running, the baseline serves again."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import hourly
import pytest

from homeostat import loop, replay
from homeostat.adapters import git
from homeostat.core.authorship import Authorship
from homeostat.core.rules import Reason
from homeostat.faults.bad_release import reseal, turn_models_around
from homeostat.project.layout import Project
from homeostat.releases.registry import Registry

pytestmark = pytest.mark.slow
PARAMS = hourly.STEADY.replace("warm_up: 12h", "warm_up: 30h").replace("cool_down: 12h", "cool_down: 30h")


def at(hours: int) -> datetime:
    return hourly.START + timedelta(hours=hours)


def release_flipped(project: Project, name: str) -> str:
    """Release the model that the loop released with its scores turned around; its version."""
    made = reseal(project, Registry.open(project).load("v0.2.0"), turn_models_around, fault=name)
    return Registry(project).release(git.head(project.worktree.root), made, Authorship("ann", "a slip", at(51))).version


def test_where_no_version_before_is_better_the_baseline_serves_again(tmp_path: Path) -> None:
    of = hourly.make(tmp_path / "meters", params=PARAMS, table=hourly.steady_readings(96))
    project = replay.prepare(of, hourly.START, at(96), "short")
    ticks: list[loop.Tick] = []
    replay.replay(project, hourly.START, at(51), ticks.append)
    assert [release_flipped(project, name) for name in ("once", "twice")] == ["v0.3.0", "v0.4.0"]
    replay.replay(project, hourly.START, at(72), ticks.append)
    told = [(e.action, e.version, e.who) for e in Registry.open(project).ledger.events]
    assert told == [
        ("promote", "v0.1.0", "homeostat"),
        ("promote", "v0.2.0", "homeostat"),
        ("promote", "v0.3.0", "ann"),
        ("promote", "v0.4.0", "ann"),
        ("rollback", "v0.1.0", "homeostat"),
    ]
    decision = ticks[-1].decision
    assert decision is not None and (decision.action, decision.reason) == ("roll back", Reason.PREVIOUS_BETTER)
    assert (decision.versions.champion, decision.versions.previous) == ("v0.4.0", "v0.1.0")
    record = json.loads((project.decisions / f"{at(72):%Y-%m-%dT%H%M%S}.json").read_text())
    assert (record["previous"], record["candidate"]) == ("v0.1.0", None)
