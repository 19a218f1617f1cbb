"""Monitoring: how the champion does on what has come true, and what follows from it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from prefect import flow

from flows.data import take_in
from homeostat import loop
from homeostat.core.findings import Decision
from homeostat.scheduling.publish import publish


@flow(name="monitoring", log_prints=True)
def monitoring(project: Path = Path(), now: datetime | None = None) -> Decision:
    """Measure quality and drift; where something asks for it fetch the evidence, decide and act."""
    with loop.turn(project, now) as (session, at):
        take_in(session, at)
        loop.predict(session, at, live=True)
        return publish(session, loop.decide(session, at), at)
