"""Deployment: what serves answers for the events ahead."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from prefect import flow

from flows.data import take_in
from homeostat import loop
from homeostat.scheduling.publish import publish, sentence


@flow(name="deployment", log_prints=True)
def deployment(project: Path = Path(), now: datetime | None = None) -> str:
    """Write the predictions of the release in service, for what has come and for the events ahead.

    A release that is being tried beside it takes its next step, or is taken back.
    """
    with loop.turn(project, now) as (session, at):
        take_in(session, at)
        done = f"{loop.predict(session, at, live=True)} predictions"
        step = loop.advance_rollout(session, at)
        return publish(session, done if step is None else f"{done}; {sentence(step)}", at)
