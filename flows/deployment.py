"""Deployment: what serves answers for the events ahead."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from prefect import flow

from flows.data import take_in
from homeostat import loop
from homeostat.core.findings import Decision
from homeostat.project.run_context import turn
from homeostat.scheduling.publish import publish


@flow(name="deployment", log_prints=True)
def deployment(project: Path = Path(), now: datetime | None = None) -> tuple[str, Decision | None]:
    """Write the predictions of the release in service, for what has come and for the events ahead.

    A release that is being tried beside it takes its next step, or is taken back.
    """
    with turn(project, now) as (here, at):
        take_in(here, at)
        done = f"{loop.predict(here, at, live=True)} predictions"
        step = loop.step(here, at)
        return publish(here, (done, step), at)
