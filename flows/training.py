"""Training: a fresh candidate, released if it passes the gate."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from flows.data import take_in
from homeostat.api import Decision, predict, project_flow, publish, retrain, run_context


@project_flow(name="training")
def training(project: Path = Path(), now: datetime | None = None, reason: str = "requested by a person") -> Decision:
    """Train a model on the data known now; release it if it passes the gate."""
    with run_context(project, now) as (session, at):
        take_in(session, at)
        predict(session, at, live=True)
        return publish(session, retrain(session, at, reason), at)
