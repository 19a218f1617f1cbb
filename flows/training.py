"""Training: a fresh candidate, released if it earns it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from prefect import flow

from flows.data import take_in
from homeostat import loop
from homeostat.core.findings import Decision
from homeostat.scheduling.publish import publish


@flow(name="training", log_prints=True)
def training(project: Path = Path(), now: datetime | None = None, reason: str = "somebody asked for it") -> Decision:
    """Rebuild the model from what is known now; release it if it earns it."""
    with loop.turn(project, now) as (session, at):
        take_in(session, at)
        loop.predict(session, at, live=True)
        return publish(session, loop.retrain(session, at, reason), at)
