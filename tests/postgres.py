"""A real PostgreSQL: as Debian has it, with a cluster of its own, on loopback alone."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAMS = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name), default=None)
ROOT_NEEDS = os.geteuid() == 0 and (
    shutil.which("setpriv") is None or "postgres" not in {u.pw_name for u in pwd.getpwall()}
)
needs_postgres = pytest.mark.skipif(
    PROGRAMS is None or ROOT_NEEDS, reason="needs PostgreSQL: apt-get install postgresql"
)


@contextmanager
def postgres() -> Iterator[str]:
    """The address of an empty database of a cluster of its own, as Prefect's server takes it."""
    folder = Path(tempfile.mkdtemp(prefix="homeostat-postgres-"))
    if os.geteuid() == 0:  # it refuses to run as root, and its user may not see into root's folders
        shutil.chown(folder, "postgres")
    data, port = folder / "data", _free_port()
    settings = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories='' -c fsync=off"
    _run("initdb", "-D", str(data), "-U", "prefect", "--auth=trust", "--no-sync")
    _run("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "-o", settings, "start")
    try:
        _run("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "prefect", "prefect")
        yield f"postgresql+asyncpg://prefect@127.0.0.1:{port}/prefect"
    finally:
        _run("pg_ctl", "-D", str(data), "-w", "-m", "immediate", "stop")
        shutil.rmtree(folder)


def _run(program: str, *words: str) -> None:
    assert PROGRAMS is not None
    other = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*other, str(PROGRAMS / program), *words], cwd="/", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
