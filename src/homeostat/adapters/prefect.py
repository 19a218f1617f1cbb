"""Prefect: retries of tasks that touch the outside, decisions as artifacts and events, runs and their supervision.

The one module that imports Prefect, the flows included; ``homeostat --help`` does not import it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast
from uuid import UUID

import httpx
from prefect import Flow, Task, flow, get_run_logger, runtime, tags, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.context import FlowRunContext
from prefect.deployments.runner import EntrypointType
from prefect.events import emit_event
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.worker import EventsWorker
from prefect.exceptions import ObjectNotFound
from prefect.logging.handlers import APILogWorker
from prefect.runner import Runner
from prefect.schedules import Interval
from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, PREFECT_HOME, temporary_settings
from prefect.states import Crashed
from prefect.tasks import exponential_backoff

from homeostat.adapters.log_lines import has_fix
from homeostat.adapters.prefect_server import answers
from homeostat.core.errors import DataError, EnvironmentFault, HomeostatError
from homeostat.core.evidence_table import evidence_table
from homeostat.core.findings import Decision
from homeostat.core.headlines import headline
from homeostat.core.incidents import Incident
from homeostat.core.periods import DAY, floor
from homeostat.core.rules import Reason
from homeostat.core.text import typed_time
from homeostat.project.clock import clock_now
from homeostat.project.layout import Project
from homeostat.project.process import alive
from homeostat.project.run_context import naive

HEARTBEAT = 30  # seconds between two heartbeats of a run: the least that Prefect accepts
SILENCE = timedelta(seconds=3 * HEARTBEAT)  # after which a run counts as dead: three heartbeats missed
POLL = 5  # seconds between two queries for runs that are due
SWEEP = 30  # seconds between two looks for runs by hand whose process is gone
EARLY = timedelta(seconds=1)  # Prefect rounds the time to wait: a run might begin before its period has ended
CONCURRENT = 2  # runs at a time: one has the project's lock, the next waits for it and says so
PATIENCE = 90.0  # seconds of silence after which a server counts as lost: it may wait 60 s for its database
UNFINISHED = ("RUNNING", "PENDING", "CANCELLING")
OVER = "homeostat.flow-run.over"  # event: a run has reported its end, after its last heartbeat

Given = ParamSpec("Given")
Answer = TypeVar("Answer")


def _may_pass(task: Any, run: Any, state: State[Any]) -> bool:
    error = state.result(raise_on_failure=False) if state.is_failed() else None
    return isinstance(error, DataError | OSError)


def retried_task(function: Callable[Given, Answer], name: str = "") -> Task[Given, Answer]:
    """Make a task of a function that touches the outside world (reads sources, pushes, notifies), and of no other.

    It is retried after 2, 4 and 8 seconds with jitter of half that, on errors that may pass. Prefect persists no
    result: the loop is idempotent. Its runs are named after it and the run of the flow.
    """
    own = name or function.__name__
    make = task(
        name=own,
        task_run_name=partial(_task_run_name, own),
        retries=3,
        retry_delay_seconds=exponential_backoff(2),
        retry_jitter_factor=0.5,
        retry_condition_fn=_may_pass,
        cache_policy=NO_CACHE,
        persist_result=False,
    )
    return make(function)


def _task_run_name(name: str) -> str:
    return f"{name}, {runtime.flow_run.name}"


def project_flow(name: str) -> Callable[[Callable[Given, Answer]], Flow[Given, Answer]]:
    """Make a flow of a function that takes a project's folder and a time, ``project`` and ``now``.

    Its runs are named after the project and the tick, what it prints is logged, and the server learns their end.
    """
    hooks: list[Any] = [_over]
    return flow(
        name=name,
        flow_run_name=_run_name,
        log_prints=True,
        on_completion=hooks,
        on_failure=hooks,
        on_cancellation=hooks,
        on_crashed=hooks,
    )


def _run_name() -> str:
    """The name of the run that begins; that of the folder where the scope cannot be read, as the run will report."""
    given = runtime.flow_run.parameters
    folder = Path(given["project"])
    try:
        project = Project.find(folder)
        now = given.get("now")
        return run_name(project, clock_now(project) if now is None else naive(now))
    except HomeostatError:
        return folder.resolve().name


def run_name(project: Project, now: datetime) -> str:
    """A run by its project and tick, which has no time of day where a tick is whole days: ``demand 2024-03-01``."""
    rhythm = project.scope.rhythm
    tick = floor(now, rhythm.tick, rhythm.offset)
    return f"{project.scope.project} {tick:{'%Y-%m-%d %H:%M' if rhythm.tick % DAY else '%Y-%m-%d'}}"


def name_run(project: Project, now: datetime) -> None:
    """Name the flow run that is at work after the time that it took for its own, later than when it began."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return
    context.flow_run.name = run_name(project, now)
    with get_client(sync_client=True) as client:
        client.set_flow_run_name(context.flow_run.id, context.flow_run.name)


def _over(_: Any, run: FlowRun, __: Any) -> None:
    """Have ``watch`` expect no more of a run.

    The server's own event of the end does not do: it may come before a heartbeat that was sent earlier, and the server
    keeps it back for a quarter of an hour where the run was scheduled in the last five minutes.
    """
    related = [{"prefect.resource.id": f"prefect.tag.{tag}", "prefect.resource.role": "tag"} for tag in run.tags]
    resource = {"prefect.resource.id": f"prefect.flow-run.{run.id}", "prefect.resource.name": run.name}
    emit_event(OVER, resource=resource, related=related)


# ---- decisions


def log(line: str, answer: bool = False) -> None:
    """Write a line to the log of the running flow; ``answer`` marks the flow's result."""
    get_run_logger().info(line, extra={"answer": answer})


def publish_decision(project: str, decision: Decision, at: datetime) -> None:
    """Publish a decision: an artifact ``<project>-decision``, and an event of the resource ``model.<project>``.

    The event is ``homeostat.decision``. A trigger that passes a number of its payload to a run has to wrap it, or the
    run gets a string:
    ``{"__prefect_kind": "json", "value": {"__prefect_kind": "jinja", "template": "{{ event.payload.at | tojson }}"}}``.
    """
    key = _key(f"{project}-decision")
    create_markdown_artifact(page_of(project, decision, at), key=key, description=headline(decision))
    emit_event("homeostat.decision", resource=_model(project), payload=payload_of(decision, at))


def publish_incident(project: str, incident: Incident, lines: Iterable[tuple[str, str]]) -> None:
    """Publish an incident: an artifact ``<project>-incident`` of the ``lines`` of its screen, and an event.

    The event is ``homeostat.incident`` of the resource ``model.<project>``, for automations that alert people.
    """
    rows = [_row("", ""), "|---|---|", *(_row(name, text) for name, text in lines)]
    page = "\n\n".join([f"# {project}: {incident.problem}", "\n".join(rows)])
    create_markdown_artifact(page, key=_key(f"{project}-incident"), description=incident.sentence)
    payload = {"problem": incident.problem, **incident.to_dict()}
    emit_event("homeostat.incident", resource=_model(project), payload=payload)


def _key(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name.lower())


def page_of(project: str, decision: Decision, at: datetime) -> str:
    """A decision as Markdown: the headline first, then the table of evidence."""
    table = evidence_table(decision)
    rows = [_row(*table.headings), "|---|---:|---:|---:|---|", *(_row(*row.cells) for row in table.rows)]
    evidence = [f"Evidence: {', '.join(f'`{e}`' for e in decision.evidence)}"] if decision.evidence else []
    head = [f"# {headline(decision)}", f"{project}, {at:%Y-%m-%d %H:%M} project time"]
    if decision.reason == Reason.WAITS:
        typed = f"homeostat approve {typed_time(at)} --why TEXT"
        head.append(f"To answer, run the deployment `approval` here, or type `{typed}`, with `--decline` for no.")
    return "\n\n".join([*head, *(["\n".join(rows)] if table.rows else []), *evidence])


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def payload_of(decision: Decision, at: datetime) -> dict[str, Any]:
    """A decision as an event carries it: plain JSON, with numbers as numbers."""
    return {
        "action": decision.action,
        "headline": headline(decision),
        "at": at.isoformat(),
        "measured": {f.name: _plain(f.value) for f in decision.findings},
        "limits": {f.name: _plain(f.limit) for f in decision.findings},
        "failed": [f.name for f in decision.findings if f.failed],
        "evidence": list(decision.evidence),
    }


def _model(project: str) -> dict[str, str]:
    return {"prefect.resource.id": f"model.{project}", "prefect.resource.name": project}


def _plain(value: float | None) -> float | None:
    """A number of any library as Python's own; None for one that JSON cannot hold."""
    return float(value) if value is not None and math.isfinite(value) else None


# ---- runs


@dataclass(frozen=True)
class ScheduledFlow:
    """A flow with its interval and its first run by the wall clock; neither where it runs on request alone.

    ``at_once``: run it also as soon as it is served.
    """

    flow: Flow[..., Any]
    every: timedelta | None = None
    first: datetime | None = None  # aware
    at_once: bool = False


@contextmanager
def using_server(url: str, home: Path) -> Iterator[None]:
    """Use the server at ``url`` in this process and in the runs that it starts; all logs and events are sent."""
    settings = {
        PREFECT_API_URL: url,
        PREFECT_HOME: home / ".prefect",
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY: HEARTBEAT,
    }
    with temporary_settings(settings):
        try:
            yield
        finally:
            EventsWorker.drain_all(timeout=10, at_exit=False)
            APILogWorker.drain_all(timeout=10, at_exit=False)


def run_in_process(flow: Flow[..., Any], project: str, parameters: dict[str, Any]) -> Any:
    """Run a flow in this process; its result, or the error that it raised.

    The run is tagged with the project and this process, so that ``sweep`` can end it if the process dies.
    """
    for handler in logging.getLogger().handlers:
        handler.addFilter(_not_printed_by_caller)
    with tags(project, _this_process()):
        return flow(**parameters)


def serve(
    project: str, folder: Path, table: Sequence[ScheduledFlow], ready: Callable[[], None], shared: bool = False
) -> None:
    """Serve the flows until SIGINT or SIGTERM; runs that an earlier process left unfinished are ended first.

    ``ready`` is called when every flow is registered. A run starts in the working folder of this process. A ``shared``
    server outlives this process, and so has to watch the runs itself.

    Raises:
        EnvironmentFault: the server is lost, or another folder serves a project of this name there.
    """
    runner = Runner(name=project, limit=CONCURRENT, query_seconds=POLL, heartbeat_seconds=HEARTBEAT)
    with get_client(sync_client=True) as client:
        for row in table:
            _refuse_other_folder(client, project, folder, row)
        deployments = {cast(UUID, runner.add_deployment(_deployment(project, folder, row))): row for row in table}
        sweep(client, project, list(deployments))
        for deployment, row in deployments.items():
            if row.at_once:
                client.create_flow_run_from_deployment(deployment)
    (watch if shared else unwatch)(project)
    ready()
    try:
        asyncio.run(_until_stopped(runner, PREFECT_API_URL.value(), project))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return


async def _until_stopped(runner: Runner, url: str, project: str) -> None:
    """Run until Ctrl-C or SIGTERM, or until the server has been silent for too long."""
    loop, running = asyncio.get_running_loop(), asyncio.create_task(runner.start())
    silent = asyncio.create_task(_until_silent(url))
    sweeping = asyncio.create_task(_keep_sweeping(project))

    def end(*_: Any) -> None:
        loop.call_soon_threadsafe(running.cancel)

    runner.handle_sigterm = end  # type: ignore[method-assign]
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # a shell makes background processes ignore Ctrl-C
        loop.add_signal_handler(signal.SIGINT, end)
    await asyncio.wait({running, silent}, return_when=asyncio.FIRST_COMPLETED)
    sweeping.cancel()
    if silent.done():
        running.cancel()
        await asyncio.wait({running}, timeout=PATIENCE)
        raise EnvironmentFault(f"{url}: the Prefect server is silent; look at its log, then start again")
    silent.cancel()
    await running


async def _until_silent(url: str) -> None:
    last_answer = time.monotonic()
    while time.monotonic() - last_answer < PATIENCE:
        if await asyncio.to_thread(answers, url, 10):
            last_answer = time.monotonic()
        await asyncio.sleep(POLL)


async def _keep_sweeping(project: str) -> None:
    """End runs by hand whose process is gone; those of a deployment are ended by the runner that started them."""
    while True:
        await asyncio.sleep(SWEEP)
        with contextlib.suppress(httpx.HTTPError):  # a server that stays away ends this process
            await asyncio.to_thread(_sweep_processes, project)


def _sweep_processes(project: str) -> None:
    with get_client(sync_client=True) as client:
        _crash(client, _left_by_processes(client, project), force=False)  # one may have completed since it was listed


def deployment_name(project: str, flow: Flow[..., Any]) -> str:
    """The name of a flow on the server, which several projects may share."""
    return f"{project}-{flow.name}"


def _deployment(project: str, folder: Path, row: ScheduledFlow) -> Any:
    schedule = Interval(row.every, anchor_date=row.first and row.first + EARLY) if row.every else None
    return row.flow.to_deployment(
        deployment_name(project, row.flow),
        schedule=schedule,
        paused=False,  # an earlier serve paused it when it ended
        parameters={"project": str(folder)},
        tags=[project],
        entrypoint_type=EntrypointType.MODULE_PATH,
    )


def _refuse_other_folder(client: SyncPrefectClient, project: str, folder: Path, row: ScheduledFlow) -> None:
    try:
        deployment = client.read_deployment_by_name(f"{row.flow.name}/{deployment_name(project, row.flow)}")
    except ObjectNotFound:
        return
    theirs = deployment.parameters.get("project")
    if theirs != str(folder) and not deployment.paused:
        whose = theirs or "a work pool"
        raise EnvironmentFault(
            f"{PREFECT_API_URL.value()}: serves {project} from {whose}; end or delete that one, or rename this project"
        )


def sweep(client: SyncPrefectClient, project: str, deployments: list[UUID]) -> int:
    """End runs that a dead machine or process left unfinished; how many.

    A run of a deployment has no runner but this process; one started by hand is tagged with its process. Scheduled runs
    whose time has passed are deleted too: one tick covers everything since the last.
    """
    unfinished = _runs(client, UNFINISHED, deployment_id={"any_": deployments})
    unfinished += _left_by_processes(client, project)
    _crash(client, unfinished, force=True)
    for run in _runs(client, ("SCHEDULED",), deployment_id={"any_": deployments}):
        if run.auto_scheduled and run.next_scheduled_start_time and run.next_scheduled_start_time < datetime.now(UTC):
            client.delete_flow_run(run.id)
    return len(unfinished)


def _left_by_processes(client: SyncPrefectClient, project: str) -> list[FlowRun]:
    return [run for run in _runs(client, UNFINISHED, tags={"all_": [project]}) if _process_gone(run.tags)]


def _crash(client: SyncPrefectClient, runs: Sequence[FlowRun], force: bool) -> None:
    """End runs; with ``force`` also those that are ending, without it none that has ended meanwhile."""
    for run in runs:
        client.set_flow_run_state(run.id, Crashed(message="its machine or its runner died"), force=force)


def watch(project: str, silence: timedelta = SILENCE) -> None:
    """Have the server end runs of the project whose heartbeat has stopped: a dead process cannot report its end.

    Only a heartbeat begins to wait for another event of its run: the server may see the event of a run's start after
    that of its end, and would then wait for more of a run that is over. So a run that is killed in its first second,
    before its first heartbeat, is left to the next start.
    """
    trigger = EventTrigger(
        posture=Posture.Proactive,
        after={"prefect.flow-run.heartbeat"},
        expect={"prefect.flow-run.*", OVER},  # another heartbeat, or its end
        match={"prefect.resource.id": "prefect.flow-run.*"},
        match_related={"prefect.resource.role": "tag", "prefect.resource.id": f"prefect.tag.{project}"},
        for_each={"prefect.resource.id"},
        within=silence,
    )
    message = f"no heartbeat for {silence.seconds} s"
    end = ChangeFlowRunState(name=None, force=False, state=StateType.CRASHED, message=message)
    unwatch(project)
    with get_client(sync_client=True) as client:
        client.create_automation(AutomationCore(name=_watch_name(project), trigger=trigger, actions=[end]))


def unwatch(project: str) -> None:
    """Take back what ``watch`` asked of the server, now or in an earlier version."""
    with get_client(sync_client=True) as client:
        for earlier in client.read_automations_by_name(_watch_name(project)):
            client.delete_automation(earlier.id)


def _watch_name(project: str) -> str:
    return f"{project}: a run without a heartbeat has crashed"


def _runs(client: SyncPrefectClient, states: Sequence[str], **chosen: Any) -> list[FlowRun]:
    wanted = FlowRunFilter.model_validate({"state": {"type": {"any_": list(states)}}, **chosen})
    return client.read_flow_runs(flow_run_filter=wanted, limit=200)


def _this_process() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"


def _process_gone(tags: Sequence[str]) -> bool:
    """Whether a run is tagged with a process of this machine that has ended."""
    matches = [re.fullmatch(rf"process (\d+) on {re.escape(socket.gethostname())}", tag) for tag in tags]
    return any(not alive(int(match[1])) for match in matches if match)


def _not_printed_by_caller(record: logging.LogRecord) -> bool:
    """Leave out what the caller prints: the result, or the error."""
    return not has_fix(record) and not getattr(record, "answer", False)
