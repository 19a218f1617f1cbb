"""What changed between two scopes, in sentences, with the gates; and how the release in service stands at them."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import hourly
import pytest
from click.testing import CliRunner
from recorded import recorded

from homeostat.checks.scope_diff import _entries, scope_changes
from homeostat.cli import main
from homeostat.core.gate_entries import GATES, entry_of, gates_of
from homeostat.core.rules import Rule
from homeostat.project import scope as scopes
from homeostat.project.layout import Project
from homeostat.reports.gates import gate_lines

ROOT = Path(__file__).parents[2]
CASES = [
    ("beats_baseline: 0.01", "beats_baseline: 0.05",
     "release.beats_baseline is 0.05; it was 0.01; gates: beats baseline"),
    ("weight: 2", "weight: 3",
     "objectives.high.weight is 3; it was 2; gates: cost at these weights, better than champion"),
    ("[phase, hour, last_load]", "[phase, last_load, at]",
     "objectives.high.features gains at and loses hour; gates: better than champion, enough rows"),
    ("[phase, hour, last_load]", "[hour, phase, last_load]",
     "objectives.high.features is in another order; gates: "),
    ("seed: 1\n", "seed: 1\nalerts: {escalate_after: 1d}\n",
     "alerts.escalate_after is 1d; it was 3d; no gate: it says when"),
    ("    volume: 0.5\n", "", "sources.readings.volume is gone; it was 0.5; gates: volume"),
    ("seed: 1\n", "seed: 1\nalarms: {false_pages: 1, in: 90d}\n", "alarms.false_pages is new: 1; gates: change"),
    ("seed: 1\n", "# why: none\nseed: 1\n", "nothing changed but comments"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "line"), CASES, ids=lambda value: value[:24])
def test_a_change_is_a_sentence_with_its_gates(old: str, new: str, line: str) -> None:
    assert old in hourly.PARAMS
    before, now = (scopes.parse(text) for text in (hourly.PARAMS, hourly.PARAMS.replace(old, new)))
    assert any(one.removeprefix("- ").startswith(line) for one in scope_changes(before, now))
    assert list(scope_changes(before, before)) == ["nothing changed but comments"]


def test_the_last_line_counts_each_gate_once() -> None:
    edited = hourly.PARAMS.replace("beats_baseline: 0.01", "beats_baseline: 0.05").replace("by: [meter]", "by: [phase]")
    *_, last = scope_changes(scopes.parse(hourly.PARAMS), scopes.parse(edited))
    assert last == "2 gates to look at again: beats baseline, against the baseline"


def test_no_pattern_is_dead_and_every_limit_has_a_gate() -> None:
    scope = scopes.read(ROOT / "params.yaml")
    entries = [name for name, _ in _entries("", scope.model_dump(mode="json"))] + [
        "release.margin.late", "release.slice_floor", "release.slice_gap", "release.budget.megabytes",
        "costs.abstain.below", "events.filters", "business.source", "training.ladder.every", "evaluation.fairness",
        "release.fairness.parity", "release.fairness.odds",
        "learn.max_move",
    ]  # fmt: skip
    assert [p for p in GATES if not any(fnmatchcase(entry, p) for entry in entries)] == []
    limits = [e for e in entries if e.startswith(("release.", "monitoring.")) and not gates_of(e)]
    assert limits == ["monitoring.roll_back", "monitoring.cool_down", "monitoring.retrain_budget"]
    assert entry_of(Rule.SLICES) == "release.slice_not_worse"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return recorded(tmp_path_factory.mktemp("diff") / "meters")


def test_the_page_has_the_gates_of_the_release_in_service(project: Project) -> None:
    lines = list(gate_lines(project))
    assert lines[-2].startswith("The last decision about it, 2024-03-02 00:00")
    assert lines[-1] == "- pass: high: quality: +1 %, limit +100 %; monitoring.quality_drop"
    shown = CliRunner().invoke(main, ["check", "scope", "-C", str(project.home)]).output
    assert "GATES, AND THE RELEASE IN SERVICE" in shown
    assert shown.index("GATES, AND") < shown.index("PROBLEMS")


def test_since_a_commit(project: Project) -> None:
    path = project.home / "params.yaml"
    text = path.read_text()
    path.write_text(text.replace("seed: ", "seed: 9"))
    run = CliRunner().invoke(main, ["check", "scope", "--since", "HEAD", "-C", str(project.home)])
    assert run.exit_code == 0 and run.output.startswith("- seed is 9")
    path.write_text(text)
    for stray in ("nowhere", "--output=x", "HEAD~9"):
        run = CliRunner().invoke(main, ["check", "scope", "--since", stray, "-C", str(project.home)])
        assert run.exit_code == 2 and "no commit here that has a params.yaml" in run.stderr
    assert not list(project.home.glob("x*"))
