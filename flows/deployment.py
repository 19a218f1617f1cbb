"""Deployment: the release in service predicts the events ahead."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from flows.data import take_in
from homeostat.api import Decision, advance_rollout, predict, project_flow, publish, release_weights, run_context


@project_flow(name="deployment")
def deployment(project: Path = Path(), now: datetime | None = None) -> tuple[int, Decision | None, Decision | None]:
    """Write the predictions of the release in service, for what has come and for the events ahead.

    Where the scope has other weights or costs, the same models are released with them first. A challenger that is tried
    beside it takes its next step, or is taken back.
    """
    with run_context(project, now) as (session, at):
        take_in(session, at)
        weights = release_weights(session, at)
        predicted = predict(session, at, live=True)
        return publish(session, (predicted, weights, advance_rollout(session, at)), at)
