"""Project time: the wall clock, or one that runs from the last completed tick at the speed that the scope names."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from homeostat.core.periods import floor
from homeostat.project.window import read_window

if TYPE_CHECKING:
    from homeostat.project.layout import Project


def clock_now(project: Project) -> datetime:
    """The present project time: naive UTC, in whole seconds.

    A project's own clock runs while ``homeostat up`` does; otherwise it stands at the next tick.
    """
    clock = project.scope.clock
    if clock.start is None:
        return _wall()
    note = project.state / "clock.json"
    if note.is_file():
        start = json.loads(note.read_text())
        if alive(start["pid"]):
            passed = (_wall() - datetime.fromisoformat(start["wall"])).total_seconds() * clock.speed
            return datetime.fromisoformat(start["project"]) + timedelta(seconds=int(passed))
    return next_tick(project)


def start_clock(project: Project) -> datetime:
    """Let the project's clock run from the last completed tick while this process lives; its time now."""
    if project.scope.clock.start is None:
        return _wall()
    now = stands_at(project)
    project.state.mkdir(parents=True, exist_ok=True)
    note = {"wall": _wall().isoformat(), "project": now.isoformat(), "pid": os.getpid()}
    (project.state / "clock.json").write_text(json.dumps(note))
    return now


def wall_interval(project: Project, length: timedelta) -> timedelta:
    """A length of project time in wall time."""
    return length if project.scope.clock.start is None else length / project.scope.clock.speed


def stands_at(project: Project) -> datetime:
    """The time of the last completed tick; before the first, where the project's history begins."""
    if project.tick_file.is_file():
        return datetime.fromisoformat(project.tick_file.read_text())
    worktree = project.worktree
    return read_window(worktree).as_of if worktree.window_file.is_file() else beginning(project)


def move_on(project: Project, now: datetime) -> None:
    """Record that the tick of ``now`` is completed; the window is no record of it, for a decision moves it mid-tick."""
    fresh = project.tick_file.with_suffix(".new")
    fresh.parent.mkdir(parents=True, exist_ok=True)
    fresh.write_text(now.isoformat())
    fresh.replace(project.tick_file)


def beginning(project: Project) -> datetime:
    """The time before the first tick: the clock's start, or with the wall clock the window's."""
    clock = project.scope.clock
    return clock.start if clock.start is not None else read_window(project).start


def next_tick(project: Project) -> datetime:
    """The first tick after the last completed one."""
    rhythm = project.scope.rhythm
    return floor(stands_at(project), rhythm.tick, rhythm.offset) + rhythm.tick


def _wall() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)


def alive(pid: int) -> bool:
    """Whether a process of this machine runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
