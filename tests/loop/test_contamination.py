"""After a bad release was rolled back, what it predicted trains nothing, where predictions change labels."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import hourly
import pytest
from click.testing import CliRunner

from homeostat import loop, replay
from homeostat.adapters import git
from homeostat.cli import main
from homeostat.core.authorship import Authorship
from homeostat.data.contamination import read_marks
from homeostat.faults.bad_release import reseal, turn_models_around
from homeostat.features.tables import read_features
from homeostat.project.layout import Project
from homeostat.project.window import read_window
from homeostat.releases.registry import Registry

pytestmark = pytest.mark.slow
ACTED_ON = hourly.STEADY.replace("label_horizon: 1h", "label_horizon: 1h, acted_on: true")
FLIPPED, BACK, LAST = 51, 72, 75  # hours
METERS = 12


def at(hours: int) -> datetime:
    return hourly.START + timedelta(hours=hours)


def trained(project: Project, hours: int) -> dict:
    """What a candidate of that time says of its training; and its bundle holds it."""
    with loop.run_context(project.home, at(hours)) as (session, now):
        loop.data(session, now)
        loop.retrain(session, now, "to see what it learns from")
        session.complete(now)
    return json.loads((project.worktree.candidate / "training.json").read_text())


def test_what_a_bad_release_predicted_trains_nothing_until_a_person_says_so(tmp_path: Path) -> None:
    of = hourly.make(tmp_path / "meters", params=ACTED_ON, table=hourly.steady_readings(96))
    project = replay.prepare(of, hourly.START, at(96), "short")
    replay.replay(project, hourly.START, at(FLIPPED), lambda tick: None)
    registry = Registry.open(project)
    good = registry.ledger.champion
    assert good is not None
    made = reseal(project, registry.load(good.version), turn_models_around, fault="a slip")
    by = Authorship("ann", "a slip", at(FLIPPED))
    bad = registry.release(git.head(project.worktree.root), made, by).version
    replay.replay(project, hourly.START, at(LAST), lambda tick: None)
    event = Registry.open(project).ledger.champion
    assert event is not None and (event.action, event.version) == ("rollback", good.version)

    (mark,) = read_marks(project.worktree)
    assert (mark.version, mark.span, mark.who) == (bad, (at(FLIPPED), event.at), "homeostat")
    assert mark.why == event.why
    training = trained(project, LAST + 3)
    assert training["left_out"] == [[time.isoformat() for time in mark.span]]
    table = read_features(project.worktree)
    inside = table.filter(table["predict_at"].is_between(*mark.span, closed="left"))
    mature = table.filter((table["known__high"] < at(LAST + 3)) & (table["event_time"] <= at(LAST + 2)))
    assert inside.height == METERS * (BACK - FLIPPED)
    assert training["objectives"]["high"]["rows"] == mature.height - inside.height

    typed = CliRunner().invoke(main, ["-C", str(project.home), "data", "review"])
    assert f"mark 1: predicted by {bad}" in typed.output and "homeostat data clear 1 --why TEXT" in typed.output
    clear = ["-C", str(project.home), "data", "clear", "1", "--why", "nobody acted on those", "--who", "Ann"]
    typed = CliRunner().invoke(main, clear)
    assert "the next candidate trains on its events again" in typed.output, typed.output
    assert "nothing to do" in CliRunner().invoke(main, clear).output
    assert "left_out" not in trained(project, LAST + 6)
    assert read_window(project.worktree).left_out == ()
