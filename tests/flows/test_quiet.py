"""A server that watches the runs leaves those alone that have ended by themselves: the event feed is quiet."""

from __future__ import annotations

import os
import signal
import time
from datetime import timedelta
from pathlib import Path

import pytest
from at_work import events, runs, toyed, until, up

from homeostat.adapters import prefect
from homeostat.adapters.prefect_server import server

SHORT = timedelta(seconds=10)  # of silence, after which a run counts as dead here: the least that Prefect accepts
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def watch_briefly(api: str, home: Path) -> None:
    """Have the server wait for the next sign of life no longer than this test can."""
    with prefect.using_server(api, home):
        prefect.watch("toys", SHORT)


def test_a_run_that_completes_is_left_alone_and_one_that_is_killed_is_ended(tmp_path: Path) -> None:
    project = toyed(tmp_path / "toys")
    (project.home / "go").touch()
    with server(tmp_path / "elsewhere") as api:
        with up(project, PREFECT_API_URL=api) as running:
            watch_briefly(api, project.home)
            done = until(lambda: runs(api, "COMPLETED"), 90, "a scheduled run")
            assert done[0]["auto_scheduled"]  # its events follow one that the server has never sent
            until(lambda: events(api, prefect.OVER), 30, "the event of its end")
            time.sleep(3 * SHORT.total_seconds())
            assert events(api, "prefect.flow-run.heartbeat")
            assert events(api, "prefect.automation.triggered") == events(api, "prefect.automation.action") == []

            (project.home / "go").unlink()
            pid = until(lambda: (project.home / "pid").is_file() and (project.home / "pid").read_text(), 90, "a run")
            dead = until(lambda: runs(api, "RUNNING"), 30, "a running run")[0]["id"]
            until(
                lambda: any(dead in str(e["resource"]) for e in events(api, "prefect.flow-run.heartbeat")), 30, "life"
            )
            for process in (running.process.pid, int(pid)):
                os.kill(process, signal.SIGKILL)
            running.process.wait(10)
        until(lambda: dead in {run["id"] for run in runs(api, "CRASHED")}, 60, "the end of a run that died")
        assert events(api, "prefect.automation.action.failed") == []
