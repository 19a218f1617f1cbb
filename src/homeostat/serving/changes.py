"""Cheap checks for changes of the ledger and of the data: inode, time and size of a few files and folders.

Such a check takes 20 microseconds, so a worker makes it many times a second.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeostat.adapters import git
from homeostat.project.clock import clock_now
from homeostat.project.layout import working_tree

if TYPE_CHECKING:
    from homeostat.project.layout import Project

SETTLE = 0.1  # seconds after a change of the ledger to report one more: two changes may have the same file time
CLOCK = 0.1  # seconds for which a reading of the project's clock is used
Marks = tuple[tuple[int, int, int] | None, ...]  # inode, time and size of each file; None: not there


class ProjectClock:
    """Project time, read from its files ten times a second at most."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._read_at = -1.0
        self._now = datetime.min

    def now(self) -> datetime:
        at = time.monotonic()
        if at - self._read_at >= CLOCK:
            self._now = clock_now(self._project)
            self._read_at = at
        return self._now


class LedgerChanges:
    """Whether a tag may have been added since the last call."""

    def __init__(self, project: Project) -> None:
        folder = git.common_folder(project.home)
        self._refs = [folder / "refs" / "tags", folder / "packed-refs", folder / "reftable" / "tables.list"]
        self._marks = _marks(self._refs)
        self._due: float | None = None

    def occurred(self, at: float) -> bool:
        """Whether there was a change, or a time that was set by ``report_at`` has come (monotonic seconds)."""
        marks = _marks(self._refs)
        if marks != self._marks:
            self._marks = marks
            self._due = at + SETTLE
            return True
        if self._due is not None and at >= self._due:
            self._due = None
            return True
        return False

    def report_at(self, at: float) -> None:
        """Report a change at that time whatever happens, to try again what failed."""
        self._due = at


class DataChanges:
    """Whether batches, predictions, the scope or the period have changed since they were last read."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._last: Any = None  # marks of the last call
        self._read: Any = None  # marks when the data were last read

    def settled(self, now: datetime, at_once: bool = False) -> bool:
        """Whether there is a change that the last call had met already, so that writing is over, or ``at_once``."""
        tree = working_tree(self._project)
        scope = tree.scope
        every = scope.event_source.period
        period = None if every == "once" else (now - datetime.min - scope.rhythm.offset) // every
        files = [tree.accepted / name for name in scope.sources]
        files += [tree.window_file, tree.root / "params.yaml", tree.features_sql, tree.features, tree.predictions]
        marks = (_marks(files), period)
        before, self._last = self._last, marks
        if marks == self._read or not (at_once or marks == before):
            return False
        self._read = marks
        return True


def _marks(files: Sequence[Path]) -> Marks:
    return tuple(_mark(path) for path in files)


def _mark(path: Path) -> tuple[int, int, int] | None:
    with contextlib.suppress(OSError):
        status = os.stat(path)
        return status.st_ino, status.st_mtime_ns, status.st_size
    return None
