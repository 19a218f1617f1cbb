"""Evaluation: how a fresh candidate does beside the champion and the baseline; nothing is released."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from prefect import flow

from flows.data import take_in
from homeostat import loop
from homeostat.core.findings import Decision
from homeostat.scheduling.publish import publish


@flow(name="evaluation", log_prints=True)
def evaluation(project: Path = Path(), now: datetime | None = None) -> Decision:
    """Rebuild the model from what is known now and say what its gate would decide."""
    with loop.turn(project, now) as (session, at):
        take_in(session, at)
        loop.predict(session, at, live=True)
        return publish(session, loop.judge_candidate(session, at), at)
