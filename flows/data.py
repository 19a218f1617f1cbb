"""Data: read the sources, validate their batches and build features."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from homeostat.api import DataOutcome, project_flow, publish, retried_task, run_context, take_in_data

take_in = retried_task(take_in_data, name="take in")  # sources belong to others, and may fail for a while


@project_flow(name="data")
def data(project: Path = Path(), now: datetime | None = None) -> DataOutcome:
    """Land, validate and featurize every batch that is due."""
    with run_context(project, now) as (session, at):
        return publish(session, take_in(session, at), at)
