"""What a run begins with: the project is locked, and then the time is read, once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from homeostat.core.errors import UsageError
from homeostat.project.clock import clock_now, stands_at
from homeostat.project.layout import Project
from homeostat.project.lock import one_run
from homeostat.project.ref_locks import remove_ref_locks
from homeostat.project.whole_files import remove_leftovers
from homeostat.project.worktree_pointer import common_folder, repair_worktree_pointer

OWN = frozenset({"replays"})  # below the state of a project: each has a lock of its own


def _say(line: str) -> None:
    print(line)  # looked up at the call: a flow redirects it to its log


@contextmanager
def run_context(
    folder: Path, now: datetime | None = None, say: Callable[[str], None] = _say
) -> Iterator[tuple[Project, datetime]]:
    """Lock the project in ``folder`` for this run; the project and its time, naive UTC.

    Where ``now`` is not given it is read after locking, for the run before may have moved the project on.

    Raises:
        UsageError: ``now`` is before the last completed tick.
    """
    project = Project.find(folder)
    with one_run(project, say):
        _clear_up(project, say)
        at = clock_now(project) if now is None else naive(now)
        if at < stands_at(project):
            last = stands_at(project)
            raise UsageError(f"{at} is before the last completed tick, {last}; give a later --now, or none")
        yield project, at


def _clear_up(project: Project, say: Callable[[str], None]) -> None:
    """Make whole what a run that was killed has left; the caller has the project's lock."""
    if moved := repair_worktree_pointer(project):
        say(moved)
    if (common := common_folder(project.home)) is not None:
        remove_ref_locks(common, project.scope.project)
    for folder in (project.home / "data", project.home / "reports", project.state):
        remove_leftovers(folder, skip=OWN)


def naive(time: datetime) -> datetime:
    """A time in UTC, without its offset.

    >>> naive(datetime.fromisoformat("2024-03-01T02:00:00+02:00")).isoformat()
    '2024-03-01T00:00:00'
    """
    return time if time.tzinfo is None else time.astimezone(UTC).replace(tzinfo=None)
