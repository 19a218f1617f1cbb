"""Objectives with windows and schedules of their own: one that is not due keeps its models byte for byte."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import hourly
import pytest
import replayed
from registered import pending_at

from homeostat import replay
from homeostat.core.headlines import headline
from homeostat.core.ledger import Register
from homeostat.core.rules import Rule
from homeostat.decisions import history
from homeostat.decisions.carried import carried_over
from homeostat.decisions.session import Session
from homeostat.project.layout import Project
from homeostat.project.window import read_window
from homeostat.releases import diff, verify
from homeostat.releases.registry import Registry
from homeostat.reports.card import Records, model_card
from homeostat.reports.card_page import markdown
from homeostat.training.bundle import Bundle

pytestmark = pytest.mark.slow
END = 36  # hours
LOW = "\n  low: {task: binary, label: load < 3.5, known: read, weight: 1, features: [last_load]}"
OWN = ", train: 10h, retrain: 10d}"
PARAMS = replayed.PARAMS.replace("features: [last_load]}", "features: [last_load]}" + LOW[:-1] + OWN)
assert PARAMS != replayed.PARAMS
FOLDERS = ("models", "judged", "baseline")


def at(hours: int) -> datetime:
    return hourly.START + timedelta(hours=hours)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A day and a half: both objectives at noon, ``high`` alone at midnight and at the next noon."""
    of = hourly.make(tmp_path_factory.mktemp("schedules") / "meters", params=PARAMS, table=hourly.steady_readings())
    project = replay.prepare(of, hourly.START, at(END), "short")
    replay.replay(project, hourly.START, at(END), lambda _: None)
    return project


def files(bundle: Bundle, objective: str) -> dict[str, str]:
    starts = tuple(f"{folder}/{objective}/" for folder in FOLDERS)
    return {name: content for name, content in bundle.manifest["files"].items() if name.startswith(starts)}


def last(project: Project) -> tuple[Register, Bundle, Bundle]:
    """The last release with its bundle, and the first one's."""
    registry = Registry.open(project)
    first, newest = registry.ledger.releases[0], registry.ledger.releases[-1]
    assert first.version != newest.version, "nothing was released after the first"
    return newest, registry.load(newest.version), registry.load(first.version)


def test_an_objective_that_is_not_due_keeps_its_models_byte_for_byte(project: Project) -> None:
    _, bundle, first = last(project)
    assert files(bundle, "low") == files(first, "low") != {}
    ours, theirs = files(bundle, "high"), files(first, "high")
    assert ours.keys() == theirs.keys() and not set(ours.values()) & set(theirs.values())


def test_each_objective_has_its_own_window(project: Project) -> None:
    _, _, first = last(project)
    high, low = (first.training["objectives"][name]["from"] for name in ("high", "low"))
    assert high == hourly.START.isoformat()
    assert low == (at(12) - timedelta(hours=10)).isoformat()


def test_training_manifest_card_and_comparison_say_of_when_each_is(project: Project) -> None:
    release, bundle, first = last(project)
    trained = bundle.training["objectives"]
    assert trained["low"]["as_of"] == at(12).isoformat() and "as_of" not in trained["high"]
    assert trained["low"]["to"] == first.training["objectives"]["low"]["to"] < trained["high"]["to"]
    assert trained["low"]["holdout"]["to"] == trained["high"]["holdout"]["to"]  # it is measured on today's events
    assert set(bundle.manifest["inputs"]) == {"code", "data", "scope", "carried.low"}
    assert set(first.manifest["inputs"]) == {"code", "data", "scope"}
    registry = Registry.open(project)
    page = markdown(model_card(project, Records.read(project, registry.ledger), release, bundle))
    assert "low: made as of 2024-03-01 12:00 and carried over byte for byte" in page
    assert "made as of 2024-03-01T12:00:00 and carried over" in "\n".join(diff.lines(first, bundle, ("v", "w")))


def test_only_what_was_fitted_afresh_is_judged(project: Project) -> None:
    by_time = {decided.at: decided.decision for decided in history.decisions(project)}
    decision = by_time[at(24)]
    assert {f.subject for f in decision.gate if f.rule in (Rule.BEATS_BASELINE, Rule.NOT_WORSE)} == {"high"}
    assert list(decision.facts["carried"]) == ["low"]
    assert "scheduled for high, whose last fit is of 2024-03-01" in headline(decision)
    evaluated = json.loads((project.worktree.evaluation / "evaluation.json").read_text())
    assert set(evaluated["objectives"]) == {"high", "low"}


def test_its_commit_names_what_it_carries_has_nothing_to_do_and_rebuilds(project: Project, tmp_path: Path) -> None:
    release, _, _ = last(project)
    shown = hourly.run(project.home, "show", f"{release.commit}:data/window.yaml")
    assert "\ncarried:  #" in shown and "\n  low: " in shown
    assert read_window(project.worktree).carried == {}  # the next tick's window carries nothing
    assert pending_at(project, release, tmp_path / "as released", at(END)) == []
    assert verify.rebuild(project, Registry.open(project), release, at(END)) == ""


def test_where_the_cache_lacks_the_models_all_are_fitted_afresh(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    session = Session.open(project)
    (content,) = set(carried_over(session, ["low"], "").values())
    assert carried_over(session, [], "") == carried_over(session, ["low"], "other rung") == {}
    of = project.home.parents[2]  # whose cache the replay shares
    part = next((of / ".dvc" / "cache").rglob(content[2:]))
    away = part.rename(part.with_suffix(".away"))
    try:
        assert carried_over(session, ["low"], "") == {}
        assert "all objectives are fitted afresh" in caplog.text
    finally:
        away.rename(part)


@pytest.mark.parametrize(
    ("was", "is_now"), [("train: 10h", "train: 11h"), ("load < 3.5", "load < 3"), ("seed: 1", "seed: 2")]
)
def test_what_would_be_made_otherwise_is_fitted_afresh(was: str, is_now: str, project: Project) -> None:
    session, path = Session.open(project), project.worktree.root / "params.yaml"
    text = path.read_text()
    assert carried_over(session, ["low"], "") != {} and was in text
    path.write_text(text.replace(was, is_now))
    try:
        session.note_tree()
        assert carried_over(session, ["low"], "") == {}
    finally:
        path.write_text(text)


def test_a_schedule_is_no_part_of_a_bundle(project: Project) -> None:
    _, bundle, _ = last(project)
    text = (bundle.folder / "params.yaml").read_text()
    assert "train: 10h" in text and "10d" not in text
