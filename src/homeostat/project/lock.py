"""The project's lock: one run of the loop at a time; the others wait for it and say so."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from homeostat.core.errors import EnvironmentFault

if TYPE_CHECKING:
    from homeostat.project.layout import Project

TIMEOUT = 3600.0  # seconds to wait for another run


class Holder(NamedTuple):
    """The process that has the lock, and for how many seconds."""

    process: str
    seconds: float


def holder(project: Project) -> Holder | None:
    """Which run is at work now, if one is."""
    path = project.state / "lock"
    if not path.is_file():
        return None
    with path.open() as lock:
        if is_locked(lock.fileno()):
            return Holder(lock.read() or "unknown", time.time() - os.fstat(lock.fileno()).st_mtime)
    return None


@contextmanager
def one_run(project: Project, say: Callable[[str], None] = print, timeout: float = TIMEOUT) -> Iterator[None]:
    """Lock the project for this run; the lock ends with the process, however that ends.

    Raises:
        EnvironmentFault: another run had it for longer than ``timeout`` seconds.
    """
    project.state.mkdir(parents=True, exist_ok=True)
    with (project.state / "lock").open("a+") as lock:
        _wait(lock.fileno(), project, say, timeout)
        lock.seek(0)
        lock.truncate()
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def is_locked(handle: int, kind: int = fcntl.LOCK_SH) -> bool:
    """Whether another process has locked the file; otherwise this one has now. A mere reader unlocks it at once."""
    for _ in range(5):
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
            return False
        except BlockingIOError:
            time.sleep(0.05)
    return True


def _wait(handle: int, project: Project, say: Callable[[str], None], timeout: float) -> None:
    waited, reported = 0.0, False
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            holder = (project.state / "lock").read_text() or "unknown"
            if waited >= timeout:
                raise EnvironmentFault(
                    f"{project.home}: another run (process {holder}) is at work; wait for it or stop it"
                ) from error
            if not reported:
                say(f"another run (process {holder}) is at work in {project.home}; waiting for it to end")
                reported = True
        time.sleep(0.2)
        waited += 0.2
