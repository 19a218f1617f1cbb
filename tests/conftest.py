"""What every test stands on: telemetry off, no outside network, nobody's git or Prefect settings."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from homeostat.adapters.telemetry import quiet_environment

LOCAL = {"", "localhost", "127.0.0.1", "::1", "0.0.0.0", "::"}


def refuse_outside(event: str, args: tuple[Any, ...]) -> None:
    """Raise where a test reaches beyond this machine: sockets are seen below every library."""
    if event == "socket.connect" and isinstance(args[1], tuple):
        host = args[1][0]
    elif event == "socket.getaddrinfo":
        host = args[0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host is not None and str(host) not in LOCAL and not str(host).startswith("127."):
        raise ConnectionError(f"a test reached for {host}: tests stay on this machine")


def lone_environment(home: Path) -> dict[str, str]:
    """Settings that keep tests, and what they start, off this machine's own settings and on one thread."""
    return {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "OMP_NUM_THREADS": "1",
        "POLARS_MAX_THREADS": "2",
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_LOGGING_TO_API_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    }


quiet_environment()
os.environ.pop("PREFECT_API_URL", None)
os.environ.update(lone_environment(Path(tempfile.mkdtemp(prefix="homeostat-tests-"))))
sys.addaudithook(refuse_outside)
