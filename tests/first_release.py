"""The hourly project with a learned model in service, as a person released it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import hourly

from homeostat import loop
from homeostat.core.authorship import Authorship
from homeostat.decisions.candidate import judge_candidate, release_candidate
from homeostat.decisions.session import Session
from homeostat.project.layout import Project

FIRST = 30  # hours


def at(hour: int) -> datetime:
    return hourly.START + timedelta(hours=hour)


def in_service(folder: Path, params: str = hourly.PARAMS) -> Project:
    """The project with a model in service since ``FIRST``."""
    project = hourly.make(folder, params=params)
    with loop.run_context(project.home, at(FIRST)) as (session, now):
        loop.data(session, now)
        judge_candidate(session, now)
    release_candidate(Session.open(project), Authorship("ann", "the first", at(FIRST)))
    return project
