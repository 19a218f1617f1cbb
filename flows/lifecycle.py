"""The lifecycle: everything that is due, once round. This is what runs by itself."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from prefect import flow

from flows.data import take_in
from homeostat import loop
from homeostat.project.run_context import turn
from homeostat.scheduling.publish import publish


@flow(name="lifecycle", log_prints=True)
def lifecycle(project: Path = Path(), now: datetime | None = None) -> loop.Tick:
    """One tick: bring in what is due, predict what is ahead, and decide when the rhythm says so."""
    with turn(project, now) as (here, at):
        return publish(here, loop.tick(here, at, live=True, take_in=take_in), at)
