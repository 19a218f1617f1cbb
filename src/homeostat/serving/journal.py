"""A file of JSON lines that is only ever added to, and is whole whatever happens to its writer.

A line is written in one call before anybody is told of it, so the end of the process loses none; ``sync`` puts what
was written on the disk, so the end of the machine loses what came since the last. A line that was torn by either is
passed over by ``read``, and the next line begins anew.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic_core import from_json, to_json


class Journal:
    """One file, open for adding; one writer at a time."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._unsynced = False

    def add(self, entries: Sequence[dict[str, Any]]) -> None:
        """Write the entries, a line each.

        Raises:
            OSError: they could not all be written.
        """
        text = b"".join(to_json(entry) + b"\n" for entry in entries)
        if self._torn():
            text = b"\n" + text
        self._unsynced = True
        while text:
            text = text[os.write(self._file, text) :]

    def sync(self) -> None:
        """Have all that was written on the disk."""
        if self._unsynced:
            self._unsynced = False
            os.fdatasync(self._file)

    def close(self) -> None:
        self.sync()
        os.close(self._file)

    def fileno(self) -> int:
        return self._file

    def _torn(self) -> bool:
        size = os.fstat(self._file).st_size
        return size > 0 and os.pread(self._file, 1, size - 1) != b"\n"


def read(path: Path, start: int = 0) -> Iterator[dict[str, Any]]:
    """The whole lines of a journal from a byte on; what was torn is passed over."""
    with path.open("rb") as file:
        file.seek(start)
        for line in file:
            try:
                entry = from_json(line)
            except ValueError:
                continue
            if line.endswith(b"\n") and isinstance(entry, dict):
                yield entry
