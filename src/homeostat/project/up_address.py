"""The address of the server of ``homeostat up``: a note that is locked for as long as it runs."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from homeostat.project.lock import is_locked

if TYPE_CHECKING:
    from homeostat.project.layout import Project


class Running(NamedTuple):
    """The address of the server that ``homeostat up`` uses, for how many seconds it has run, and that of its pages."""

    url: str
    seconds: float
    pages: str = ""


def running(project: Project) -> Running | None:
    """``homeostat up`` of the project, while it runs."""
    path = note_path(project)
    if not path.is_file():
        return None
    with path.open() as note:
        if is_locked(note.fileno()) and (text := note.read()):
            body = json.loads(text)
            seconds = time.time() - os.fstat(note.fileno()).st_mtime
            return Running(str(body["url"]), seconds, str(body.get("pages", "")))
    return None


def where(project: Project) -> str | None:
    """The address of the server that ``homeostat up`` uses, while it runs."""
    up = running(project)
    return up.url if up else None


def note_path(project: Project) -> Path:
    return project.state / "up.json"
