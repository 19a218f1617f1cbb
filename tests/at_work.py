"""Projects at work: ``homeostat up`` and ``run`` as processes, and Prefect's API as a stranger reads it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import hourly
import httpx

from homeostat.project.layout import Project
from homeostat.project.window import write_window

Answer = TypeVar("Answer")
ROOT = Path(__file__).parents[1]
CLOCK = 'threads: 1\nclock:\n  start: "2024-03-01T12:45:00"\n  speed: 60\n'  # a tick a minute, the first after 15 s
COMMAND = [sys.executable, "-c", "from homeostat.cli import main; main()"]

# A project's own flows: one that says who it is and stays until it is let go, one that fails.
TOYS = """
from __future__ import annotations
import os
import time
from datetime import datetime
from pathlib import Path
from homeostat.adapters.prefect import project_flow
from homeostat.core.errors import DataError
from homeostat.project.run_context import run_context

@project_flow(name="wait")
def wait(project: Path = Path(), now: datetime | None = None) -> str:
    with run_context(project, now) as (here, at):
        (here.home / "pid").write_text(str(os.getpid()))
        time.sleep(1)  # as the shortest run of the loop: by then its first heartbeat is sent
        while not (here.home / "go").exists():
            time.sleep(0.1)
        (here.home / "pid").unlink()
        return f"waited at {at}"

@project_flow(name="fail")
def fail(project: Path = Path(), now: datetime | None = None) -> str:
    raise DataError("readings.csv: is broken; deliver it again")
"""
TABLE = "from flows.toys import fail, wait\nSCHEDULES = ((wait, 'tick'), (fail, None))\n"


def looped(folder: Path, source: str = "readings.csv") -> Project:
    """The small hourly project with this repository's flows, on a clock of its own."""
    shutil.copytree(ROOT / "flows", folder / "flows", ignore=shutil.ignore_patterns("__pycache__"))
    params = hourly.PARAMS.replace("threads: 1\n", CLOCK).replace("path: readings.csv", f"path: {source}")
    return hourly.make(folder, params=params)


def toyed(folder: Path, name: str = "toys") -> Project:
    """A project whose flows are ``TOYS``."""
    (folder / "flows").mkdir(parents=True)
    (folder / "flows" / "__init__.py").touch()
    (folder / "flows" / "toys.py").write_text(TOYS)
    (folder / "flows" / "schedules.py").write_text(TABLE)
    params = hourly.PARAMS.replace("threads: 1\n", CLOCK).replace("project: meters", f"project: {name}")
    (folder / "params.yaml").write_text(params)
    project = Project(folder, folder)
    write_window(project, hourly.START, hourly.START)
    return project


@dataclass
class Up:
    """A ``homeostat up`` that runs; ``log`` is all its output."""

    process: subprocess.Popen[bytes]
    path: Path

    @property
    def log(self) -> str:
        return self.path.read_text()

    @property
    def api(self) -> str:
        """The address of the API that it printed."""
        return next(line.split()[-1] for line in self.log.splitlines() if "look at" in line) + "/api"

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(60)


@contextmanager
def up(project: Project, **env: str) -> Iterator[Up]:
    """Run ``homeostat up`` until it says that it is."""
    path = project.home / f"up-{time.monotonic_ns()}.log"
    with path.open("wb") as out:
        process = start(project, "up", out=out, **env)
    running = Up(process, path)

    def ready() -> bool:
        assert process.poll() is None, running.log
        return "Ctrl-C" in running.log

    try:
        until(ready, 120, "homeostat up")
        yield running
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def start(project: Project, *verb: str, out: Any = subprocess.PIPE, **env: str) -> subprocess.Popen[bytes]:
    """A ``homeostat`` command in the project, as a process."""
    named = {**os.environ, "PYTHONPATH": str(ROOT / "src"), **env}
    return subprocess.Popen([*COMMAND, "-C", str(project.home), *verb], stdout=out, stderr=subprocess.STDOUT, env=named)


def output(process: subprocess.Popen[bytes], seconds: float = 120) -> str:
    """All output of a command, when it has ended."""
    return process.communicate(timeout=seconds)[0].decode()


def ask(api: str, what: str, **body: Any) -> list[dict[str, Any]]:
    """What Prefect's API lists."""
    answer = httpx.post(f"{api}/{what}/filter", json=body, timeout=10, trust_env=False)
    answer.raise_for_status()
    listed = answer.json()
    return list(listed["events"] if what == "events" else listed)


def events(api: str, prefix: str) -> list[dict[str, Any]]:
    """The server's events whose names begin so."""
    body = {"filter": {"event": {"prefix": [prefix]}}, "limit": 50}
    answer = httpx.post(f"{api}/events/filter", json=body, timeout=30, trust_env=False)
    return list(answer.raise_for_status().json()["events"])


def runs(api: str, *states: str) -> list[dict[str, Any]]:
    """The flow runs in one of the states."""
    return ask(api, "flow_runs", flow_runs={"state": {"type": {"any_": list(states)}}})


def until(look: Callable[[], Answer | None], seconds: float, what: str) -> Answer:
    """Look again until there is an answer that is true; fail after so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = look()
        if answer:
            return answer
        time.sleep(0.3)
    raise AssertionError(f"{what}: nothing after {seconds:.0f} s")
