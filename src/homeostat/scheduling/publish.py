"""What is published of a flow's result: a line for its log; for a decision an artifact and an event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import singledispatch
from pathlib import Path
from typing import TypeVar

from homeostat import loop
from homeostat.core.errors import HomeostatError
from homeostat.core.findings import Decision
from homeostat.core.headlines import headline
from homeostat.core.text import count
from homeostat.data.batch import Batch, sentences
from homeostat.decisions.session import Session
from homeostat.loop import DataOutcome, Tick
from homeostat.monitoring.notices import send_due
from homeostat.project.clock import clock_now
from homeostat.project.layout import Project
from homeostat.reports.incident import lines
from homeostat.reports.incident import read as read_screen

Answer = TypeVar("Answer")


@contextmanager
def run_context(folder: Path, now: datetime | None = None) -> Iterator[tuple[Session, datetime]]:
    """Lock the project for this run of a flow, and name the run; its session and its time.

    However it ends, people are sent what they have not heard yet.
    """
    from homeostat.adapters import prefect

    try:
        with loop.run_context(folder, now) as (session, at):
            prefect.name_run(session.project, at)
            yield session, at
    finally:
        with suppress(HomeostatError, OSError):  # a message that cannot be sent stops nothing; the status says so
            project = Project.find(folder)
            send_due(project, clock_now(project))


def publish(session: Session, answer: Answer, at: datetime) -> Answer:
    """Write the result to the run's log; a decision and a new incident become an artifact and an event each."""
    from homeostat.adapters import prefect

    name = session.project.scope.project
    for line in sentences(not_accepted(answer)):
        prefect.log(line)
    outcome = answer.data if isinstance(answer, Tick) else answer
    for remark in outcome.remarks if isinstance(outcome, DataOutcome) else ():
        prefect.log(remark)
    if isinstance(answer, Tick):
        _publish_incidents(session, answer)
    for decision in decisions_of(answer):
        prefect.publish_decision(name, decision, at)
    prefect.log(sentence(answer), answer=True)
    return answer


def decisions_of(answer: object) -> list[Decision]:
    """The decisions in the result of a flow, in order."""
    parts = answer.decisions if isinstance(answer, Tick) else answer
    return [part for part in (parts if isinstance(parts, tuple) else (parts,)) if isinstance(part, Decision)]


def _publish_incidents(session: Session, tick: Tick) -> None:
    """Publish each incident that a tick opened: its page, an artifact and an event."""
    from homeostat.adapters import prefect
    from homeostat.reports.incident_page import write_incident

    opened = {incident.problem: incident for incident in tick.opened}
    for number, incident in session.incidents.items():
        if incident.closed is None and incident.problem in opened:
            texts: list[tuple[str, str]] = []
            try:
                screen = read_screen(session.project, number)
                texts = list(lines(screen)) if screen else []
                write_incident(session.project, number)
            except HomeostatError as error:  # the tick is done, and the status has the incident in any case
                prefect.log(f"the page of incident {number} could not be written: {error}")
            prefect.publish_incident(session.project.scope.project, incident, texts)


def not_accepted(answer: object) -> list[Batch]:
    """The batches that are missing or quarantined, whole or in part."""
    outcome = answer.data if isinstance(answer, Tick) else answer
    if not isinstance(outcome, DataOutcome):
        return []
    return [batch for batch in outcome.batches if not batch.accepted_whole]


@singledispatch
def sentence(answer: object) -> str:
    """The result of a flow in a line; of several parts those that there are."""
    return "done" if answer is None else str(answer)


@sentence.register
def _(answer: int) -> str:
    """How many predictions were written."""
    return count(answer, "prediction")


@sentence.register
def _(answer: tuple) -> str:
    return "; ".join(sentence(part) for part in answer if part is not None)


@sentence.register
def _(answer: Decision) -> str:
    return headline(answer)


@sentence.register
def _(answer: DataOutcome) -> str:
    states = Counter(j.verdict.status for j in answer.batches)
    if not states:
        return "no batch is due"
    return f"batches: {', '.join(f'{batches} {status}' for status, batches in sorted(states.items()))}"


@sentence.register
def _(answer: Tick) -> str:
    parts = (answer.data, answer.predicted, *answer.decisions)
    return f"{answer.now:%Y-%m-%d %H:%M}: {sentence(parts)}"
