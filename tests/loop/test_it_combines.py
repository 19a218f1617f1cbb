"""One model of all objectives is judged beside those that are apart, and can be released."""

from __future__ import annotations

from datetime import timedelta

import hourly
import pytest
import replayed

from homeostat import loop, replay
from homeostat.core.ladder import rungs_of
from homeostat.decisions import history
from homeostat.decisions.reweigh import release_weights
from homeostat.project.layout import Project
from homeostat.releases.registry import Registry
from homeostat.reports.ladder import ladder_lines

pytestmark = pytest.mark.slow
HOURS = 15
LOW = "\n  low: {task: binary, label: load < 3.5, known: read, weight: 1, features: [last_load, phase]}"
LADDER = """
  ladder:
    every: 96h
    margin: 5
    rungs:
      together: {model: combined, weights: {high: 2, low: 1}}
      apart: {model: lightgbm}"""
PARAMS = replayed.PARAMS.replace("features: [last_load]}", "features: [last_load]}" + LOW)
PARAMS = PARAMS.replace("  baseline: {by: [meter]}", "  baseline: {by: [meter]}" + LADDER)
PARAMS = PARAMS.replace("trees: 5,", "trees: 60,")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    of = hourly.make(tmp_path_factory.mktemp("combined") / "meters", params=PARAMS, table=hourly.steady_readings())
    end = hourly.START + timedelta(hours=HOURS)
    project = replay.prepare(of, hourly.START, end, "short")
    replay.replay(project, hourly.START, end, lambda _: None)
    return project


def test_it_is_judged_beside_the_models_that_are_apart(project: Project) -> None:
    (decided,) = [one for one in history.decisions(project) if one.candidate]
    rungs = {finding.subject: finding for finding in rungs_of(decided.decision)}
    assert {name: one.facts["kind"] for name, one in rungs.items()} == {"together": "combined", "apart": "lightgbm"}
    assert all(one.value is not None and one.facts["cost"] is not None for one in rungs.values())
    lines = "\n".join(ladder_lines(project))
    assert "together" in lines and "apart" in lines


def test_it_serves_by_one_set_of_trees(project: Project) -> None:
    champion = Registry.open(project).load_champion()
    assert champion is not None and champion.bundle.rung == "together"
    high, low = (champion.bundle.folder / "models" / name / "trees.txt" for name in ("high", "low"))
    assert high.read_bytes() == low.read_bytes()
    golden = champion.bundle.golden
    assert not golden["score__high"].equals(golden["score__low"])


def test_weights_of_objectives_are_no_part_of_the_fit(project: Project) -> None:
    """They order alerts, so that other ones are released with the same trees."""
    params = project.root / "params.yaml"
    params.write_text(params.read_text().replace("weight: 2", "weight: 3"))
    hourly.commit(project.root, "a missed high load is dearer")
    with loop.run_context(project.home, hourly.START + timedelta(hours=HOURS)) as (session, now):
        loop.data(session, now)
        decision = release_weights(session, now)
    assert decision is not None and decision.action == "release"
    registry = Registry.open(project)
    before, after = (registry.load(version).manifest["files"] for version in ("v0.1.0", "v0.2.0"))
    assert before["models/high/trees.txt"] == after["models/high/trees.txt"] == after["models/low/trees.txt"]
