"""Prefect: what the outside may break is tried again, decisions are published, runs are served and never left hanging.

The one module of the package that imports Prefect; ``homeostat --help`` does not reach it.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from prefect import Flow, get_run_logger, tags, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun, State, StateType
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

from homeostat.adapters.log_lines import told
from homeostat.adapters.prefect_server import answers
from homeostat.core.errors import DataError, EnvironmentFault
from homeostat.core.evidence_table import evidence_table
from homeostat.core.findings import Decision
from homeostat.core.headlines import headline
from homeostat.core.incidents import Incident
from homeostat.project.clock import alive

HEARTBEAT = 30  # seconds between two signs of life of a run: the least that Prefect takes
SILENCE = timedelta(seconds=3 * HEARTBEAT)  # of a run that has died: three signs missed
POLL = 5  # seconds between two looks for runs that are due
EARLY = timedelta(seconds=1)  # Prefect rounds what is left to wait: a run may begin before its period has ended
AT_WORK = 2  # runs at a time: one at work, and the next that waits its turn and says so
PATIENCE = 30.0  # seconds of silence after which a server counts as lost
UNFINISHED = ("RUNNING", "PENDING", "CANCELLING")


def _outside_may_fix(task: Any, run: Any, state: State[Any]) -> bool:
    error = state.result(raise_on_failure=False) if state.is_failed() else None
    return isinstance(error, DataError | OSError)


# For a task that touches the outside world (reads sources, pushes, notifies), and for no other: tried again after 2, 4
# and 8 seconds, half as long again by chance, where the outside may have fixed itself. Nothing of it is kept by
# Prefect: the loop finds done what is done.
outside: Callable[..., Any] = task(
    retries=3,
    retry_delay_seconds=exponential_backoff(2),
    retry_jitter_factor=0.5,
    retry_condition_fn=_outside_may_fix,
    cache_policy=NO_CACHE,
    persist_result=False,
)


# ---- decisions


def log(line: str, answer: bool = False) -> None:
    """Write a line to the log of the flow that runs; ``answer`` marks what it came to."""
    get_run_logger().info(line, extra={"answer": answer})


def publish_decision(project: str, decision: Decision, at: datetime) -> None:
    """Show a decision on Prefect's pages and tell whatever is triggered by it.

    An artifact ``<project>-decision``, and an event ``homeostat.decision`` of the resource ``model.<project>``.
    A trigger that hands a number of the payload on to a run has to wrap it, or it arrives as a string:
    ``{"__prefect_kind": "json", "value": {"__prefect_kind": "jinja", "template": "{{ event.payload.at | tojson }}"}}``.
    """
    key = "".join(c if c.isalnum() else "-" for c in f"{project}-decision".lower())
    create_markdown_artifact(page_of(project, decision, at), key=key, description=headline(decision))
    emit_event("homeostat.decision", resource=_model(project), payload=payload_of(decision, at))


def publish_incident(project: str, incident: Incident) -> None:
    """Tell whatever alerts people: an event ``homeostat.incident`` of the resource ``model.<project>``."""
    payload = {"problem": incident.problem, **incident.to_dict()}
    emit_event("homeostat.incident", resource=_model(project), payload=payload)


def page_of(project: str, decision: Decision, at: datetime) -> str:
    """A decision as Markdown: the headline and the table of evidence."""
    table = evidence_table(decision)
    rows = [_row(*table.headings), "|---|---:|---:|---:|---|", *(_row(*row.cells) for row in table.rows)]
    evidence = [f"Evidence: {', '.join(f'`{e}`' for e in decision.evidence)}"] if decision.evidence else []
    head = [f"# {project}: {decision.action}", f"{at:%Y-%m-%d %H:%M} project time", headline(decision)]
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
    """A number of any library as Python's own; what JSON cannot write is left out."""
    return float(value) if value is not None and math.isfinite(value) else None


# ---- runs


@dataclass(frozen=True)
class Served:
    """One flow as it is served: how often on the wall and when first, or neither where it runs when asked."""

    flow: Flow[..., Any]
    every: timedelta | None = None
    first: datetime | None = None  # aware
    at_once: bool = False


@contextmanager
def speaking_to(url: str, home: Path) -> Iterator[None]:
    """Let this process, and the runs that it starts, work with the server at ``url``; what they say is sent in full."""
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


def run_here(flow: Flow[..., Any], project: str, parameters: dict[str, Any]) -> Any:
    """Run a flow in this process; its answer, or what it raised.

    The run carries the project's name and this process, so that it can be found when it is left hanging.
    """
    for handler in logging.getLogger().handlers:
        handler.addFilter(_not_told)
    with tags(project, _this_process()):
        return flow(**parameters)


def serve(project: str, folder: Path, table: Sequence[Served], ready: Callable[[], None]) -> None:
    """Serve the flows until the process is told to stop; runs left hanging by an earlier one are ended first.

    ``ready`` is called when the server knows every flow. A run starts in the folder that this process stands in.

    Raises:
        EnvironmentFault: the server is lost, or another folder serves a project of this name there.
    """
    runner = Runner(name=project, limit=AT_WORK, query_seconds=POLL, heartbeat_seconds=HEARTBEAT)
    with get_client(sync_client=True) as client:
        for row in table:
            _refuse_other_folder(client, project, folder, row)
        ours = {cast(UUID, runner.add_deployment(_deployment(project, folder, row))): row for row in table}
        sweep(client, project, list(ours))
        for deployment, row in ours.items():
            if row.at_once:
                client.create_flow_run_from_deployment(deployment)
    watch(project)
    ready()
    try:
        asyncio.run(_until_told(runner, PREFECT_API_URL.value()))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return


async def _until_told(runner: Runner, url: str) -> None:
    """Run until Ctrl-C or SIGTERM, or until the server has been silent for too long."""
    loop, running = asyncio.get_running_loop(), asyncio.create_task(runner.start())
    silent = asyncio.create_task(_until_silent(url))

    def end(*_: Any) -> None:
        loop.call_soon_threadsafe(running.cancel)

    runner.handle_sigterm = end  # type: ignore[method-assign]
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # a shell has what it put behind it ignore Ctrl-C
        loop.add_signal_handler(signal.SIGINT, end)
    await asyncio.wait({running, silent}, return_when=asyncio.FIRST_COMPLETED)
    if silent.done():
        running.cancel()
        await asyncio.wait({running}, timeout=PATIENCE)
        raise EnvironmentFault(f"{url}: the Prefect server is silent; look at its log, then start again")
    silent.cancel()
    await running


async def _until_silent(url: str) -> None:
    heard = time.monotonic()
    while time.monotonic() - heard < PATIENCE:
        if await asyncio.to_thread(answers, url, 10):
            heard = time.monotonic()
        await asyncio.sleep(POLL)


def deployment_name(project: str, flow: Flow[..., Any]) -> str:
    """What the server calls a flow of a project.

    Several projects may share one server.
    """
    return f"{project}-{flow.name}"


def _deployment(project: str, folder: Path, row: Served) -> Any:
    schedule = Interval(row.every, anchor_date=row.first and row.first + EARLY) if row.every else None
    return row.flow.to_deployment(
        deployment_name(project, row.flow),
        schedule=schedule,
        paused=False,  # an earlier serve paused it when it ended
        parameters={"project": str(folder)},
        tags=[project],
        entrypoint_type=EntrypointType.MODULE_PATH,
    )


def _refuse_other_folder(client: SyncPrefectClient, project: str, folder: Path, row: Served) -> None:
    try:
        known = client.read_deployment_by_name(f"{row.flow.name}/{deployment_name(project, row.flow)}")
    except ObjectNotFound:
        return
    theirs = known.parameters.get("project")
    if theirs != str(folder) and not known.paused:
        whose = theirs or "a work pool"
        raise EnvironmentFault(
            f"{PREFECT_API_URL.value()}: serves {project} from {whose}; end or delete that one there, or rename this"
        )


def sweep(client: SyncPrefectClient, project: str, deployments: list[UUID]) -> int:
    """End what a machine that died left behind; how many runs that were.

    A run of a flow that we serve has no other runner, one typed by hand names its process. Scheduled runs whose time
    has passed go too: one tick covers everything since the last.
    """
    hanging = _runs(client, UNFINISHED, deployment_id={"any_": deployments})
    hanging += [r for r in _runs(client, UNFINISHED, tags={"all_": [project]}) if _process_gone(r.tags)]
    for run in hanging:
        client.set_flow_run_state(run.id, Crashed(message="its machine or its runner died"), force=True)
    for run in _runs(client, ("SCHEDULED",), deployment_id={"any_": deployments}):
        if run.auto_scheduled and run.next_scheduled_start_time and run.next_scheduled_start_time < datetime.now(UTC):
            client.delete_flow_run(run.id)
    return len(hanging)


def watch(project: str) -> None:
    """Let the server end a run of the project that has given no sign of life: nobody else will say that it died."""
    name = f"{project}: a run without a sign of life has crashed"
    trigger = EventTrigger(
        posture=Posture.Proactive,
        after={"prefect.flow-run.Running", "prefect.flow-run.heartbeat"},
        expect={"prefect.flow-run.*"},  # another sign of life, or its end
        match={"prefect.resource.id": "prefect.flow-run.*"},
        match_related={"prefect.resource.role": "tag", "prefect.resource.id": f"prefect.tag.{project}"},
        for_each={"prefect.resource.id"},
        within=SILENCE,
    )
    message = f"no sign of life for {SILENCE.seconds} s"
    end = ChangeFlowRunState(name=None, force=False, state=StateType.CRASHED, message=message)
    with get_client(sync_client=True) as client:
        for known in client.read_automations_by_name(name):
            client.delete_automation(known.id)
        client.create_automation(AutomationCore(name=name, trigger=trigger, actions=[end]))


def _runs(client: SyncPrefectClient, states: Sequence[str], **chosen: Any) -> list[FlowRun]:
    wanted = FlowRunFilter.model_validate({"state": {"type": {"any_": list(states)}}, **chosen})
    return client.read_flow_runs(flow_run_filter=wanted, limit=200)


def _this_process() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"


def _process_gone(tags: Sequence[str]) -> bool:
    """Whether a run names a process of this machine that is no longer there."""
    named = [re.fullmatch(rf"process (\d+) on {re.escape(socket.gethostname())}", tag) for tag in tags]
    return any(not alive(int(match[1])) for match in named if match)


def _not_told(record: logging.LogRecord) -> bool:
    """Leave out what the caller gets: the answer, or the error."""
    return not told(record) and not getattr(record, "answer", False)
