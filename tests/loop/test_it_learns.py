"""Between full retrains the loop continues the champion's models, releases what passes, and can rebuild each of it."""

from __future__ import annotations

import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import hourly
import pytest

from homeostat import loop, replay
from homeostat.adapters import dvc, dvc_yaml, git
from homeostat.core.authorship import Authorship
from homeostat.core.ledger import Register
from homeostat.core.rules import Reason, Rule
from homeostat.decisions.evidence import previous_version
from homeostat.decisions.history import decision_of
from homeostat.decisions.session import Session
from homeostat.project.layout import Project
from homeostat.project.window import read_window
from homeostat.releases import verify
from homeostat.releases.registry import Registry
from homeostat.reports import releases, status

pytestmark = pytest.mark.slow
END = 30  # hours; the first model is released at 24
PARAMS = hourly.STEADY + "learn: {every: 3h, rows: 300, trees: 2, max_move: 0.1}\n"
for _old, _new in {"model: linear": "model: lightgbm", "trees: 5, leaves: 4": "trees: 40, leaves: 4"}.items():
    assert _old in PARAMS, _old
    PARAMS = PARAMS.replace(_old, _new)


def at(hours: int) -> datetime:
    return hourly.START + timedelta(hours=hours)


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, list[loop.Tick]]:
    folder = tmp_path_factory.mktemp("learned") / "meters"
    of = hourly.make(folder, params=PARAMS, table=hourly.steady_readings())
    project = replay.prepare(of, hourly.START, at(END), "short")
    ticks: list[loop.Tick] = []
    replay.replay(project, hourly.START, at(END), ticks.append)
    return project, ticks


Learned = tuple[Project, list[loop.Tick]]


def release(project: Project, version: str) -> Register:
    return Registry.open(project).registered(version)


def test_the_champion_is_continued_between_full_retrains(learned: Learned) -> None:
    project, ticks = learned
    ledger = Registry.open(project).ledger
    assert [one.version for one in ledger.releases] == ["v0.1.0", "v0.1.1", "v0.1.2"]
    assert [tick.now for tick in ticks if tick.learned is not None] == [at(27), at(30)]
    assert ledger.champion is not None and ledger.champion.version == "v0.1.2"
    decided = decision_of(project, ledger.releases[-1])
    assert decided is not None and decided.path.parent == project.learning
    assert decided.headline.startswith("Release: v0.1.2 continues v0.1.1 (loss: high ")
    moved = [f for f in decided.decision.gate if f.rule == Rule.MOVE]
    assert [f.outcome for f in moved] == ["pass"] and 0 < (moved[0].value or 0.0) < 0.1


def test_trees_are_added_to_both_models_and_those_before_stay(learned: Learned) -> None:
    registry = Registry.open(learned[0])
    first, second = registry.load("v0.1.0"), registry.load("v0.1.1")
    for kind in ("models", "judged"):
        before, after = (getattr(bundle, kind)["high"].booster for bundle in (first, second))
        assert (before.num_trees(), after.num_trees()) == (40, 42)
    assert second.training["learn"] == {"how": "continue", "rows": 300, "trees": 2}
    high = second.training["objectives"]["high"]
    assert high["continued_on"]["rows"] == 300 and high["continued_on"]["to"] == high["to"] <= at(26).isoformat()


def test_the_parent_is_an_input_by_content(learned: Learned, tmp_path: Path) -> None:
    project, _ = learned
    made, parent = release(project, "v0.1.2"), release(project, "v0.1.1")
    assert Registry.open(project).load("v0.1.2").manifest["inputs"]["parent"] == parent.bundle
    assert "parent" not in Registry.open(project).load("v0.1.0").manifest["inputs"]
    tree = tmp_path / "as released"
    git.add_worktree(project.home, tree, made.commit, at(END))
    assert read_window(Project(tree, tree)).parent == parent.bundle
    dvc.share_cache(tree, project.home)
    dvc.checkout(tree)
    assert dvc.pending(tree) == []
    assert "learn" in (tree / "dvc.yaml").read_text() and dvc_yaml.rewritten(tree) == (tree / "dvc.yaml").read_text()
    assert read_window(project.worktree).parent == ""  # the next tick's window continues nothing


def test_what_was_served_is_judged_once_beside_the_full_retrain_alone(learned: Learned) -> None:
    project, _ = learned
    records = [json.loads(path.read_text()) for path in sorted(project.learning.glob("*.json"))]
    served = [record["served"]["high"] for record in records]
    assert [one["rows"] for one in served] == [13, 36]  # nothing served before 24; three hours of twelve meters
    assert served[0]["loss"] == pytest.approx(served[0]["full"], abs=0.5) and served[1]["metric"] == "log_loss"
    assert served[1]["loss"] != served[1]["full"]  # which the continuation of 27 has served


def test_a_line_is_listed_as_one_and_on_request_each_of_it(learned: Learned) -> None:
    project, _ = learned
    ledger = Registry.open(project).ledger
    listed = [*releases.table(project, ledger)]
    assert [line.split()[:3] for line in listed[1:]] == [["v0.1.0", "2024-03-02", "00:00"], ["v0.1.1", "to", "2"]]
    assert "v0.1.2 in service" in listed[2] and "2 continuations" in listed[2]
    assert "high prequential log loss" in listed[2] and "beside the full retrain alone" in listed[2]
    every = [*releases.table(project, ledger, every=True)]
    assert [line.split()[0] for line in every[1:]] == ["v0.1.0", "v0.1.1", "v0.1.2"]
    assert len([*releases.history(ledger, every=True)]) == 3 and len([*releases.history(ledger)]) == 2
    screen = status.text(status.read(project), width=100)
    assert "learning   continues v0.1.0; high prequential log loss" in screen


def test_a_rebuild_goes_back_to_the_full_retrain(learned: Learned) -> None:
    project, _ = learned
    registry = Registry.open(project)
    made = registry.registered("v0.1.1")
    assert [one.version for one in verify.lineage(project, registry, made)] == ["v0.1.0", "v0.1.1"]
    assert verify.verify(project, registry, made).sentence == "serves; rebuildable"
    assert verify.rebuild(project, registry, made, at(END)) == ""


def test_without_its_parent_a_continuation_is_not_rebuildable(learned: Learned, tmp_path: Path) -> None:
    project = learned[0]
    lost = tmp_path / "lost"
    shutil.copytree(project.home, lost, symlinks=True)
    hourly.run(lost, "tag", "-d", "meters@v0.1.1", "meters#prod#2")
    registry = Registry.open(Project(lost, lost))
    checked = verify.verify(Project(lost, lost), registry, registry.registered("v0.1.2"))
    assert checked.serves == "" and "is no release here" in checked.rebuildable


def test_back_to_the_full_retrain_and_no_continuation_until_the_cool_down_is_over(learned: Learned) -> None:
    project, _ = learned
    registry = Registry.open(project)
    assert previous_version(registry) == "v0.1.0"  # v0.1.1 has learned from much the same events
    limit = (project.home / "params.yaml").read_text().replace("max_move: 0.1", "max_move: 0.0001")
    (project.home / "params.yaml").write_text(limit)
    hourly.commit(project.home, "a narrower guard rail")
    with loop.run_context(project.home, at(33)) as (session, now):
        stopped = loop.tick(session, now)
    assert stopped.learned is not None
    assert (stopped.learned.action, stopped.learned.reason) == ("keep", Reason.CONTINUED)
    assert [f.name for f in stopped.learned.gate if f.failed] == ["high: move of scores"]
    assert [incident.problem for incident in stopped.opened] == ["high: move of scores"]
    Registry(project).rollback(Authorship("ann", "odd alerts", at(33)), "v0.1.1")  # any version, in between too
    with loop.run_context(project.home, at(36)) as (session, now):
        rests = loop.tick(session, now)
    assert rests.learned is None
    assert Session.open(project).registry.ledger.champion.version == "v0.1.1"  # type: ignore[union-attr]
