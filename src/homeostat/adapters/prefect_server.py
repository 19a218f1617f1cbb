"""A Prefect server of the project's own on loopback: it ends with the process that started it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO

from homeostat.adapters import allocators
from homeostat.adapters.prefect_database import put_aside, why_broken
from homeostat.adapters.telemetry import quiet_environment
from homeostat.core.errors import EnvironmentFault
from homeostat.project.private import private_folder

HOST = "127.0.0.1"
TIMEOUT = 180.0  # seconds that a start may take: the first one migrates a database, on a machine that may be busy
RUNS_KEPT = timedelta(days=30)  # with their logs and artifacts; the project's own records stay
EVENTS_KEPT = timedelta(days=7)
DATABASE_ERROR = re.compile(r"(sqlite3|sqlalchemy|alembic)\.\S*(Error|Exception)\b")  # first in the line that says why
FIRST_PORT, PORTS = 10_000, 20_000  # below the range that systems use for outgoing connections


@contextmanager
def server(
    home: Path, whole: bool = True, patience: float = TIMEOUT, broken: Callable[[str], None] = lambda why: None
) -> Iterator[str]:
    """Run a server with its database in ``home/.prefect``; the address of its API.

    ``whole`` adds schedules, automations and the pages; without it the server only records runs. A database that does
    not open is put aside and a new one begun; ``broken`` is called with the reason.

    Raises:
        EnvironmentFault: it did not answer within ``patience`` seconds; the line names its log.
    """
    folder = private_folder(home / ".prefect")
    with (folder / "server.log").open("ab") as log:
        with _one_start(folder):
            if why := why_broken(folder):
                put_aside(folder)
                broken(why)
            began = log.tell()
            try:
                process, url = _started(home, whole, log, patience)
            except EnvironmentFault:
                if not (why := _database_error(Path(log.name), began)):
                    raise
                put_aside(folder)
                broken(why)
                process, url = _started(home, whole, log, patience)
        try:
            yield url
        finally:
            _end(process)


def answers(url: str, seconds: float = 2.0) -> bool:
    """Whether a Prefect API is at ``url``."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"{url}/health", timeout=seconds) as answer:
            return bool(answer.status == 200)
    except (OSError, ValueError):
        return False


def port_of(home: Path) -> int:
    """The port that a project tries first: the same at every start, and a different one for another folder.

    >>> port_of(Path("/a")) == port_of(Path("/a")) != port_of(Path("/b"))
    True
    """
    return FIRST_PORT + zlib.crc32(str(home).encode()) % PORTS


def main() -> None:
    """Serve on the port given as the only argument until standard input ends, as it does with the parent process."""
    import uvicorn

    threading.Thread(target=_end_with_parent, daemon=True).start()
    uvicorn.run(
        "prefect.server.api.server:create_app", factory=True, lifespan="on", host=HOST, port=int(sys.argv[1]),
        log_level="warning", timeout_graceful_shutdown=2,
    )  # fmt: skip


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def _one_start(folder: Path) -> Iterator[None]:
    """One server at a time makes or migrates the database."""
    with (folder / "starting").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _started(home: Path, whole: bool, log: IO[bytes], patience: float) -> tuple[subprocess.Popen[bytes], str]:
    """The process of a server that answers, and its address; on the next free port where the first is taken."""
    end = time.monotonic() + patience
    for port in _free_ports(port_of(home) if whole else 0):
        url = f"http://{HOST}:{port}/api"
        process = subprocess.Popen(
            [sys.executable, "-m", "homeostat.adapters.prefect_server", str(port)],
            stdin=subprocess.PIPE, stdout=log, stderr=log, env=_environment(home, url, whole), cwd=home,
            start_new_session=True,  # Ctrl-C must not reach it: it ends after this process
        )  # fmt: skip
        try:
            while process.poll() is None and time.monotonic() < end:
                if answers(url):
                    return process, url
                time.sleep(0.1)
        except BaseException:
            _end(process)
            raise
        if process.poll() is None:
            _end(process)
            raise EnvironmentFault(f"{log.name}: the Prefect server did not answer in {patience:.0f} s; look there")
        if _is_free(port):
            break
    raise EnvironmentFault(f"{log.name}: the Prefect server ended while it started; its last lines say why")


def _database_error(log: Path, began: int) -> str:
    """What a server wrote of its database, from a byte of its log on; empty where that did not stop it."""
    lines = log.read_bytes()[began:].decode(errors="replace").splitlines()
    return next((line.strip() for line in reversed(lines) if DATABASE_ERROR.match(line.strip())), "")


def _free_ports(first: int) -> Iterator[int]:
    """Free ports of loopback: ``first`` and those after it, or any where it is 0."""
    for port in range(first, first + 50) if first else [0] * 5:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of the last server may linger
            probe.bind((HOST, port))
            chosen = int(probe.getsockname()[1])
            probe.close()
            yield chosen


def _is_free(port: int) -> bool:
    return next(_free_ports(port), None) == port


def _environment(home: Path, url: str, whole: bool) -> dict[str, str]:
    quiet_environment()
    settings = {
        "PREFECT_HOME": str(home / ".prefect"),
        "PREFECT_UI_API_URL": url,
        "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(home / ".prefect" / "ui"),  # written there at the first start
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT__SERVER_FINAL": "1",
        **({} if whole else {"PREFECT__SERVER_EPHEMERAL": "1", "PREFECT_SERVER_UI_ENABLED": "false"}),
    }
    kept = {  # a project that needs more, or less, sets these variables
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",  # without: events alone
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": f"{RUNS_KEPT.total_seconds():.0f}",
        "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": f"P{EVENTS_KEPT.days}D",
        **allocators.FOR_OBJECTS,
    }
    only_for_runs = {"PREFECT_API_URL", "PREFECT_LOGGING_SETTINGS_PATH"}
    return {**kept, **{k: v for k, v in os.environ.items() if k not in only_for_runs}, **settings}


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin is not None:
        process.stdin.close()


if __name__ == "__main__":
    main()
