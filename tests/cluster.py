"""A Dask cluster as its operator starts it: a scheduler and workers, each a process of its own; and work for them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

DASK = Path(sys.executable).with_name("dask")
QUIET = ("--no-dashboard", "--host", "127.0.0.1")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@dataclass
class Cluster:
    port: int = field(default_factory=free_port)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def start(self, workers: int, path: Path | None = None) -> None:
        """A scheduler, and workers whose modules come from ``path`` first."""
        self._run("scheduler", "--port", str(self.port))
        for _ in range(workers):
            self.add_worker(path)

    def add_worker(self, path: Path | None = None) -> None:
        self._run("worker", self.address, "--nthreads", "1", "--memory-limit", "0", path=path)

    def _run(self, *words: str, path: Path | None = None) -> None:
        modules = [*([str(path)] if path else []), str(Path(__file__).parent)]  # the work below is in this one
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(modules)}
        command = [str(DASK), *words, *QUIET]
        self.processes.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             start_new_session=True)
        )  # fmt: skip

    def kill(self) -> None:
        """End every process of it, and those that they started."""
        for process in self.processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.processes.clear()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


# ---- work, in a module that workers can import


def square(number: int) -> int:
    time.sleep(0.2)
    return number * number


def who(number: int) -> int:
    time.sleep(0.4)
    return os.getpid()


def square_killing_once(folder: Path, number: int) -> int:
    """The first who works on 5 is killed at it."""
    note = folder / "killed"
    if number == 5 and not note.exists():
        note.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def kills(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def noting(folder: Path, number: int) -> int:
    """Leaves a note that the work began."""
    (folder / str(number)).touch()
    return square(number)
