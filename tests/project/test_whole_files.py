"""Files are whole or not there, whenever their writer dies; what it leaves is removed, and nothing else is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from homeostat.project.whole_files import (
    beside,
    create_text,
    remove,
    remove_leftovers,
    remove_leftovers_of,
    scratch_folder,
    write_text,
)

DIES = """
import os, signal, sys
from pathlib import Path
from homeostat.project import whole_files
sys.addaudithook(lambda event, args: event == HOW and os.kill(os.getpid(), signal.SIGKILL))
whole_files.CALL
"""


def dies(call: str, how: str) -> None:
    """Call a function of the module in a process that is killed at an event of its own."""
    code = DIES.replace("HOW", repr(how)).replace("CALL", call)
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9


@pytest.fixture
def dead() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize(
    ("call", "how"),
    [("write_text('new', Path({!r}))", "os.rename"), ("create_text('new', Path({!r}))", "os.link")],
)
def test_a_writer_that_dies_leaves_the_file_as_it_was(tmp_path: Path, call: str, how: str) -> None:
    path = tmp_path / "note"
    if how == "os.rename":
        path.write_text("old")
    dies(call.format(str(path)), how)
    assert (path.read_text() if path.exists() else None) == ("old" if how == "os.rename" else None)
    assert len(list(tmp_path.glob(".note.*"))) == 1
    remove_leftovers(tmp_path)
    assert not list(tmp_path.glob(".note.*"))


def test_a_folder_is_never_there_in_part(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    for name in "abc":
        (folder / name).touch()
    dies(f"remove(Path({str(folder)!r}))", "os.remove")
    assert not folder.exists()
    remove_leftovers(tmp_path)
    assert not list(tmp_path.iterdir())
    remove(folder)  # nothing is there: nothing to do


def test_only_leftovers_of_the_dead_are_removed(tmp_path: Path, dead: int) -> None:
    kept = [".note.1234", f".note.{os.getpid()}.unfinished", "note.unfinished", f"note.{dead}.unfinished", ".gitkeep"]
    gone = [f".note.{dead}.unfinished", f".other.json.{dead}.unfinished"]
    for folder in (tmp_path, tmp_path / "below"):
        folder.mkdir(exist_ok=True)
        for name in (*kept, *gone):
            (folder / name).touch()
    (tmp_path / f".made.{dead}.unfinished").mkdir()
    (tmp_path / f".made.{dead}.unfinished" / "part").touch()
    remove_leftovers_of(tmp_path / "note")
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_file()) == sorted([*kept, gone[1]])
    remove_leftovers(tmp_path, skip=frozenset({"below"}))
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*kept, "below"])
    assert len(list((tmp_path / "below").iterdir())) == len(kept) + len(gone)
    remove_leftovers(tmp_path)
    assert sorted(p.name for p in (tmp_path / "below").iterdir()) == sorted(kept)


def test_nothing_is_created_over_another(tmp_path: Path) -> None:
    path = create_text("one", tmp_path / "below" / "note", 0o600)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        create_text("two", path)
    assert path.read_text() == "one"
    before = path.stat().st_ino
    write_text("one", path)
    assert path.stat().st_ino == before
    assert list(path.parent.iterdir()) == [path]


def test_a_scratch_folder_that_stays_is_a_leftover(tmp_path: Path) -> None:
    with scratch_folder(tmp_path / "cache") as folder:
        assert folder.is_dir()
        remove_leftovers(tmp_path)
        assert folder.is_dir()  # this process lives
        assert folder.name.endswith(beside(Path("x")).name.removeprefix(".x"))
    assert not list((tmp_path / "cache").iterdir())
