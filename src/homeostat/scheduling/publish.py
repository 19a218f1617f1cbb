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
    """Write the result to the run's log; a decision becomes an artifact and an event, a new incident an event."""
    from homeostat.adapters import prefect

    name = session.project.scope.project
    for line in sentences(not_accepted(answer)):
        prefect.log(line)
    outcome = answer.data if isinstance(answer, Tick) else answer
    for remark in outcome.remarks if isinstance(outcome, DataOutcome) else ():
        prefect.log(remark)
    if isinstance(answer, Tick):
        for incident in answer.opened:
            prefect.publish_incident(name, incident)
    for decision in decisions_of(answer):
        prefect.publish_decision(name, decision, at)
    prefect.log(sentence(answer), answer=True)
    return answer


def decisions_of(answer: object) -> list[Decision]:
    """The decisions in the result of a flow, in order."""
    parts = (answer.weights, answer.step, answer.decision) if isinstance(answer, Tick) else answer
    return [part for part in (parts if isinstance(parts, tuple) else (parts,)) if isinstance(part, Decision)]


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
    parts = (answer.data, answer.predicted, answer.weights, answer.step, answer.decision)
    return f"{answer.now:%Y-%m-%d %H:%M}: {sentence(parts)}"
