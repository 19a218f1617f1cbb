"""A file of JSON lines that is only ever added to, and is whole whatever happens to its writer.

A line is written in one call before anybody is told of it, so the end of the process loses none; ``sync`` puts what
was written on the disk, so the end of the machine loses what came since the last. A line that was torn by either is
passed over by ``read``, and the next line begins again.
"""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from pydantic_core import from_json, to_json

PACKED = ".gz"


class Journal:
    """One file, open for adding; one writer at a time."""

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


def opened(path: Path) -> IO[bytes]:
    """A journal to read, whether it was packed or not."""
    return gzip.open(path, "rb") if path.suffix == PACKED else path.open("rb")  # type: ignore[return-value]


def pack(path: Path) -> Path:
    """Put a packed copy in the place of a journal that nobody adds to any more; the copy's path.

    The journal goes only when the copy is on the disk, so whatever happens one of them is whole, and it is the journal
    where both are there.
    """
    packed, fresh = path.with_name(path.name + PACKED), path.with_name(f".{path.name}.{os.getpid()}")
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
    """The whole lines of a journal from a byte on; what was torn is passed over."""
    with opened(path) as file:
        file.seek(start)
        for line in file:
            try:
                entry = from_json(line)
            except ValueError:
                continue
            if line.endswith(b"\n") and isinstance(entry, dict):
                yield entry
