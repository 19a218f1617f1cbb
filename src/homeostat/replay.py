"""The loop over the project's own history, with a simulated clock, in a complete project of its own.

A replay runs the folder as it is, uncommitted edits included, in ``.homeostat/replays/NAME``; what it leaves there is a
project like any other. A replay that was cut short carries on where it stopped.
"""

from __future__ import annotations

import json
import resource
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from homeostat import loop
from homeostat.adapters import dvc, git
from homeostat.clock import move_on, stands_at
from homeostat.core.errors import UsageError
from homeostat.core.periods import floor
from homeostat.project import Project


@dataclass
class Replay:
    """A finished replay: its project, and what happened in it."""

    project: Project
    start: datetime
    end: datetime
    ticks: int = 0
    seconds: Counter[str] = field(default_factory=Counter)  # of each step of the ticks
    peak: float = 0.0  # GB of memory of the largest process


def span(project: Project, first: datetime, last: datetime) -> tuple[datetime, datetime]:
    """The times between which the days ``first`` to ``last``, both whole, are replayed.

    Raises:
        UsageError: there is no tick in between.
    """
    rhythm = project.scope.rhythm
    start, end = first + rhythm.offset, last + timedelta(days=1) + rhythm.offset
    if floor(end, rhythm.tick, rhythm.offset) <= start:
        raise UsageError(f"{first:%Y-%m-%d} to {last:%Y-%m-%d} holds no tick; give --from before --to")
    return start, end


def prepare(project: Project, start: datetime, end: datetime, name: str | None, anew: bool = False) -> Project:
    """The replay's project: a new copy of the folder as it is, or the one of that name to carry on with.

    Raises:
        UsageError: one of that name is there and is of another range or of another state of the folder.
    """
    snapshot = git.snapshot_commit(project.root, start)
    name = name or f"{start:%Y%m%d}-{end - timedelta(days=1):%Y%m%d}-{snapshot[:8]}"
    target = project.state / "replays" / name
    note = target / ".homeostat" / "replay.json"
    wanted = {"snapshot": snapshot, "from": start.isoformat(), "to": end.isoformat()}
    if anew and target.exists():
        shutil.rmtree(target)
    if target.exists() and not note.is_file():
        shutil.rmtree(target)  # its making was cut short
    if note.is_file():
        if json.loads(note.read_text()) != wanted:
            raise UsageError(f"{target}: a replay of other inputs; choose another --name, or --anew to replace it")
        return Project.find(target)
    git.clone_snapshot(project.root, snapshot, target, project.scope.branch)
    dvc.share_cache(target, project.root)
    replayed = Project.find(target)
    loop.begin(replayed, start).set_window(start, start)
    move_on(replayed, start)
    note.write_text(json.dumps(wanted))
    return replayed


def replay(replayed: Project, start: datetime, end: datetime, watch: Callable[[loop.Tick], None]) -> Replay:
    """Run every tick after ``start`` up to ``end`` that is not done yet; ``watch`` sees each."""
    result = Replay(replayed, start, end)
    for now in ticks(replayed, start, end):
        tick = loop.tick(replayed, now)
        result.ticks += 1
        result.seconds.update(tick.seconds)
        watch(tick)
    dvc.WORKER.close()  # a process counts among the children once it has ended
    result.peak = max(resource.getrusage(w).ru_maxrss for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1e6
    return result


def ticks(replayed: Project, start: datetime, end: datetime) -> list[datetime]:
    """The ticks of the range that are still to come."""
    rhythm = replayed.scope.rhythm
    now = floor(max(start, stands_at(replayed)), rhythm.tick, rhythm.offset) + rhythm.tick
    found = []
    while now <= end:
        found.append(now)
        now += rhythm.tick
    return found
