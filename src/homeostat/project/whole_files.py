"""Files that are written whole or not at all, also when their writer is killed.

What is being written stands beside its place as ``.NAME.PROCESS.unfinished`` and is renamed when it is complete. A
writer that is killed leaves that behind: nobody reads it, and the next run removes it.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from homeostat.project.process import alive

LEFTOVER = re.compile(r"\..+\.(\d+)\.unfinished")  # as ``beside`` names it


def write_text(text: str, path: Path) -> Path:
    """Write ``text`` to ``path`` whole or not at all."""
    return write_bytes(text.encode(), path)


def write_bytes(data: bytes, path: Path) -> Path:
    """Write ``data`` to ``path`` whole or not at all; a file that holds just that is left alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data:
        return path
    fresh = beside(path)
    try:
        fresh.write_bytes(data)
        os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)
    return path


def create_text(text: str, path: Path, mode: int = 0o644) -> Path:
    """Write ``text`` to ``path`` whole or not at all, and never over another file.

    Raises:
        FileExistsError: there is one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = beside(path)
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as out:
            out.write(text)
        os.link(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)
    return path


def beside(path: Path) -> Path:
    """Where this process makes what is to stand at ``path``."""
    return path.with_name(f".{path.name}.{os.getpid()}.unfinished")


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """A folder below ``parent`` for the length of a task."""
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix=".scratch-", suffix=f".{os.getpid()}.unfinished") as folder:
        yield Path(folder)


def remove_leftovers(folder: Path, skip: frozenset[str] = frozenset()) -> None:
    """Remove what writers that have died left at any depth of a folder; folders named in ``skip`` are not entered."""
    for at, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            if _is_leftover(name):
                remove(Path(at) / name)
        folders[:] = [name for name in folders if name not in skip and LEFTOVER.fullmatch(name) is None]


def remove_leftovers_of(path: Path) -> None:
    """Remove what writers that have died left beside one path."""
    for other in path.parent.iterdir() if path.parent.is_dir() else ():
        if _is_leftover(other.name) and other.name.startswith(f".{path.name}."):
            remove(other)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it: at no moment is a part of it there."""
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
        return
    gone = path if LEFTOVER.fullmatch(path.name) else path.rename(beside(path.with_name(f"{path.name}.gone")))
    shutil.rmtree(gone, ignore_errors=True)


def _is_leftover(name: str) -> bool:
    match = LEFTOVER.fullmatch(name)
    return match is not None and not alive(int(match[1]))
