"""What every test stands on: telemetry off, no outside network, nobody's git or Prefect settings."""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from homeostat.adapters.telemetry import quiet_environment

if TYPE_CHECKING:
    import polars as pl

    from homeostat.project.layout import Project

collect_ignore = ["killing_site"]  # Python's own start-up file for the processes that test_kills kills
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
        "XDG_STATE_HOME": str(home / "state"),
    }


# A deadline is of the wall's clock: on a busy machine it fails tests that hold.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
quiet_environment()
os.environ.pop("PREFECT_API_URL", None)
os.environ.update(lone_environment(Path(tempfile.mkdtemp(prefix="homeostat-tests-"))))
sys.addaudithook(refuse_outside)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files with most slow tests first, so that no worker is left with one of them while the others are idle."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


@pytest.fixture
def meters(tmp_path: Path) -> Callable[..., Project]:
    """Make the project from a table of readings, ``hours`` of it landed; labels are 2024-03-01T00 and on."""
    from readings import CONTRACT, PARAMS, START, write_contract
    from steps import land

    from homeostat.core.periods import periods_between
    from homeostat.project.layout import Project

    def make(rows: pl.DataFrame, hours: int = 10) -> Project:
        (tmp_path / "params.yaml").write_text(PARAMS)
        rows.write_csv(tmp_path / "readings.csv", datetime_format="%Y-%m-%dT%H:%M:%S", null_value="NA")
        (tmp_path / "data").mkdir(exist_ok=True)
        end = START + timedelta(hours=hours)
        (tmp_path / "data" / "window.yaml").write_text(f"from: {START.isoformat()}\nas_of: {end.isoformat()}\n")
        project = Project(tmp_path, tmp_path)
        write_contract(project, CONTRACT)
        for period in periods_between(START, end, timedelta(hours=1), timedelta(0)):
            land(project, "readings", period)
        return project

    return make
