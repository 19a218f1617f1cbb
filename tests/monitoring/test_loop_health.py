"""Whether the loop itself runs: late schedules, a run that hangs, a disk that takes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from readings import PARAMS, START
from recorded import empty

from homeostat.core.rules import Rule
from homeostat.core.sentences import sentence
from homeostat.monitoring import loop_health
from homeostat.project.clock import clock_now, move_on
from homeostat.project.layout import Project
from homeostat.project.up_address import note_path

TICK = timedelta(hours=1)
HOLD = """
import fcntl, sys, time
with open(sys.argv[1], "a") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    print("locked", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = empty(tmp_path / "meters")
    move_on(made, START)
    return made


@contextmanager
def locked(path: Path, seconds: float) -> Iterator[None]:
    """The file locked by another process for so long already."""
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "locked\n"
        os.utime(path, (time.time() - seconds,) * 2)
        try:
            yield
        finally:
            process.kill()


def up_for(project: Project, seconds: float) -> AbstractContextManager[None]:
    note_path(project).write_text(json.dumps({"url": "http://127.0.0.1:4200/api", "pid": 1}))
    return locked(note_path(project), seconds)


def at(ticks: float) -> datetime:
    return START + ticks * TICK


def rules(project: Project, ticks: float) -> list[Rule]:
    return [finding.rule for finding in loop_health.loop_findings(project, at(ticks))]


def test_a_loop_in_time_has_nothing(project: Project) -> None:
    assert rules(project, 2) == []


def test_no_pass_for_more_than_two_ticks_is_late(project: Project) -> None:
    (finding,) = loop_health.loop_findings(project, at(3))
    assert finding.name == "schedule" and finding.failed
    words = "no pass of the loop has completed since 2024-03-01 00:00, and nothing runs the schedules"
    assert sentence(finding) == words


def test_it_is_late_though_up_claims_to_run(project: Project) -> None:
    with up_for(project, 3 * 3600):
        (finding,) = loop_health.loop_findings(project, at(3))
    assert "though homeostat up runs at http://127.0.0.1:4200: end it with Ctrl-C" in sentence(finding)
    with up_for(project, 60):  # it has just begun, and catches up
        assert rules(project, 3) == []


def test_before_the_first_pass_only_up_can_be_late(tmp_path: Path) -> None:
    new = empty(tmp_path / "new")
    new.state.mkdir()
    assert rules(new, 1000) == []
    with up_for(new, 3 * 3600):
        assert rules(new, 1000) == [Rule.SCHEDULE]


def test_a_clock_that_stands_while_nothing_is_up_is_never_late(tmp_path: Path) -> None:
    own = empty(tmp_path / "own", PARAMS + 'clock: {start: "2024-03-01T00:00:00", speed: 60}\n')
    move_on(own, START)
    assert loop_health.loop_findings(own, clock_now(own)) == []


def test_a_replay_that_is_over_is_not_late(project: Project) -> None:
    (project.state / "replay.json").write_text("{}")
    assert rules(project, 1000) == []


@pytest.mark.parametrize(("seconds", "expected"), [(60, []), (3 * 3600, [Rule.RUN])])
def test_a_run_at_work_is_not_late_until_it_hangs(project: Project, seconds: float, expected: list[Rule]) -> None:
    (project.state / "lock").write_text("4711")
    with locked(project.state / "lock", seconds):
        findings = loop_health.loop_findings(project, at(30))
    assert [f.rule for f in findings] == expected
    for finding in findings:
        assert "process 4711 has been at work for 3 h" in sentence(finding)
        assert "kill 4711: the next run carries on" in sentence(finding)


def test_a_disk_that_is_nearly_full_is_seen(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_health, "LEAST_FREE", float("inf"))
    (finding,) = loop_health.loop_findings(project, at(0))
    assert finding.name == "disk"
    assert f"MB are free for {project.state}, so runs will fail; free some space" in sentence(finding)


def without_root(call: Callable[[], None]) -> None:
    """Run it as a user that permissions bind."""
    if os.getuid():
        call()
        return
    pid = os.fork()
    if pid == 0:
        try:
            os.setuid(65534)
            call()
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_folder_that_cannot_be_written_is_seen(project: Project) -> None:
    for folder in (project.home, *project.home.parents):
        if folder.stat().st_uid == os.getuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    project.state.chmod(0o555)

    def check() -> None:
        (finding,) = loop_health.loop_findings(project, at(0))
        assert sentence(finding).startswith(f"{project.state} cannot be written, so no run can record what it does")

    without_root(check)
