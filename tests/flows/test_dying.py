"""Runner and machine die: what they were at ends Crashed, by the server's watch or by the sweep of the next start."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from at_work import Up, runs, toyed, until, up

from homeostat.adapters.prefect_server import server
from homeostat.project import Project

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    project = toyed(tmp_path / "toys")
    yield project
    (project.home / "go").touch()  # lets go of whatever still waits


def die(running: Up, project: Project) -> str:
    """Kill the runner and the run that is at work, at once; the run's id."""
    pid = int(until(lambda: (project.home / "pid").is_file() and (project.home / "pid").read_text(), 90, "a run"))
    at_work = until(lambda: runs(running.api, "RUNNING"), 30, "a running run")
    for process in (running.process.pid, pid):
        os.kill(process, signal.SIGKILL)
    running.process.wait(10)
    (project.home / "pid").unlink()
    return str(at_work[0]["id"])


def crashed(api: str, run: str) -> bool:
    return run in {r["id"] for r in runs(api, "CRASHED")}


@pytest.mark.timeout(240)
def test_the_server_ends_a_run_that_gives_no_sign_of_life(project: Project, tmp_path: Path) -> None:
    with server(tmp_path / "elsewhere") as api:
        with up(project, PREFECT_API_URL=api) as running:
            assert running.api == api
            run = die(running, project)
        assert not crashed(api, run)
        until(lambda: crashed(api, run), 150, "the end of a run that died")


@pytest.mark.timeout(240)
def test_the_next_start_ends_what_the_machine_left(project: Project) -> None:
    with up(project) as running:
        run = die(running, project)
    with up(project) as again:
        until(lambda: crashed(again.api, run), 20, "the end of a run that died")
        alive = until(lambda: runs(again.api, "RUNNING"), 60, "a run of the new start")
        assert run not in {r["id"] for r in alive}
