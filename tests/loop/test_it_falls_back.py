"""Where neither what serves nor the version before it is worth running, the baseline serves until a model earns it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import NamedTuple

import hourly
import pytest

from homeostat import loop, replay
from homeostat.adapters import git
from homeostat.core.authorship import Authorship
from homeostat.core.headlines import headline
from homeostat.core.rules import Reason, Rule
from homeostat.decisions import history
from homeostat.faults.bad_release import reseal, turn_models_around
from homeostat.project.layout import Project
from homeostat.releases.registry import Registry
from homeostat.reports.releases import whole_decision
from homeostat.training import bundle as bundles

pytestmark = pytest.mark.slow
PARAMS = hourly.STEADY.replace("warm_up: 12h", "warm_up: 30h").replace("cool_down: 12h", "cool_down: 30h")


class Fallen(NamedTuple):
    """The project when it has fallen back, and its ticks so far."""

    project: Project
    ticks: list[loop.Tick]


def at(hours: int) -> datetime:
    return hourly.START + timedelta(hours=hours)


def release_flipped(project: Project, name: str) -> str:
    """Release the model that the loop released with its scores turned around; its version."""
    made = reseal(project, Registry.open(project).load("v0.2.0"), turn_models_around, fault=name)
    return Registry(project).release(git.head(project.worktree.root), made, Authorship("ann", "a slip", at(51))).version


def events(project: Project) -> list[tuple[str, str, str]]:
    return [(e.action, e.version, e.who) for e in Registry.open(project).ledger.events]


@pytest.fixture(scope="module")
def fallen(tmp_path_factory: pytest.TempPathFactory) -> Fallen:
    folder = tmp_path_factory.mktemp("fallen") / "meters"
    of = hourly.make(folder, params=PARAMS, table=hourly.steady_readings(126))
    project = replay.prepare(of, hourly.START, at(126), "short")
    ticks: list[loop.Tick] = []
    replay.replay(project, hourly.START, at(51), ticks.append)
    assert [release_flipped(project, name) for name in ("once", "twice")] == ["v0.3.0", "v0.4.0"]
    replay.replay(project, hourly.START, at(72), ticks.append)
    return Fallen(project, ticks)


def test_where_nothing_helps_the_baseline_serves_and_a_person_is_paged(fallen: Fallen) -> None:
    project, ticks = fallen
    registry = Registry.open(project)
    assert events(project)[2:] == [
        ("promote", "v0.3.0", "ann"), ("promote", "v0.4.0", "ann"), ("rollback", "v0.5.0", "homeostat"),
    ]  # fmt: skip
    assert bundles.is_baseline(registry.load("v0.5.0").training)
    assert registry.ledger.state("v0.4.0") == "rolled back"
    decision = ticks[-1].decision
    assert decision is not None and (decision.action, decision.reason) == ("fall back", Reason.WORSE_THAN_BASELINE)
    assert headline(decision).startswith("Fall back: the baseline v0.5.0 replaces v0.4.0, which loses to it (high +")
    opened = [i.finding.rule for i in history.incidents(project) if i.opened == at(72)]
    assert opened == [Rule.FALLBACK]  # one problem, one page


def test_the_decision_shows_the_expected_money_of_each_action(fallen: Fallen) -> None:
    project, ticks = fallen
    decision = ticks[-1].decision
    assert decision is not None
    keep, back, baseline = decision.options
    assert [o.action for o in decision.options] == ["nothing", "roll back", "fall back"]
    assert len({o.rows for o in decision.options}) == 1 and keep.rows >= 80
    assert keep.cost is not None and back.cost == keep.cost and back.share == 0.0  # flipped alike
    assert baseline.cost is not None and baseline.share is not None
    assert baseline.share == pytest.approx(baseline.cost / keep.cost - 1) and baseline.share < 0
    record = history.read_decision(project.decisions / f"{at(72):%Y-%m-%dT%H%M%S}.json")
    assert record.decision.options == decision.options
    lines = [line for line in whole_decision(record) if line.startswith("cost of 1,000 events, ")]
    assert [line.split(", ")[1].split(":")[0] for line in lines] == ["keep", "roll back", "fall back"]
    assert lines[2].endswith("taken") and "not significantly lower" in lines[1]


def test_a_model_that_passes_after_the_cool_down_ends_it(fallen: Fallen) -> None:
    project, ticks = fallen
    replay.replay(project, hourly.START, at(123), ticks.append)
    decisions = [t.decision for t in ticks if t.decision is not None and t.now > at(72)]
    waits, returns = decisions
    assert waits.action == "nothing"  # the cool-down is not over
    assert (returns.action, returns.trigger.due and returns.trigger.due.kind) == ("retrain", "fallback")
    assert "the baseline serves since 2024-03-04" in headline(returns)
    assert events(project)[-1] == ("promote", "v0.6.0", "homeostat")
    record = json.loads((project.decisions / f"{at(120):%Y-%m-%dT%H%M%S}.json").read_text())
    (fallback,) = [f for f in record["findings"] if f["rule"] == "fallback"]
    assert fallback["outcome"] == "pass"
