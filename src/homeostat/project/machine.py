"""The projects that this machine knows: those in which ``homeostat up`` has run, for their owner's eyes alone."""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from homeostat.project.private import private_folder
from homeostat.project.whole_files import write_text

if TYPE_CHECKING:
    from homeostat.project.layout import Project


def note_project(project: Project) -> None:
    """Have this machine know the project: a file in the user's own state folder, which nothing else reads.

    Raises:
        OSError: that folder cannot be written.
    """
    folder = private_folder(_folder())
    write_text(json.dumps({"path": str(project.home)}) + "\n", folder / f"{project_id(project.home)}.json")


def known_projects() -> dict[str, Path]:
    """The folders of the projects that are still there, by their id, in order of path."""
    paths = [path for note in _folder().glob("*.json") if (path := _noted(note)) is not None]
    return {project_id(path): path for path in sorted(paths) if (path / "params.yaml").is_file()}


def _noted(note: Path) -> Path | None:
    """The folder that a note names; None where it is torn: the project is noted again when it is next up."""
    try:
        return Path(json.loads(note.read_text())["path"])
    except (ValueError, KeyError, TypeError):
        return None


def project_id(home: Path) -> str:
    """A project as a part of an address: its folder's name, and what tells apart those of one name.

    >>> project_id(Path("/a/meters")) != project_id(Path("/b/meters"))
    True
    """
    name = "".join(c if c.isascii() and c.isalnum() else "-" for c in home.name)
    return f"{name}-{zlib.crc32(str(home).encode()):08x}"


def _folder() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "homeostat" / "projects"
