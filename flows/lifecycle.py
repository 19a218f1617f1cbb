"""The lifecycle: everything that is due, once round. This is what runs by itself."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from prefect import flow

from flows.data import take_in
from homeostat import loop
from homeostat.scheduling.publish import publish


@flow(name="lifecycle", log_prints=True)
def lifecycle(project: Path = Path(), now: datetime | None = None) -> loop.Tick:
    """One tick: bring in what is due, predict what is ahead, and decide when the rhythm says so."""
    with loop.turn(project, now) as (session, at):
        return publish(session, loop.tick(session, at, live=True, take_in=take_in), at)
