"""Files with writes staged on top of them, so that work can be done before the tick that it belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from homeostat.project.whole_files import write_bytes

Writes = Sequence[tuple[Path, bytes | None]]  # in order; None removes the file


class StagedFiles:
    """Reads see what is staged, the disk sees it with ``commit``; writes are made in the order in which they came."""

    def __init__(self) -> None:
        self._staged: dict[Path, bytes | None] = {}
        self._writes: list[tuple[Path, bytes | None]] = []

    @property
    def staged(self) -> bool:
        """Whether any file is not on the disk as it is read here."""
        return bool(self._staged)

    def read(self, path: Path) -> bytes | None:
        """The content of a file, or None where there is none."""
        if path in self._staged:
            return self._staged[path]
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None

    def exists(self, path: Path) -> bool:
        if path in self._staged:
            return self._staged[path] is not None
        return path.is_file()

    def version(self, path: Path) -> object:
        """Something that differs once the file has another content; None where there is no file."""
        if path in self._staged:
            return self._staged[path]
        try:
            stat = path.stat()
        except FileNotFoundError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino

    def names(self, folder: Path) -> set[str]:
        """The names of the files in a folder."""
        there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
        for path, data in self._staged.items():
            if path.parent == folder:
                (there.discard if data is None else there.add)(path.name)
        return there

    def write(self, path: Path, data: bytes) -> None:
        self._stage(path, data)

    def remove(self, path: Path) -> None:
        """Take a file out, if it is there."""
        if self.exists(path):
            self._stage(path, None)

    def assume(self, writes: Writes) -> None:
        """Have reads see writes that another makes, in the time to come."""
        self._staged.update(writes)

    def cut(self) -> Writes:
        """The writes since the last cut or commit, to be made later; reads go on seeing them."""
        writes, self._writes = self._writes, []
        return writes

    def commit(self) -> None:
        """Make the writes since the last cut or commit."""
        for path, _ in (writes := self.cut()):
            self._staged.pop(path, None)
        make(writes)

    def _stage(self, path: Path, data: bytes | None) -> None:
        self._staged[path] = data
        self._writes.append((path, data))


def make(writes: Writes) -> None:
    """Make writes in their order, each whole or not at all; what holds already is left alone."""
    for path, data in writes:
        if data is not None:
            write_bytes(data, path)
        elif path.is_file():
            path.unlink()
            _remove_empty(path.parent)


def _remove_empty(folder: Path) -> None:
    """Remove a folder that its last file has left."""
    if not any(folder.iterdir()):
        folder.rmdir()
