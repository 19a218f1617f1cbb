"""Evaluation: a fresh candidate beside the champion and the baseline; nothing is released."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from flows.data import take_in
from homeostat.api import Decision, judge_candidate, predict, project_flow, publish, run_context


@project_flow(name="evaluation")
def evaluation(project: Path = Path(), now: datetime | None = None) -> Decision:
    """Train a model on the data known now and report what the release gate would decide."""
    with run_context(project, now) as (session, at):
        take_in(session, at)
        predict(session, at, live=True)
        return publish(session, judge_candidate(session, at), at)
