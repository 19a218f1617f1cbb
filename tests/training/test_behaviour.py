"""Behavioural tests: read from files that an expert edits, run on the judged model, and what they do at the gate."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import hourly
import numpy as np
import pytest
from tides import START, judged_tides, tides

from homeostat.adapters import dvc_yaml
from homeostat.checks.learning import learning_curve
from homeostat.core.behaviour import Behaviour, excess
from homeostat.core.errors import ScopeError
from homeostat.core.evidence_table import row
from homeostat.core.release_gate import behaviour_finding, decide_release
from homeostat.core.sentences import sentence
from homeostat.project.layout import Project
from homeostat.training import behaviour
from homeostat.training.evaluate import judge, read_report
from homeostat.training.train import train

ROOT = Path(__file__).parents[2]
AS_OF = START + timedelta(days=40)
TESTS = """
tests:
- name: more wind
  reason: wind drives water into the bay
  objective: flood
  change: {wind: {add: 4}}
  falls_at_most: 0.02
  share: 0.05
- name: less wind, the wrong way round
  reason: to be refused
  objective: flood
  severity: warning
  change: {wind: {times: 0.1}, bay: {to: b1}}
  falls_at_most: 0.02
- name: another bay
  reason: bays are alike
  objective: flood
  change: {bay: {to: b2}}
  moves_at_most: 0.3
- name: a storm, and a calm
  reason: level is two feet and a quarter of the wind
  objective: height
  rows:
  - {wind: 30, moon: 1.0}
  - {wind: 20}
  at_least: 5
"""


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return judged_tides(tmp_path_factory.mktemp("tides"))


def written(project: Project, text: str) -> None:
    project.behaviour.mkdir(parents=True, exist_ok=True)
    (project.behaviour / "water.yaml").write_text(text)


def test_a_project_without_them_has_the_same_evaluation(judged: Project) -> None:
    """And one with them has a section more, and nothing else."""
    path = judged.evaluation / "evaluation.json"
    before = path.read_bytes()
    assert b"behaviour" not in before
    written(judged, TESTS)
    report = judge(judged)
    after = json.loads(path.read_text())
    results = {one.test: one for one in report.behaviour}
    assert read_report(path).behaviour == report.behaviour
    assert len(after.pop("behaviour")) == len(results) == 4
    assert after == json.loads(before)
    assert results["more wind"].holds and results["more wind"].rows > 300
    assert not results["less wind, the wrong way round"].holds
    assert results["less wind, the wrong way round"].worst > 0.1
    bay = results["another bay"]
    assert bay.holds and 0 < bay.rows < results["more wind"].rows, "of rows that are in another bay"
    assert (results["a storm, and a calm"].rows, results["a storm, and a calm"].broken) == (2, 0)


def test_the_baseline_is_not_asked(judged: Project, tmp_path: Path) -> None:
    project = tides(tmp_path / "rates", training__model="heuristic")
    written(project, TESTS)
    train(project)
    assert judge(project).behaviour == ()


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("objective: flood\n  change: {wind: {add: 4}}", "objective: ebb\n  change: {wind: {add: 4}}",
         r"water.yaml:5: names 'ebb'; use one of flood, height, order"),
        ("{wind: {add: 4}}", "{wnd: {add: 4}}", r"water.yaml:6: names 'wnd', which is no feature of flood; use one of"),
        ("{wind: 20}", "{bay: b1}", r"water.yaml:25: names 'bay', which is no feature of height"),
        ("{add: 4}", "{add: 4, times: 2}", r"water.yaml:6: .*needs one of add, times and to; correct it"),
        ("falls_at_most: 0.02\n  share", "falls_at_most: 0.02\n  at_most: 1\n  share", r"needs one of moves_at_most"),
        ("falls_at_most: 0.02\n  share", "at_least: 0.02\n  share", r"water.yaml:7: .*go with change, at_least"),
        ("  rows:\n  - {wind: 30, moon: 1.0}\n  - {wind: 20}\n", "", r"needs either change or rows"),
        ("severity: warning", "severity: mild", r"water.yaml:12: .*'mild' is not one of critical or warning"),
        ("share: 0.05", "shear: 0.05", r"water.yaml:8: .*did you mean share"),
        ("{add: 4}", "{add: much}", r"water.yaml:6: .*number"),
        ("{to: b1}", "{add: 1}", r"does not fit its feature"),
        ("tests:", "- tests:", r"water.yaml:\d+: "),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_file_key_and_fix(judged: Project, old: str, new: str, problem: str) -> None:
    assert TESTS.count(old) == 1
    written(judged, TESTS.replace(old, new))
    with pytest.raises(ScopeError, match=problem) as raised:
        judge(judged)
    assert "\n" not in str(raised.value)


def result(severity: str, broken: int, rows: int = 10) -> Behaviour:
    return Behaviour("more wind", "flood", severity, "it blows", "falls_at_most", 0.1, 0.2, rows, broken, 0.3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "outcome", "action"),
    [
        (result("critical", 2), "pass", "release"),
        (result("critical", 3), "fail", "keep"),
        (result("warning", 3), "explains", "release"),
        (result("critical", 0, 0), "too few to say", "release"),
    ],
)
def test_a_critical_one_that_does_not_hold_stops_the_release(one: Behaviour, outcome: str, action: str) -> None:
    finding = behaviour_finding(one)
    limits = hourly_limits()
    decision = decide_release({}, {}, None, limits, False, 0.9, (), [finding])
    assert (finding.outcome, decision.action) == (outcome, action)
    assert sentence(finding).startswith("more wind: ")
    assert row(finding).what == "flood: behaviour, more wind"


def hourly_limits():  # type: ignore[no-untyped-def]
    from homeostat.project import scope

    return scope.parse(hourly.PARAMS).release


@pytest.mark.parametrize(
    ("expected", "bound", "beyond"),
    [
        ("moves_at_most", 0.1, [0.1, -0.1, 0.3]),
        ("falls_at_most", 0.0, [-0.2, 0.0, 0.4]),
        ("rises_at_most", 0.1, [0.1, -0.1, -0.5]),
        ("at_least", 0.5, [-0.2, 0.0, 0.4]),
        ("at_most", 0.5, [0.2, 0.0, -0.4]),
    ],
)
def test_how_far_a_score_is_beyond_what_is_expected(expected: str, bound: float, beyond: list[float]) -> None:
    score, before = np.array([0.7, 0.5, 0.1]), np.array([0.5, 0.5, 0.5])
    assert excess(expected, bound, score, before).round(6).tolist() == beyond


def test_the_stage_depends_on_them_where_they_are(tmp_path: Path) -> None:
    project = hourly.make(tmp_path / "meters")
    path = project.root / "dvc.yaml"
    assert "expectations/behaviour" not in path.read_text()
    project.behaviour.mkdir()
    with pytest.raises(ScopeError, match="stage evaluate lacks expectations/behaviour; .*make dag"):
        dvc_yaml.check_objectives(project.root)
    path.write_text(dvc_yaml.rewritten(project.root))
    dvc_yaml.check_objectives(project.root)
    assert path.read_text().count("expectations/behaviour") == 1
    project.behaviour.rmdir()
    with pytest.raises(ScopeError, match="stage evaluate names expectations/behaviour"):
        dvc_yaml.check_objectives(project.root)


def test_those_of_this_project_can_be_read() -> None:
    tests = behaviour.read_tests(Project(ROOT, ROOT))
    assert {test.expected for test in tests} == {"moves_at_most", "falls_at_most", "at_least"}


def test_the_learning_curve_says_whether_more_data_would_help(tmp_path: Path) -> None:
    lines = list(learning_curve(tides(tmp_path / "tides", days=30)))
    flood = [line for line in lines if line.startswith("flood")]
    assert [line.split()[1] for line in flood[:4]] == ["12.5", "25", "50", "100"]
    events = [int(line.split()[3].replace(",", "")) for line in flood[:4]]
    assert events == sorted(events) and 6 < events[3] / events[0] < 10, "an eighth, in whole days"
    losses = [float(line.split("log loss ")[1].split()[0]) for line in flood[:4]]
    assert losses[3] < losses[0]
    verdict = flood[4].removeprefix("flood").strip()
    assert verdict.startswith(("more data would help: from half", "more data alone would not help significantly: from"))


def test_without_a_holdout_the_curve_says_so(tmp_path: Path) -> None:
    lines = list(learning_curve(tides(tmp_path / "tides", days=8)))
    assert all("nothing is held out" in line for line in lines)
