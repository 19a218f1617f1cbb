"""Evaluation: how a fresh candidate does beside the champion and the baseline; nothing is released."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from prefect import flow

from flows.data import take_in
from homeostat import loop
from homeostat.answers import publish
from homeostat.core.verdicts import Decision
from homeostat.turn import turn


@flow(name="evaluation", log_prints=True)
def evaluation(project: Path = Path(), now: datetime | None = None) -> Decision:
    """Rebuild the model from what is known now and say what its gate would decide."""
    with turn(project, now) as (here, at):
        take_in(here, at)
        loop.predict(here, at, live=True)
        return publish(here, loop.judge(here, at), at)
