"""The status: what an on-call engineer needs first, on one screen."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import click
import pytest
from readings import START
from recorded import empty, recorded

from homeostat.core.errors import EnvironmentFault
from homeostat.core.findings import Finding
from homeostat.core.rules import Rule
from homeostat.project.layout import Project
from homeostat.reports import status


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return recorded(tmp_path_factory.mktemp("status") / "meters")


def said(project: Project, width: int = 100) -> str:
    return click.unstyle(status.text(status.read(project), width))


def test_whether_to_worry_comes_first_then_what_is_open_what_serves_and_what_is_next(project: Project) -> None:
    lines = said(project).splitlines()
    lefts = [line[:10].strip() for line in lines if line[:10].strip()]
    assert lefts == ["meters", "state", "open", "release", "why", "quality", "cost", "decisions", "next", "up"]
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize(
    "part",
    [
        "meters     data as of 2024-03-02 00:00 UTC; 2 open",
        "v0.1.0 since 2024-03-01 18:00, rolled back to by homeostat",
        "rollback v0.1.0, said <the loop>",
        "high: log loss 0.310 (promised 0.300) (80 events)",
        "20, 75 % less than the 80 of no alerts at all; 30 alerts, 4 false",
        "ok 1 rule on promise, baseline and calibration passed",
        "!! schedule: no pass of the loop has completed since 2024-03-02 00:00, and nothing runs the schedules",
        "   first: homeostat up",
        "!! readings: batch, since 2024-03-01: 2024-03-01T20 is missing: nothing came 2 h after the period ended",
        "   last seen 2024-03-01 22:00; closes after 2 passing checks; first: homeostat data review",
        "2024-03-01  Roll back: v0.1.0 replaces v0.2.0 (loss: high -22.5 %). Trigger: `high: calibration`.",
        "2024-03-02 01:00  data and predictions",
        "2024-03-02 02:00  decision",
        "2024-03-01 16:00  fresh candidate, at the latest",
        "no, the schedules do not run; start them with homeostat up",
    ],
)
def test_it_says(project: Project, part: str) -> None:
    assert part in said(project, 120)


def test_quality_is_read_from_a_decision_about_that_version(project: Project) -> None:
    found = status.read(project)
    assert found.measured is not None
    assert found.measured.release == "v0.1.0"
    assert "not measured yet" in click.unstyle(status.text(replace(found, measured=None)))


@pytest.fixture
def measured(project: Project) -> status.Status:
    """The status with the findings of its last decision replaced: one of them passed, one has too few events."""
    on_record = status.read(project)
    assert on_record.measured is not None
    good = Finding(Rule.QUALITY, "high", "pass", 0.01, 1.0)
    unsure = Finding(Rule.CALIBRATION, "high", "too few to say", None, 0.35)
    decision = replace(on_record.measured.decision, findings=(good, unsure))
    return replace(on_record, measured=replace(on_record.measured, decision=decision))


def test_what_cannot_be_said_is_named_and_what_passed_counted(measured: status.Status) -> None:
    text = click.unstyle(status.text(measured, 120))
    assert "?? too little to say: high: calibration" in text
    assert "ok 1 rule on promise, baseline and calibration passed" in text


def test_no_rule_that_passed_is_not_well(measured: status.Status) -> None:
    assert measured.measured is not None
    unsure = tuple(f for f in measured.measured.decision.findings if f.outcome == "too few to say")
    decision = replace(measured.measured.decision, findings=unsure)
    text = click.unstyle(status.text(replace(measured, measured=replace(measured.measured, decision=decision)), 120))
    assert "?? too little to say" in text
    assert " ok " not in text


def test_the_first_line_counts_what_is_open(project: Project) -> None:
    found = status.read(project)
    for number in range(5):
        items = (found.open * 3)[:number]
        head, *lines = click.unstyle(status.text(replace(found, open=items), 200)).splitlines()
        assert head.endswith(f"; {number} open" if number else "; nothing open")
        (state,) = [line for line in lines if line.startswith("state")]
        urgent = sum(item.alerts for item in items)
        assert (f"{urgent} problem" in state) == bool(urgent) and ("nothing needs you" in state) == (number == 0)
        shown = [line for line in lines if line[11:].startswith(("!! ", "- "))]
        more = [line for line in lines if "more: homeostat status --page" in line]
        assert len(shown) + sum(int(line.split("and ")[1].split()[0]) for line in more) == number


def test_the_last_decision_and_its_drift_have_their_commands(project: Project) -> None:
    found = status.read(project)
    command = "homeostat releases decision 2024-03-02T00:00 prints the last one whole"
    assert command in said(project)
    drifted = replace(found, decisions=found.decisions[1:])  # this one cites a record of drift
    text = click.unstyle(status.text(drifted, 200))
    assert "homeostat status --drift 2024-03-01T18:00 draws its drift" in " ".join(text.split())


def test_an_empty_project_says_what_to_run_first(tmp_path: Path) -> None:
    text = said(empty(tmp_path / "new"))
    assert "none in service yet" in text
    assert "homeostat run data" in text
    assert "homeostat up" in text


@pytest.fixture
def damaged(project: Project) -> Iterator[Path]:
    path = project.decisions / "2024-03-03T000000.json"
    path.write_text(json.dumps({"at": "2024-03-03T00:00:00"})[:-4])
    yield path
    path.unlink()


def test_a_damaged_record_is_named(project: Project, damaged: Path) -> None:
    with pytest.raises(EnvironmentFault, match=f"{damaged}: damaged"):
        status.read(project)


def test_it_is_read_in_under_a_second_without_anything_heavy(project: Project) -> None:
    heavy = ("polars", "pandas", "duckdb", "lightgbm", "great_expectations", "evidently", "prefect", "dvc", "numpy")
    code = f"import sys; from homeostat.cli import main; main(['-C', {str(project.home)!r}], standalone_mode=False)"
    code += f"; print('HEAVY', *[m for m in {heavy!r} if m in sys.modules])"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert run.stdout.splitlines()[-1].split() == ["HEAVY"]
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1  # whatever else is at work here


def test_records_of_every_kind_are_as_old_as_they_say(project: Project) -> None:
    found = status.read(project)
    assert found.as_of == START + timedelta(hours=24)
    assert [d.at for d in found.decisions] == sorted((d.at for d in found.decisions), reverse=True)
