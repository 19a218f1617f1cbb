"""Data: read what the sources have, judge it and build its features."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from prefect import flow

from homeostat import loop
from homeostat.adapters.prefect import outside
from homeostat.scheduling.publish import publish

take_in = outside(loop.data, name="take in")  # sources are other people's: what they break is tried again


@flow(name="data", log_prints=True)
def data(project: Path = Path(), now: datetime | None = None) -> loop.DataOutcome:
    """Land, judge and featurize every batch that is due."""
    with loop.turn(project, now) as (session, at):
        return publish(session, take_in(session, at), at)
