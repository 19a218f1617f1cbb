"""``homeostat check scope``: the scope in sentences, and what in it could not work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from readings import PARAMS, write_contract
from recorded import recorded

from homeostat.checks.scope_page import Page, scope_page
from homeostat.checks.worktree_view import worktree_view
from homeostat.project.layout import Project
from homeostat.project.window import read_window

ROOT = Path(__file__).parents[2]


def page(folder: Path, params: str = PARAMS, sql: str | None = None) -> Page:
    (folder / "params.yaml").write_text(params)
    if sql is not None:
        (folder / "features.sql").write_text(sql)
    return scope_page(Project(folder, folder))


def flat(page: Page) -> str:
    """The page as one line: where it breaks lines says nothing."""
    return " ".join(page.text.split())


def test_a_domain_expert_reads_sentences(tmp_path: Path) -> None:
    text = flat(page(tmp_path))
    for sentence in (
        "THE SCOPE OF meters",
        "know tomorrow's load",
        "Every row of readings is an event. A prediction for it is needed at: event_time.",
        "high: yes or no, whether load > 5; known when column group all is; no features yet; a missed event costs 1.",
        "one batch every 1 hour, from readings.csv; a row is named by meter, at.",
        "At most 1 alert per period of readings, for the riskiest events.",
        "The baseline to beat is the label's rate by meter.",
        "A fresh candidate every 4 hours at the latest.",
        "Scheduled work runs the code of the git branch main.",
        "PROBLEMS None found.",
    ):
        assert sentence in text


def test_what_waits_for_a_person_is_said_with_what_is_done_if_nobody_answers(tmp_path: Path) -> None:
    assert "WAITS FOR A PERSON" not in page(tmp_path).text
    waits = "approval: {actions: [recalibrate, roll back], above: 0.02, within: 9h, by: [ann, ben]}\n"
    text = flat(page(tmp_path, PARAMS + waits))
    assert (
        "These wait for approval for 9 hours, where they may cost more than 2 % above the champion: - recalibrate; if "
        "nobody answers, the release in service stays; - roll back; if nobody answers, it is done. ann or ben may "
        "answer."
    ) in text


def test_no_line_is_wider_than_a_screen(tmp_path: Path) -> None:
    assert max(map(len, page(tmp_path).text.splitlines())) <= 100


def test_a_source_without_a_contract_is_noted_and_is_no_problem(tmp_path: Path) -> None:
    found = page(tmp_path)
    assert "It has no contract: only schema, keys, size and time are checked (expectations/readings.json)." in flat(
        found
    )
    assert found.problems == ()


def test_the_reasons_of_a_contract_are_on_the_page(tmp_path: Path) -> None:
    rule = ("expect_column_values_to_be_between", {"column": "load", "min_value": 0}, "critical", "Load is in kW.")
    write_contract(Project(tmp_path, tmp_path), [rule])
    text = flat(page(tmp_path))
    assert "Its contract has 1 critical, 0 warning, 0 info: critical: Load is in kW." in text


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("time: '\"at\"'", "time: '\"when\"'", "params.yaml: sources.readings.time: "),
        ("at: event_time}}", "at: event_tme}}", "params.yaml: sources.readings.known_at.all.at: "),
        ("predict_at: event_time", "predict_at: event_time - 2 HOURS AGO", "params.yaml: events.predict_at: "),
        ("label: load > 5", "label: loud > 5", "params.yaml: objectives.high.label: "),
        ("label: load > 5", "label: load > 5, where: lod IS NULL", "params.yaml: objectives.high.where: "),
        ("label: load > 5", "label: random() > 0.5", "params.yaml: objectives.high.label: "),
        ("label: load > 5", "label: avg(load) > 5", "params.yaml: objectives.high.label: "),
        ("baseline: {by: [meter]}", "baseline: {sql: lod / 10}", "params.yaml: training.baseline.sql: "),
        ("features: []", "features: [hour]", "features.sql: not there, but objectives name features; write it"),
    ],
)
def test_an_expression_that_cannot_work_is_named(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert PARAMS.count(old) == 1
    found = page(tmp_path, PARAMS.replace(old, new))
    assert len(found.problems) == 1, found.problems
    assert found.problems[0].startswith(problem)
    assert "\n" not in found.problems[0]
    assert " ".join(found.problems[0].split()) in flat(found)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT e.meter, e.at, e.load FROM events e", ""),
        ("SELECT e.meter, e.at FROM events e", "load"),
        ("SELECT e.meter, e.at, e.lod AS load FROM events e", "lod"),
        ("SELECT e.meter, e.at FROM readings e JOIN", "features.sql"),
        ("SELECT e.meter, e.at, random() AS load FROM events e", "random"),
    ],
)
def test_features_sql_is_tried(tmp_path: Path, sql: str, said: str) -> None:
    found = page(tmp_path, PARAMS.replace("features: []", "features: [load]"), sql)
    assert bool(found.problems) == bool(said)
    assert all(said in problem for problem in found.problems)


def test_a_contract_that_cannot_be_held_to_is_a_problem(tmp_path: Path) -> None:
    folder = tmp_path / "expectations"
    folder.mkdir()
    rule = {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "load", "max_value": 9}}
    aggregate = {**rule, "severity": "warning", "meta": {"reason": "Load is small."}}
    (folder / "readings.json").write_text(json.dumps({"name": "readings", "expectations": [aggregate]}))
    (folder / "stray.json").write_text("{}")
    first, second = page(tmp_path).problems
    assert "a warning on an aggregate names no rows" in first
    assert "no source is called stray" in second


def test_a_label_that_is_known_before_it_is_predicted_is_a_problem(tmp_path: Path) -> None:
    project = worktree_view(recorded(tmp_path / "meters"))
    assert scope_page(project).problems == ()
    late = PARAMS.replace("predict_at: event_time", "predict_at: event_time + INTERVAL 1 HOUR")
    (project.root / "params.yaml").write_text(late)
    (problem,) = scope_page(worktree_view(Project.find(project.root))).problems
    assert "objectives.high: in batch 2024-03-01T23 the label of 10 of 10 events is known before predict_at" in problem


def test_a_filter_over_what_is_blank_when_an_event_is_predicted_is_a_problem(tmp_path: Path) -> None:
    project = recorded(tmp_path / "meters")
    groups = (
        "plan: {columns: [meter, at], at: event_time - INTERVAL 1 DAY}, all: {columns: [load], at: event_time}, "
        "gate: {columns: [phase], at: event_time + INTERVAL 1 HOUR}"
    )
    params = PARAMS.replace("all: {columns: [meter, at, load, phase], at: event_time}", groups)
    filters = "odd: phase = 1, meters: \"meter IN ('load', 'phase')\""

    def problem(filters: str) -> str:
        text = params.replace("label_horizon: 1h", f"label_horizon: 1h, filters: {{{filters}}}")
        (project.root / "params.yaml").write_text(text)
        (one,) = [p for p in scope_page(worktree_view(Project.find(project.root))).problems if "filters" in p]
        return one

    late = "events.filters.odd: in batch 2024-03-01T23 phase of 10 of 10 events becomes known only after predict_at"
    assert late in problem(filters)
    unknown = problem(f"{filters}, none: watt > 1")
    assert unknown.startswith("params.yaml: events.filters.none: ") and "watt" in unknown


def test_this_projects_scope_has_no_problem() -> None:
    assert scope_page(Project(ROOT, ROOT)).problems == ()


def test_edits_are_checked_over_the_worktrees_data(tmp_path: Path) -> None:
    project = Project(tmp_path, tmp_path)
    assert worktree_view(project) is project
    (tmp_path / ".homeostat" / "ledger" / "data").mkdir(parents=True)
    project.worktree.window_file.write_text("from: 2024-03-01T00:00:00\nas_of: 2024-03-02T00:00:00\n")
    found = worktree_view(project)
    assert (found.contracts, found.features_sql) == (project.contracts, project.features_sql)
    worktree = project.worktree
    assert (found.accepted, found.landed) == (worktree.accepted, worktree.landed)
    assert read_window(found) == read_window(worktree)


DOTS = "by .., which scheduled work follows from .homeostat/ledger: write an absolute path"


@pytest.mark.parametrize(
    ("path", "how"),
    [
        ("path: ../elsewhere/readings.csv", DOTS),
        ("path: ../*/readings-*.csv", DOTS),
        ("path: /srv/readings.csv", "by an absolute path"),
        ("path: s3://meters/readings.csv", "at an address"),
        ("path: linked/readings.csv", "by a link"),
        ("{url: sqlite:///meters.db, query: SELECT 1}", "behind a database's url"),
        ("path: data/../readings.csv", ""),
        ("path: data/*.csv", ""),
        ("path: readings.csv", ""),
    ],
)
def test_a_source_outside_the_project_is_named_as_one(tmp_path: Path, path: str, how: str) -> None:
    (tmp_path / "linked").symlink_to(tmp_path.parent)
    fields = path.strip("{}").replace(", ", "\n    ")
    text = flat(page(tmp_path, PARAMS.replace("path: readings.csv", fields)))
    line = f"It lies outside the project ({how}): git does not version it, and other hosts need it too."
    assert (line in text) == bool(how)
    assert ("outside the project" in text) == bool(how)


def test_the_margin_in_force_is_on_the_page(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(PARAMS)
    project = Project(tmp_path, tmp_path)
    drafted = "high: half the standard deviation of past windows, from 100 % to 100 %"
    assert f"{drafted}; now 3.7 %;" in flat(scope_page(project, margins={"high": 0.037}))
    assert f"{drafted};" in flat(scope_page(project))
    (tmp_path / "params.yaml").write_text(PARAMS.replace("release: {", "release: {margin: {high: 0.02}, "))
    own = flat(scope_page(Project(tmp_path, tmp_path), margins={"high": 0.037}))
    assert "lies below the margin: high: 2 %;" in own
