"""The project's own Prefect server keeps a month of runs and a week of events, and little of what it has freed."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import psutil
import pytest
from at_work import ask, until

from homeostat.adapters import allocators
from homeostat.adapters.prefect_server import EVENTS_KEPT, RUNS_KEPT, server

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)


def end_at(home: Path, run: str, end: datetime) -> None:
    """Date a run's end back, which the API does not allow."""
    with contextlib.closing(sqlite3.connect(home / ".prefect" / "prefect.db", timeout=30)) as database, database:
        naive = f"{end.replace(tzinfo=None)}"
        assert database.execute("UPDATE flow_run SET end_time = ? WHERE id = ?", (naive, run)).rowcount == 1


def posted(client: httpx.Client, path: str, body: object) -> httpx.Response:
    """The answer; 503 says that the database is locked just now, and Prefect's own clients ask again too."""
    while (answer := client.post(path, json=body)).status_code == httpx.codes.SERVICE_UNAVAILABLE:
        time.sleep(0.2)
    return answer.raise_for_status()


@pytest.mark.slow
def test_old_runs_and_events_are_deleted_and_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_SERVER_SERVICES_DB_VACUUM_LOOP_SECONDS", "2")  # instead of an hour
    with server(tmp_path) as api, httpx.Client(base_url=f"{api}/", timeout=30, trust_env=False) as client:
        (process,) = (p for p in psutil.Process().children() if "homeostat.adapters.prefect_server" in p.cmdline())
        assert allocators.FOR_OBJECTS.items() <= process.environ().items()
        flow = posted(client, "flows/", {"name": "lifecycle"}).json()["id"]
        runs = {}
        for name in ("old", "young"):
            body = {"name": name, "flow_id": flow, "state": {"type": "COMPLETED"}}
            runs[name] = posted(client, "flow_runs/", body).json()["id"]
        resource = {"prefect.resource.id": "model.meters"}
        past = {"old": NOW - EVENTS_KEPT - HOUR, "young": NOW - EVENTS_KEPT + HOUR}
        sent = [
            {"event": f"homeostat.{name}", "id": str(uuid4()), "occurred": at.isoformat(), "resource": resource}
            for name, at in past.items()
        ]
        posted(client, "events", sent)
        for name, age in (("young", RUNS_KEPT - HOUR), ("old", RUNS_KEPT + HOUR)):
            end_at(tmp_path, runs[name], NOW - age)

        def kept() -> tuple[set[str], set[str]]:
            since = {"occurred": {"since": (NOW - 2 * EVENTS_KEPT).isoformat()}, "event": {"prefix": ["homeostat."]}}
            events = {event["event"] for event in ask(api, "events", filter=since)}
            return {run["name"] for run in ask(api, "flow_runs")}, events

        until(lambda: kept() == ({"young"}, {"homeostat.young"}), 60, "the end of old runs and events alone")
