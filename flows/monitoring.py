"""Monitoring: how the champion does on what has come true, and what follows from it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from prefect import flow

from flows.data import take_in
from homeostat import loop
from homeostat.core.findings import Decision
from homeostat.project.run_context import turn
from homeostat.scheduling.publish import publish


@flow(name="monitoring", log_prints=True)
def monitoring(project: Path = Path(), now: datetime | None = None) -> Decision:
    """Measure quality and drift; where something asks for it fetch the evidence, decide and act."""
    with turn(project, now) as (here, at):
        take_in(here, at)
        loop.predict(here, at, live=True)
        return publish(here, loop.decide(here, at), at)
