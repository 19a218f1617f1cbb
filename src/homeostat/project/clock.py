"""Project time: the wall clock, or one that runs from the last completed tick at the speed that the scope names."""

from __future__ import annotations

import contextlib
import json
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from homeostat.core.periods import floor
from homeostat.project.process import alive
from homeostat.project.whole_files import write_text
from homeostat.project.window import read_window

if TYPE_CHECKING:
    from pathlib import Path

    from homeostat.project.layout import Project


def clock_now(project: Project) -> datetime:
    """The present project time: naive UTC, in whole seconds.

    A project's own clock runs while ``homeostat up`` does; otherwise it stands at the next tick.
    """
    clock = project.scope.clock
    if clock.start is None:
        return _wall()
    start = _started(project)
    if start is None or not alive(start["pid"]):
        return next_tick(project)
    passed = (_wall() - datetime.fromisoformat(start["wall"])).total_seconds() * clock.speed
    return datetime.fromisoformat(start["project"]) + timedelta(seconds=int(passed))


def start_clock(project: Project) -> datetime:
    """Let the project's clock run from the last completed tick while this process lives; its time now."""
    if project.scope.clock.start is None:
        return _wall()
    now = stands_at(project)
    note = {"wall": _wall().isoformat(), "project": now.isoformat(), "pid": os.getpid()}
    write_text(json.dumps(note), _note(project))
    return now


def wall_interval(project: Project, length: timedelta) -> timedelta:
    """A length of project time in wall time."""
    return length if project.scope.clock.start is None else length / project.scope.clock.speed


def stands_at(project: Project) -> datetime:
    """The time of the last completed tick; before the first, where the project's history begins."""
    with contextlib.suppress(FileNotFoundError, ValueError):  # half of one says as much as none
        return datetime.fromisoformat(project.tick_file.read_text())
    worktree = project.worktree
    return read_window(worktree).as_of if worktree.window_file.is_file() else beginning(project)


def move_on(project: Project, now: datetime) -> None:
    """Record that the tick of ``now`` is completed; the window is no record of it, for a decision moves it mid-tick."""
    write_text(now.isoformat(), project.tick_file)


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


def _note(project: Project) -> Path:
    return project.state / "clock.json"


def _started(project: Project) -> dict[str, Any] | None:
    """When the clock was started last, and by which process; None where nobody has or the note is damaged."""
    try:
        note: dict[str, Any] = json.loads(_note(project).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return note
