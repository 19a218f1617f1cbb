"""One run at a time, with real processes."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from homeostat.core.errors import EnvironmentFault
from homeostat.project.layout import Project
from homeostat.project.lock import one_run

HOLD = """
import sys, time
from pathlib import Path
from homeostat.project.lock import one_run
from homeostat.project.layout import Project
home = Path(sys.argv[1])
with one_run(Project(home, home), say=lambda line: print(line, flush=True)):
    print("at work", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def start(home: Path, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLD, str(home), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_the_second_waits_says_so_and_then_runs(tmp_path: Path) -> None:
    first = start(tmp_path, 1.5)
    assert line_of(first) == "at work"
    second = start(tmp_path, 0)
    line = line_of(second)
    assert f"another run (process {first.pid}) is at work" in line
    assert line_of(second) == "at work"
    assert first.poll() is not None or first.wait(1) == 0
    assert second.wait(5) == 0


def test_a_killed_run_leaves_no_lock(tmp_path: Path) -> None:
    first = start(tmp_path, 60)
    assert line_of(first) == "at work"
    first.kill()
    first.wait()
    began = time.monotonic()
    with one_run(Project(tmp_path, tmp_path), timeout=5):
        assert time.monotonic() - began < 2


def test_the_timeout_ends_with_one_line(tmp_path: Path) -> None:
    first = start(tmp_path, 60)
    assert line_of(first) == "at work"
    with (
        pytest.raises(EnvironmentFault, match=f"process {first.pid}.*wait for it or stop it"),
        one_run(Project(tmp_path, tmp_path), say=lambda _: None, timeout=0.3),
    ):
        pass
    first.kill()
