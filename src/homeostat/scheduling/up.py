"""``homeostat up``: a server, the schedules and a runner for one project; ``homeostat run``: one flow, now, here.

The flows are the project's own, in ``flows/``; ``flows/schedules.py`` lists them.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from homeostat.adapters import prefect_server
from homeostat.adapters.prefect_database import BROKEN
from homeostat.adapters.telemetry import quiet_environment
from homeostat.core.errors import EnvironmentFault, ScopeError, UsageError
from homeostat.core.findings import Finding
from homeostat.core.periods import floor
from homeostat.core.rules import Rule
from homeostat.monitoring.alerts import raise_alerts, read_incidents
from homeostat.project.clock import clock_now, stands_at, start_clock, wall_interval
from homeostat.project.layout import Project
from homeostat.project.lock import is_locked, one_run
from homeostat.project.up_address import note_path, where
from homeostat.project.value_types import format_duration
from homeostat.serving.paths import token

SHORTEST = timedelta(seconds=10)  # between two runs: a run costs seconds, and one tick covers everything due
LOG_SETTINGS = Path(prefect_server.__file__).with_name("prefect_logging.yml")


def up(project: Project, say: Callable[[str], None] = print) -> None:
    """Serve the project's flows on its clock until Ctrl-C or SIGTERM; runs in progress are stopped then.

    The server is that of PREFECT_API_URL, or one of the project's own on loopback.

    Raises:
        EnvironmentFault: it is up already, or the server cannot be started or reached.
        ScopeError: the project has no flows.
    """
    name = project.scope.project  # read first: an error in the scope is reported before anything is started
    from homeostat.scheduling.pages import serving_pages

    with (
        _only_one(project) as note, _server(project, whole=True) as url, serving_pages(project) as pages,
        _flows(project) as table,
    ):  # fmt: skip
        from homeostat.adapters import prefect

        note(url, f"{pages}/")
        start_clock(project)
        rows = [_served(project, flow, length) for flow, length in table]
        with prefect.using_server(url, project.home):
            announce = partial(_announce, project, url, pages, rows, say)
            prefect.serve(name, project.home, rows, announce, shared="PREFECT_API_URL" in os.environ)
    say(f"{name} is down; its schedules are paused")


def run_flow(project: Project, name: str, now: datetime | None = None, **parameters: Any) -> Any:
    """Run a flow of the project in this process, now or as of ``now``; its result.

    Its log goes to standard error and to a server: that of PREFECT_API_URL, that of ``homeostat up`` where it runs, or
    one that lives as long as the run.

    Raises:
        UsageError: there is no such flow.
        HomeostatError: what the flow raised.
    """
    of_project = project.scope.project
    with _flows(project) as table:
        flows = {flow.name: flow for flow, _ in table}
        if name not in flows:
            raise UsageError(f"{name}: no such flow in {project.home / 'flows'}; choose one of {', '.join(flows)}")
        with _server(project, whole=False) as url:
            from homeostat.adapters import prefect

            with prefect.using_server(url, project.home):
                given = {"project": str(project.home), "now": now, **parameters}
                return prefect.run_in_process(flows[name], of_project, given)


def schedules(project: Project) -> list[tuple[str, str | None]]:
    """The project's table of schedules: each flow, and the entry of the rhythm that it runs by; None: on request.

    Raises:
        ScopeError: there is no table.
    """
    with _flows(project) as table:
        return [(flow.name, length) for flow, length in table]


def end_dead_runs(folder: Path | None = None) -> None:
    """A step of ``prefect deploy``: have the server end runs of the project whose machine has died."""
    from homeostat.adapters import prefect

    prefect.watch(Project.find(folder or Path.cwd()).scope.project)


def interval(project: Project, length: str) -> timedelta:
    """The time between two runs by an entry of the scope's rhythm, on the wall clock."""
    return max(wall_interval(project, getattr(project.scope.rhythm, length)), SHORTEST)


def _served(project: Project, flow: Any, length: str | None) -> Any:
    """A row of the table of schedules on the wall clock: the first run is at the project's next period of that length.

    A run that fell due while nothing was up starts at once.
    """
    from homeostat.adapters.prefect import ScheduledFlow

    if length is None:
        return ScheduledFlow(flow)
    rhythm, now = project.scope.rhythm, clock_now(project)
    every = getattr(rhythm, length)
    due = floor(now, every, rhythm.offset)
    first = datetime.now(UTC) + wall_interval(project, due + every - now)
    return ScheduledFlow(flow, interval(project, length), first, at_once=due > stands_at(project))


def _announce(project: Project, url: str, pages: str, rows: list[Any], say: Callable[[str], None]) -> None:
    """Print where to look and what runs next."""
    scope = project.scope
    clock = "the wall clock" if scope.clock.start is None else f"its own clock, {scope.clock.speed:g} times real time"
    say(f"{scope.project} is up on {clock}: {clock_now(project):%Y-%m-%d %H:%M} UTC there")
    say(f"  look at  {url.removesuffix('/api')}")
    say(f"  pages    {pages}/; the password is the token in {token(project)}")
    if "PREFECT_API_URL" not in os.environ:
        say(f"  log      {project.home / '.prefect' / 'server.log'}")
    for row in rows:
        if row.every is not None:
            soon = "now, then " if row.at_once else "next "
            say(f"  {row.flow.name:<10} every {_words(row.every)}, {soon}at {row.first.astimezone():%Y-%m-%d %H:%M:%S}")
    on_request = [row.flow.name for row in rows if row.every is None]
    say(f"  on request, by `homeostat run NAME`: {', '.join(on_request)}")
    say("Ctrl-C ends it.")


def _words(length: timedelta) -> str:
    return format_duration(timedelta(seconds=round(length.total_seconds())))


# ---- the project's flows


@contextmanager
def _flows(project: Project) -> Iterator[tuple[tuple[Any, str | None], ...]]:
    """The project's table of schedules, with this process in its folder and its flows importable.

    Raises:
        ScopeError: there is none.
    """
    path = project.home / "flows" / "schedules.py"
    if not path.is_file():
        raise ScopeError(f"{path}: not there; list the project's flows in it, or git restore it")
    _set_environment(project)
    with contextlib.chdir(project.home):  # runs start here, and import the same flows
        sys.path.insert(0, str(project.home))
        try:
            for name in [n for n in sys.modules if n.split(".")[0] == "flows"]:
                del sys.modules[name]  # of another project
            yield importlib.import_module("flows.schedules").SCHEDULES
        finally:
            sys.path.remove(str(project.home))


def _set_environment(project: Project) -> None:
    """Set what Prefect reads at import, here and in the runs: no telemetry, our log format, its home in the project."""
    quiet_environment()
    os.environ.setdefault("PREFECT_LOGGING_SETTINGS_PATH", str(LOG_SETTINGS))
    os.environ["PREFECT_HOME"] = str(project.home / ".prefect")


# ---- the server


@contextmanager
def _server(project: Project, whole: bool) -> Iterator[str]:
    """The server that PREFECT_API_URL names or that is up already, else one of our own meanwhile."""
    url = os.environ.get("PREFECT_API_URL") or where(project)
    if url is None:
        with prefect_server.server(project.home, whole, broken=partial(_note_broken, project)) as own:
            yield own
        return
    if not prefect_server.answers(url, seconds=10):
        raise EnvironmentFault(f"{url}: no Prefect server answers; start it, or unset PREFECT_API_URL")
    yield url


def _note_broken(project: Project, why: str) -> None:
    """Open an incident: Prefect's database was put aside. It closes with the second run that completes."""
    with one_run(project):
        facts = {"why": why, "kept": f".prefect/{BROKEN}"}
        finding = Finding(Rule.RUN_HISTORY, "", "fail", facts=facts)
        raise_alerts(project, read_incidents(project), [finding], clock_now(project))


@contextmanager
def _only_one(project: Project) -> Iterator[Callable[[str, str], None]]:
    """Be the only ``up`` of the project; the function that this gives notes the addresses of server and pages."""
    path = note_path(project)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as note:
        if is_locked(note.fileno(), fcntl.LOCK_EX):
            url = where(project) or "a server that is starting"
            raise EnvironmentFault(f"{project.home}: up already, with {url}; end that one first")
        note.truncate(0)

        def write(url: str, pages: str) -> None:
            note.write(json.dumps({"url": url, "pages": pages, "pid": os.getpid()}))
            note.flush()

        yield write
        note.truncate(0)
