"""Whether the loop itself runs: a run that hangs, schedules that are late, a disk that takes nothing.

No run can report these of itself, so they are examined whenever somebody looks, and are no records.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from homeostat.core.findings import Finding
from homeostat.core.rules import Rule
from homeostat.project.clock import stands_at, wall_interval
from homeostat.project.lock import TIMEOUT, holder
from homeostat.project.up_address import running

if TYPE_CHECKING:
    from homeostat.project.layout import Project

LATE = 2  # ticks without a completed run: one may be at work, or wait for its source
LEAST_FREE = 100e6  # bytes: a decision writes tens of MB of features and models


def loop_findings(project: Project, now: datetime) -> list[Finding]:
    """What keeps the loop from running at ``now``, project time; nothing where it runs, and where a replay is over."""
    replayed = (project.state / "replay.json").is_file()
    return [*_disk(project), *([] if replayed else _runs(project, now))]


def _disk(project: Project) -> Iterator[Finding]:
    folder = project.state if project.state.is_dir() else project.home
    free = float(shutil.disk_usage(folder).free)
    if not os.access(folder, os.W_OK):
        yield Finding(Rule.DISK, "", "fail", facts={"folder": str(folder)})
    elif free < LEAST_FREE:
        yield Finding(Rule.DISK, "", "fail", free, LEAST_FREE, facts={"folder": str(folder)})


def _runs(project: Project, now: datetime) -> Iterator[Finding]:
    """The run at work where it has taken too long; else the schedules, where no run has completed for too long."""
    if (at_work := holder(project)) is not None:
        if at_work.seconds > TIMEOUT:
            yield Finding(Rule.RUN, "", "fail", at_work.seconds, TIMEOUT, facts={"process": at_work.process})
        return
    tick, up, last = project.scope.rhythm.tick, running(project), stands_at(project)
    begun = project.tick_file.is_file() or project.worktree.window_file.is_file()
    if now - last <= LATE * tick or (up is None and not begun):
        return
    if up is None or up.seconds > (LATE * wall_interval(project, tick)).total_seconds():
        facts = {"last": last.isoformat(), "up": up.url.removesuffix("/api") if up else ""}
        late, limit = (now - last).total_seconds(), (LATE * tick).total_seconds()
        yield Finding(Rule.SCHEDULE, "", "fail", late, limit, facts=facts)
