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
from homeostat.core.incidents import Incident
from homeostat.project.layout import Project
from homeostat.reports import status


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return recorded(tmp_path_factory.mktemp("status") / "meters")


def said(project: Project, width: int = 100) -> str:
    return click.unstyle(status.text(status.read(project), width))


def test_what_serves_comes_first_then_how_it_does_what_is_open_and_what_is_next(project: Project) -> None:
    lines = said(project).splitlines()
    lefts = [line[:10].strip() for line in lines if line[:10].strip()]
    assert lefts == ["meters", "serves", "why", "does", "money", "open", "decided", "next", "up"]
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize(
    "part",
    [
        "meters     data as of 2024-03-02 00:00 UTC; 1 open",
        "v0.1.0 since 2024-03-01 18:00, rolled back to by homeostat",
        "rollback v0.1.0, said <the loop>",
        "high: log loss 0.310 (promised 0.300) (80 events)",
        "cost 20, 75% less than the 80 of no alerts at all; 30 alerts, 4 not needed",
        "ok 1 rules against promise, baseline and truth hold",
        "!! readings: batch, since 2024-03-01: readings 2024-03-01T20 is missing",
        "2024-03-01 roll back: Roll back v0.2.0 to v0.1.0.",
        "2024-03-02 01:00  data and predictions",
        "2024-03-02 02:00  decision",
        "2024-03-01 16:00  fresh candidate, at the latest",
        "no: schedules do not run; start them with homeostat up",
    ],
)
def test_it_says(project: Project, part: str) -> None:
    assert part in said(project, 120)


def test_how_a_version_does_is_read_from_a_look_at_that_version(project: Project) -> None:
    found = status.read(project)
    assert found.looked is not None
    assert found.looked.release == "v0.1.0"
    assert "not known yet" in click.unstyle(status.text(replace(found, looked=None)))


def test_what_fails_is_said_once_and_what_cannot_be_said_by_name(project: Project) -> None:
    found = status.read(project)
    assert found.looked is not None
    bad = Finding("high: calibration", "fail", 0.6, 0.35, "mean score of high is 1.60 times the rate")
    unsure = Finding("high: quality", "too few to say", None, 0.1, "too few")
    found = replace(found, looked=replace(found.looked, findings=(bad, unsure)))
    text = click.unstyle(status.text(found, 120))
    assert "!! mean score of high is 1.60 times the rate" in text
    assert "?? too few events to say: high: quality" in text
    incident = Incident(bad.rule, START, START, bad.sentence)
    text = click.unstyle(status.text(replace(found, incidents=(incident,)), 120))
    assert text.count(bad.sentence) == 1
    assert "!! high: calibration, since 2024-03-01: mean score of high" in text


def test_a_batch_without_an_incident_is_open_too(project: Project) -> None:
    text = click.unstyle(status.text(replace(status.read(project), incidents=()), 120))
    assert "- readings 2024-03-01T20 is missing" in text


def test_a_loop_that_should_have_run_is_told(project: Project) -> None:
    found = status.read(project)  # on the wall clock, years after the data
    assert found.stale
    assert "no tick has been completed since 2024-03-02 00:00" in click.unstyle(status.text(found, 120))


def test_an_empty_project_says_what_to_run_first(tmp_path: Path) -> None:
    text = said(empty(tmp_path / "new"))
    assert "nothing yet" in text
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
    assert [d.at for d in found.decided] == sorted((d.at for d in found.decided), reverse=True)
