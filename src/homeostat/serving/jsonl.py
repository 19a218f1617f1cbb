"""Append-only files of JSON lines that stay readable whatever happens to their writer.

A line is written in one call before it is confirmed, so the end of the process loses none; ``sync`` puts what was
written on the disk, so a crash of the machine loses only what was written since the last. ``read`` skips a line that
either of them left incomplete, and the next entry begins on a new line.
"""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from pydantic_core import from_json, to_json

from homeostat.project.whole_files import beside

PACKED = ".gz"  # added to the name of a file that was packed


class Journal:
    """One file, open for appending; one writer at a time."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._unsynced = False

    def add(self, entries: Sequence[dict[str, Any]]) -> None:
        """Write the entries, a line each.

        Raises:
            OSError: they could not all be written.
        """
        text = b"".join(to_json(entry) + b"\n" for entry in entries)
        if self._ends_incomplete():
            text = b"\n" + text
        self._unsynced = True
        while text:
            text = text[os.write(self._file, text) :]

    def sync(self) -> None:
        """Put everything that was written on the disk."""
        if self._unsynced:
            self._unsynced = False
            os.fdatasync(self._file)

    def close(self) -> None:
        try:
            self.sync()
        finally:
            os.close(self._file)

    def fileno(self) -> int:
        return self._file

    def _ends_incomplete(self) -> bool:
        size = os.fstat(self._file).st_size
        return size > 0 and os.pread(self._file, 1, size - 1) != b"\n"


def open_for_reading(path: Path) -> IO[bytes]:
    """A journal opened for reading, packed or not."""
    return gzip.open(path, "rb") if path.suffix == PACKED else path.open("rb")  # type: ignore[return-value]


def pack(path: Path) -> Path:
    """Replace a journal that nobody appends to any more by a packed copy; the copy's path.

    The journal is removed only when the copy is on the disk, so at any moment one of them is complete; where both
    exist, the journal is.
    """
    packed, fresh = path.with_name(path.name + PACKED), beside(path)
    try:
        with path.open("rb") as source, fresh.open("wb") as target:
            os.fchmod(target.fileno(), 0o600)
            with gzip.GzipFile("", "wb", 6, target, mtime=0) as writer:
                shutil.copyfileobj(source, writer, 1 << 20)
            target.flush()
            os.fsync(target.fileno())
        os.replace(fresh, packed)
    finally:
        fresh.unlink(missing_ok=True)
    path.unlink()
    return packed


def read(path: Path, start: int = 0) -> Iterator[dict[str, Any]]:
    """The entries of a journal from a byte on; incomplete lines are skipped."""
    with open_for_reading(path) as file:
        file.seek(start)
        for line in file:
            try:
                entry = from_json(line)
            except ValueError:
                continue
            if line.endswith(b"\n") and isinstance(entry, dict):
                yield entry
