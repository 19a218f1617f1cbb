"""The address of the server of ``homeostat up``: a note that is locked for as long as it runs."""

from __future__ import annotations

import fcntl
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from homeostat.project.layout import Project


def where(project: Project) -> str | None:
    """The address of the server that ``homeostat up`` uses, while it runs."""
    path = note_path(project)
    if not path.is_file():
        return None
    with path.open() as note:
        if is_locked(note.fileno()):
            text = note.read()
            return str(json.loads(text)["url"]) if text else None
    return None


def is_locked(handle: int, kind: int = fcntl.LOCK_SH) -> bool:
    """Whether another process has locked the file; otherwise this one has now. A mere reader unlocks it at once."""
    for _ in range(5):
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
            return False
        except BlockingIOError:
            time.sleep(0.05)
    return True


def note_path(project: Project) -> Path:
    return project.state / "up.json"
