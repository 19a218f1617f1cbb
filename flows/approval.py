"""Approval: a person's answer to the decision that waits for one, given on Prefect's page of this deployment."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Literal

from homeostat.api import answer_decision, project_flow, publish, run_context


@project_flow(name="approval")
def approval(
    project: Path = Path(), now: datetime | None = None, answer: Literal["approve", "decline"] = "approve",
    who: str = "", why: str = "",
) -> str:  # fmt: skip
    """Put the answer on record; the next tick of the lifecycle acts on it."""
    with run_context(project, now) as (session, at):
        return publish(session, answer_decision(session, at, answer, who, why), at)
