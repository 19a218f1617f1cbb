"""Runner and machine die: what they were at ends Crashed, by the server's watch or by the sweep of the next start."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from at_work import Up, ask, events, output, runs, start, toyed, until, up

from homeostat.adapters.prefect import SWEEP
from homeostat.adapters.prefect_server import server
from homeostat.project.layout import Project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@dataclass
class Dead:
    """A run that a machine left Running on the server at ``api``, and the project that it was of."""

    project: Project
    api: str
    run: str


@pytest.fixture(scope="module")
def dead(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dead]:
    """A machine that died a while ago; its server, on another one, lives."""
    folder = tmp_path_factory.mktemp("dead")
    project = toyed(folder / "toys")
    with server(folder / "elsewhere") as api:
        with up(project, PREFECT_API_URL=api) as running:
            assert running.api == api
            run = die(running, project)
        assert not crashed(api, run)
        yield Dead(project, api, run)


def die(running: Up, project: Project) -> str:
    """Kill the runner and the run that is at work, at once; the run's id."""
    pid = int(until(lambda: (project.home / "pid").is_file() and (project.home / "pid").read_text(), 90, "a run"))
    at_work = until(lambda: runs(running.api, "RUNNING"), 30, "a running run")
    heartbeats = "prefect.flow-run.heartbeat"  # only then does a server watch the run
    until(lambda: at_work[0]["id"] in str(events(running.api, heartbeats)), 30, "a heartbeat")
    for process in (running.process.pid, pid):
        os.kill(process, signal.SIGKILL)
    running.process.wait(10)
    (project.home / "pid").unlink()
    return str(at_work[0]["id"])


def crashed(api: str, run: str) -> bool:
    return run in {r["id"] for r in runs(api, "CRASHED")}


@pytest.mark.usefixtures("dead")  # whose watch needs its time meanwhile
def test_the_next_start_ends_what_the_machine_left(tmp_path: Path) -> None:
    project = toyed(tmp_path / "toys")
    with up(project) as running:
        run = die(running, project)
    with up(project) as again:
        until(lambda: crashed(again.api, run), 20, "the end of a run that died")
        alive = until(lambda: runs(again.api, "RUNNING"), 60, "a run of the new start")
        assert run not in {r["id"] for r in alive}
        (project.home / "go").touch()


def test_a_run_by_hand_that_is_killed_ends_while_up_is_there(tmp_path: Path) -> None:
    project = toyed(tmp_path / "toys")
    with up(project) as running:
        process = start(project, "run", "wait")
        until(lambda: (project.home / "pid").is_file() and (project.home / "pid").read_text(), 60, "a run")
        by_hand = next(r for r in runs(running.api, "RUNNING") if r["deployment_id"] is None)
        process.kill()
        process.wait()
        until(lambda: crashed(running.api, by_hand["id"]), SWEEP + 30, "the end of a run that died")
        assert not ask(running.api, "automations")  # a server of its own need not watch what `up` does


def test_a_shared_server_has_one_project_of_a_name(dead: Dead, tmp_path: Path) -> None:
    other = start(toyed(tmp_path / "elsewhere"), "up", PREFECT_API_URL=dead.api)
    assert f"serves toys from {dead.project.home}" in output(other)
    assert other.returncode != 0


def test_the_server_ends_a_run_that_gives_no_sign_of_life(dead: Dead) -> None:
    until(lambda: crashed(dead.api, dead.run), 150, "the end of a run that died")
