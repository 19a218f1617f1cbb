"""Thousands of short runs under ``homeostat up``: the memory of server and ``up``, and the database, have to level off.

    .venv/bin/python benchmarks/soak.py --runs 2000 [--minutes 35]

Each run does what a tick leaves on the server: a task, log lines, a decision as artifact and event. ``up`` starts what
its runner takes, two runs each 5 seconds; threads beside it run the same flow in process, as ``homeostat run`` does.
History is kept for a month, too long for a benchmark: runs and events are aged, in the database, once they are two
minutes old, so that the server deletes them as it would a month later, every 20 seconds instead of every hour.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "tests")]

import httpx  # noqa: E402
from at_work import Up, ask, toyed, up  # noqa: E402
from service_load import resident  # noqa: E402

from homeostat.adapters.telemetry import quiet_environment  # noqa: E402

quiet_environment()
os.environ["PREFECT_LOGGING_LEVEL"] = "WARNING"  # of this process: its table is not interrupted

from prefect.exceptions import PrefectHTTPStatusError  # noqa: E402

from homeostat.adapters import prefect  # noqa: E402
from homeostat.project.layout import Project  # noqa: E402

FLOW = """
from __future__ import annotations
from datetime import datetime
from pathlib import Path
from homeostat.adapters.prefect import log, project_flow, publish_decision, retried_task
from homeostat.core.findings import Decision, Finding
from homeostat.core.rules import Reason, Rule

look = retried_task(lambda: 0.25, name="look")

@project_flow(name="pulse")
def pulse(project: Path = Path(), now: datetime | None = None) -> str:
    measured = Finding(Rule.CALIBRATION, "pulse", "pass", look(), 1.0)
    log("a line of the log")
    publish_decision("toys", Decision("nothing", Reason.NOTHING_DUE, findings=(measured,)), datetime(2024, 3, 1))
    log("a pulse of 0.25", answer=True)
    return "a pulse of 0.25"
"""
TABLE = "from flows.pulse import pulse\nSCHEDULES = ((pulse, None),)\n"
YOUNG = timedelta(minutes=2)  # after which a run is aged
OLD = timedelta(days=365)
EVERY = 60.0  # seconds between two rows of the table
THREADS = 2
AHEAD = 2  # runs that wait for the runner


def soaked(folder: Path) -> Project:
    """A project of one flow, which is run on request."""
    project = toyed(folder)
    (project.home / "flows" / "pulse.py").write_text(FLOW)
    (project.home / "flows" / "schedules.py").write_text(TABLE)
    return project


def age(database: Path) -> None:
    """Date runs and events that are not young any more back by a year."""
    young, old = (f"{datetime.now(UTC).replace(tzinfo=None) - length}" for length in (YOUNG, OLD))
    with contextlib.closing(sqlite3.connect(database, timeout=60)) as connection:
        for table, column in (("flow_run", "end_time"), ("events", "occurred"), ("event_resources", "occurred")):
            with connection:  # a short transaction each: the server waits for it
                aged = f"UPDATE {table} SET {column} = ? WHERE {column} < ? AND {column} > ?"
                connection.execute(aged, (old, young, old))


class Pulses:
    """Runs beside ``up``, in threads of this process; ``done`` counts them, ``busy`` those that the server refused."""

    def __init__(self, project: Project, api: str, limit: int) -> None:
        self.project, self.api, self.limit = project, api, limit
        self.begun = self.done = self.busy = 0
        self.ending, self.lock = threading.Event(), threading.Lock()

    def run(self) -> None:
        """Run the flow until there were enough runs."""
        from flows.pulse import pulse

        with prefect.using_server(self.api, self.project.home):
            while not self.ending.is_set() and self._begin():
                try:
                    prefect.run_in_process(pulse, "toys", {"project": str(self.project.home)})
                except PrefectHTTPStatusError as error:
                    if error.response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                        raise
                    self.busy += 1  # its client has asked six times: the machine is overloaded
                    continue
                with self.lock:
                    self.done += 1

    def _begin(self) -> bool:
        with self.lock:
            self.begun += 1
            return self.begun <= self.limit


class Server:
    """The API of ``up``: ``created`` runs were given to its runner, ``waiting`` ones have not begun."""

    def __init__(self, api: str) -> None:
        self.client = httpx.Client(base_url=f"{api}/", timeout=120, trust_env=False)
        self.deployment = ask(api, "deployments")[0]["id"]
        self.created = self.waiting = 0

    def count(self, *states: str) -> int:
        """Runs in one of the states; without a state all."""
        chosen = {"flow_runs": {"state": {"type": {"any_": states}}}} if states else {}
        return int(self._post("flow_runs/count", chosen).text)

    def feed(self) -> None:
        """Keep some runs ahead of the runner."""
        self.waiting = self.count("SCHEDULED", "PENDING")
        for _ in range(AHEAD - self.waiting):
            self._post(f"deployments/{self.deployment}/create_flow_run", {})
            self.created += 1
            self.waiting += 1

    def _post(self, path: str, body: dict[str, object]) -> httpx.Response:
        """The answer to a request, sent again while the database is busy, as Prefect's own clients do."""
        while (answer := self.client.post(path, json=body)).status_code == httpx.codes.SERVICE_UNAVAILABLE:
            time.sleep(1)
        return answer.raise_for_status()


@contextmanager
def pulsing(project: Project, api: str, limit: int) -> Iterator[Pulses]:
    """Runs beside ``up`` while this context lasts."""
    sys.path.insert(0, str(project.home))
    pulses = Pulses(project, api, limit)
    with ThreadPoolExecutor(THREADS) as pool:
        futures = [pool.submit(pulses.run) for _ in range(THREADS)]
        try:
            yield pulses
        finally:
            pulses.ending.set()
    for future in futures:
        future.result()


def row(running: Up, database: Path, seconds: float, runs: int) -> str:
    """Memory and database after so many seconds and runs."""
    children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children").read_text().split()
    commands = {child: Path(f"/proc/{child}/cmdline") for child in children}
    server = next(int(c) for c, line in commands.items() if line.exists() and b"prefect_server" in line.read_bytes())
    sizes = [sum(p.stat().st_size for p in database.parent.glob(name)) / 1e6 for name in ("prefect.db*", "server.log")]
    memory = resident(server), resident(running.process.pid)
    return f"{seconds / 60:7.1f} {runs:6d} {memory[0]:10.0f} {memory[1]:6.0f} {sizes[0]:12.1f} {sizes[1]:8.2f}"


def main() -> None:
    """Run, age and measure until there were so many runs, or the time is over."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=2000)
    options.add_argument("--minutes", type=float, default=60.0)
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="homeostat-soak-") as place:
        project = soaked(Path(place) / "toys")
        database = project.home / ".prefect" / "prefect.db"
        with up(project, PREFECT_SERVER_SERVICES_DB_VACUUM_LOOP_SECONDS="20") as running:
            soak(running, project, database, given.runs, 60 * given.minutes)


def soak(running: Up, project: Project, database: Path, runs: int, seconds: float) -> None:
    """Print a row each minute until there were so many runs."""
    print("minutes   runs  server MB  up MB  database MB  log MB", flush=True)
    server, began, due = Server(running.api), time.monotonic(), 0.0
    with pulsing(project, running.api, runs) as pulses:
        while True:
            server.feed()
            passed, by_up = time.monotonic() - began, server.created - server.waiting
            ended = by_up + pulses.done >= runs or passed >= seconds
            if passed >= due or ended:
                age(database)
                print(row(running, database, passed, by_up + pulses.done), flush=True)
                due += EVERY
            if ended:
                break
            time.sleep(2)
    refused = f"; {pulses.busy} refused by a busy server" if pulses.busy else ""
    print(f"{by_up + pulses.done} runs, {by_up} by the runner of `up`; the server has kept {server.count()}{refused}")


if __name__ == "__main__":
    main()
