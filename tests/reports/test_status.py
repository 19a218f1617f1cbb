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
from homeostat.core.rules import Rule
from homeostat.core.sentences import sentence
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
    assert lefts == ["meters", "release", "why", "quality", "cost", "open", "decisions", "next", "up"]
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize(
    "part",
    [
        "meters     data as of 2024-03-02 00:00 UTC; 1 open",
        "v0.1.0 since 2024-03-01 18:00, rolled back to by homeostat",
        "rollback v0.1.0, said <the loop>",
        "high: log loss 0.310 (promised 0.300) (80 events)",
        "20, 75 % less than the 80 of no alerts at all; 30 alerts, 4 false",
        "ok 1 rule on promise, baseline and calibration passed",
        "!! readings: batch, since 2024-03-01: 2024-03-01T20 is missing: nothing came 2 h after the period ended",
        "2024-03-01  Roll back: v0.1.0 replaces v0.2.0 (high -22.5 %). Trigger: `high: calibration`.",
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


def test_what_fails_is_shown_once_and_what_cannot_be_said_by_name(project: Project) -> None:
    found = status.read(project)
    assert found.measured is not None
    facts = {"ratio": 1.6}
    bad = Finding(Rule.CALIBRATION, "high", "fail", 0.6, 0.35, rows=80, facts=facts)
    unsure = Finding(Rule.QUALITY, "high", "too few to say", None, 0.1)
    decision = replace(found.measured.decision, findings=(bad, unsure))
    found = replace(found, measured=replace(found.measured, decision=decision))
    text = click.unstyle(status.text(found, 120))
    assert "!! high: calibration: predicted/observed ratio 1.60" in text
    assert "?? too little to say: high: quality" in text
    incident = Incident(bad, START, START)
    text = click.unstyle(status.text(replace(found, incidents=(incident,)), 120))
    assert " ".join(text.split()).count(sentence(bad)) == 1
    assert "!! high: calibration, since 2024-03-01: predicted/observed ratio 1.60" in text


def test_a_batch_without_an_incident_is_open_too(project: Project) -> None:
    text = click.unstyle(status.text(replace(status.read(project), incidents=()), 120))
    assert "- readings 2024-03-01T20 missing" in text


def test_a_loop_that_should_have_run_is_shown(project: Project) -> None:
    found = status.read(project)  # on the wall clock, years after the data
    assert found.stale
    assert "no tick has been completed since 2024-03-02 00:00" in click.unstyle(status.text(found, 120))


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
