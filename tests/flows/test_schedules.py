"""The table of schedules, the clock it runs on, and what ``prefect.yaml`` says of both."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import hourly
import pytest
from ruamel.yaml import YAML

from flows.schedules import SCHEDULES
from homeostat.core.errors import UsageError
from homeostat.project.layout import Project
from homeostat.project.run_context import run_context
from homeostat.project.window import write_window
from homeostat.scheduling.up import interval, where

ROOT = Path(__file__).parents[2]
CLOCK = 'threads: 1\nclock:\n  start: "2024-03-01T12:00:00"\n  speed: {speed}\n'


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "params.yaml").write_text(hourly.PARAMS)
    project = Project(tmp_path, tmp_path)
    write_window(project, hourly.START, hourly.START + timedelta(hours=5))
    return project


def test_prefect_yaml_deploys_the_table() -> None:
    scope = Project.find(ROOT).scope
    written = YAML(typ="safe").load(ROOT / "prefect.yaml")
    deployed = {d["entrypoint"].split(":")[1]: d for d in written["deployments"]}
    assert list(deployed) == [flow.name for flow, _ in SCHEDULES] or set(deployed) == {f.name for f, _ in SCHEDULES}
    for flow, length in SCHEDULES:
        deployment = deployed[flow.name]
        assert deployment["name"] == f"{scope.project}-{flow.name}"
        assert deployment["tags"] == [scope.project]
        assert (ROOT / deployment["entrypoint"].split(":")[0]).is_file()
        seconds = [schedule["interval"] for schedule in deployment.get("schedules", [])]
        assert seconds == ([interval(Project.find(ROOT), length).total_seconds()] if length else [])


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        ("threads: 1\n", timedelta(hours=1)),  # the wall
        (CLOCK.format(speed=60), timedelta(minutes=1)),
        (CLOCK.format(speed=3600), timedelta(seconds=10)),  # a run takes seconds: no more of them than that
    ],
)
def test_a_tick_of_project_time_on_the_wall(project: Project, clock: str, expected: timedelta) -> None:
    (project.home / "params.yaml").write_text(hourly.PARAMS.replace("threads: 1\n", clock))
    assert interval(project, "tick") == expected


def test_a_run_takes_its_time_in_utc(project: Project) -> None:
    given = datetime.fromisoformat("2024-03-01T09:00:00+02:00")
    with run_context(project.home, given) as (here, now):
        assert (here, now) == (project, datetime(2024, 3, 1, 7))
        assert now.tzinfo is None
    with run_context(project.home) as (_, now):
        assert abs(datetime.now(UTC).replace(tzinfo=None) - now) < timedelta(minutes=1)


def test_time_does_not_go_back(project: Project) -> None:
    ledger = project.worktree
    ledger.root.mkdir(parents=True)
    write_window(ledger, hourly.START, datetime(2024, 3, 1, 8))
    with (
        pytest.raises(UsageError, match="is before the last completed tick"),
        run_context(project.home, datetime(2024, 3, 1, 7)),
    ):
        pass


def test_nobody_is_up(project: Project) -> None:
    assert where(project) is None
