"""The loop judges a ladder of recipes alike, releases the simplest that is good enough, and steps down again."""

from __future__ import annotations

import json
import math
from datetime import datetime, timedelta

import hourly
import polars as pl
import pytest
import replayed

from homeostat import loop, replay
from homeostat.adapters import dvc_yaml
from homeostat.core.ladder import rungs_of
from homeostat.core.release_gate import MONEY
from homeostat.decisions import history
from homeostat.project.layout import Project
from homeostat.project.window import read_window
from homeostat.releases import diff
from homeostat.releases.registry import Registry
from homeostat.reports.ladder import ladder_lines

pytestmark = pytest.mark.slow
TURN, END = 72, 126  # hours
LADDER = """
  ladder:
    every: 96h
    margin: 0.05
    rungs:
      desk: {model: heuristic, rule: {sql: "CASE WHEN phase = 1 THEN 0.5 ELSE 0.1 END"}}
      plain: {model: linear, features: {high: [phase]}}
      rich: {model: linear}
      trees: {model: lightgbm}"""
PARAMS = hourly.STEADY
for _old, _new in {
    "  baseline: {by: [meter]}": "  baseline: {by: []}" + LADDER, "train: all": "train: 30h",
    "retrain: 10d": "retrain: 24h", "beats_baseline: 0.2": "beats_baseline: 0.05", "cool_down: 12h": "cool_down: 24h",
}.items():  # fmt: skip
    assert _old in PARAMS, _old
    PARAMS = PARAMS.replace(_old, _new)


def at(hours: int) -> datetime:
    return hourly.START + timedelta(hours=hours)


def readings(hours: int = END, meters: int = 12) -> pl.DataFrame:
    """Loads follow their own past until ``TURN``, and from then on the phase of the meter alone."""
    rows = []
    for hour in range(hours):
        for meter in range(meters):
            surprise = (hour * 7 + meter * 13) % 11 / 5 - 1
            load = 5 + 3 * math.sin(hour / 4 + 2 * math.pi * meter / meters) + surprise
            if hour >= TURN:
                load = 9.0 if (meter % 3 == 0) != ((hour * 5 + meter * 7) % 9 == 0) else 2.0
            rows.append((f"m{meter}", at(hour) + timedelta(minutes=meter), round(load, 3), 1 + meter % 3))
    return pl.DataFrame(rows, schema=["meter", "at", "load", "phase"], orient="row")


@pytest.fixture(scope="module")
def climbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, list[loop.Tick]]:
    of = hourly.make(tmp_path_factory.mktemp("climbed") / "meters", params=PARAMS, table=readings())
    project = replay.prepare(of, hourly.START, at(END), "short")
    ticks: list[loop.Tick] = []
    replay.replay(project, hourly.START, at(END), ticks.append)
    return project, ticks


Climbed = tuple[Project, list[loop.Tick]]


def test_rules_and_features_of_rungs_are_made_with_the_others(climbed: Climbed) -> None:
    tree = climbed[0].worktree
    table = pl.read_parquet(next(iter(tree.features.glob("*.parquet"))))
    assert {"phase", "last_load", "given__sql__desk"} <= set(table.columns)
    assert dvc_yaml.LADDER in dvc_yaml.rewritten(tree.root)


def test_the_simplest_good_enough_is_released_and_the_loop_steps_down(climbed: Climbed) -> None:
    registry = Registry.open(climbed[0])
    served = [(event.at, registry.load(event.version).rung) for event in registry.ledger.events]
    assert (served[0], served[-1]) == ((at(24), "rich"), (at(120), "plain"))
    assert {rung for _, rung in served[:-1]} == {"rich"}  # candidates in between are of the champion's rung


def test_a_step_down_need_not_be_better_and_a_step_up_must(climbed: Climbed) -> None:
    by_time = {decided.at: decided.decision for decided in history.decisions(climbed[0])}
    assert by_time[at(120)].trigger.due is not None and by_time[at(120)].trigger.due.kind == "ladder"
    assert not [f for f in by_time[at(120)].gate if f.facts.get("loss") == MONEY]
    limits = {f.limit for f in by_time[at(120)].gate if f.name == "high: not worse than champion"}
    assert limits == {0.05}  # the ladder's margin: the gate's own is as wide
    climbs = [time for time, decision in by_time.items() if rungs_of(decision)]
    assert climbs == [at(24), at(120)]  # on its own schedule alone


def test_the_ladder_is_told_with_what_complexity_buys(climbed: Climbed) -> None:
    lines = list(ladder_lines(climbed[0]))
    assert lines[0].startswith("judged 2024-03-06 00:00 UTC") and "margin 5 %" in lines[0]
    assert [line.split()[0] for line in lines[1:5]] == ["desk", "plain", "rich", "trees"]
    assert "which makes the candidate" in lines[2] and "the cost of desk" in lines[2]
    assert lines[5].split()[-1] == "plain"


def test_a_release_is_made_by_its_rung_and_says_so(climbed: Climbed) -> None:
    project, _ = climbed
    registry = Registry.open(project)
    champion = registry.load_champion()
    assert champion is not None
    bundle, first = champion.bundle, registry.load("v0.1.0")
    assert bundle.models["high"].features == ("phase",)
    assert bundle.recipe.objectives["high"].features == ("phase",)
    assert bundle.scope.objectives["high"].features == ("last_load",)
    shown = hourly.run(project.home, "show", f"{champion.event.commit}:data/window.yaml")
    assert "\nrung: plain  # " in shown
    assert read_window(project.worktree).rung == ""  # the next tick's window is of no rung
    text = "\n".join(diff.lines(first, bundle, ("v0.1.0", "new")))
    assert "linear (rung rich)" in text and "features of new alone: phase" in text
    assert json.loads((bundle.folder / "training.json").read_text())["rung"] == "plain"


def test_two_replays_with_a_ladder_are_the_same(climbed: Climbed, tmp_path_factory: pytest.TempPathFactory) -> None:
    of = hourly.make(tmp_path_factory.mktemp("again") / "meters", params=PARAMS, table=readings())
    again = replay.prepare(of, hourly.START, at(30), "short")
    replay.replay(again, hourly.START, at(30), lambda _: None)
    tags = hourly.run(again.home, "show-ref", "--tags").splitlines()
    assert tags and set(tags) <= set(replayed.outcome(climbed[0]).refs)
