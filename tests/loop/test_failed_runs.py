"""A run that an error stops is an open problem until runs complete again, and carries on where it stopped."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import hourly
import pytest

from homeostat import loop
from homeostat.core.errors import DataError, HomeostatError
from homeostat.monitoring.alerts import read_incidents
from homeostat.project.clock import stands_at
from homeostat.project.layout import Project
from homeostat.reports import status

BROKEN = "readings.csv: broken; deliver it again"


def run(project: Project, hour: int) -> loop.Tick:
    with loop.run_context(project.home, hourly.START + timedelta(hours=hour)) as (session, at):
        return loop.tick(session, at)


def stopped(project: Project, hour: int) -> None:
    with pytest.raises(DataError), loop.run_context(project.home, hourly.START + timedelta(hours=hour)):
        raise DataError(BROKEN)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("broken", "text", "line"),
    [
        ("features.sql", "SELECT oops FROM", "features.sql:1: Parser Error: syntax error at or near"),
        ("dvc.yaml", "stages: [", "dvc.yaml"),
    ],
)
def test_a_decision_that_cannot_be_made_is_open_with_its_fix_until_it_is_made(
    tmp_path: Path, broken: str, text: str, line: str
) -> None:
    project = hourly.make(tmp_path / "meters")
    path = project.home / broken
    before = path.read_text()
    path.write_text(text)
    hourly.commit(project.home)
    with pytest.raises(HomeostatError):
        run(project, 4)
    assert stands_at(project) == hourly.START
    (item,) = [item for item in status.read(project).open if item.text.startswith("run, since")]
    assert line in item.text
    assert item.note == "last seen 2024-03-01 04:00; closes after 2 passing checks; first: homeostat run lifecycle"
    path.write_text(before)
    hourly.commit(project.home)
    assert run(project, 4).decision is not None
    run(project, 5)
    assert [item for item in status.read(project).open if item.text.startswith("run")] == []


def test_a_stopped_run_is_seen_and_ends_by_itself(tmp_path: Path) -> None:
    project = hourly.make(tmp_path / "meters")
    run(project, 3)
    assert read_incidents(project) == {}
    stopped(project, 4)
    assert stands_at(project) == hourly.START + timedelta(hours=3)
    (incident,) = read_incidents(project).values()
    assert (incident.problem, incident.closed) == ("run", None)
    assert incident.sentence == f"run: stopped by DataError: {BROKEN}"
    screen = status.text(status.read(project))
    assert "2 open" in screen and "readings.csv" in screen and "schedule: no pass of the loop" in screen
    stopped(project, 5)
    assert len(read_incidents(project)) == 1  # one problem, one incident
    run(project, 6)
    run(project, 7)
    (incident,) = read_incidents(project).values()
    assert incident.closed == hourly.START + timedelta(hours=7)
    assert stands_at(project) == hourly.START + timedelta(hours=7)
