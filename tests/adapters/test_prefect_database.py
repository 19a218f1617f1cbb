"""A database of runs that does not open is kept aside, with all of it, and a server begins with a new one."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from homeostat.adapters.prefect_database import BROKEN, NAME, put_aside, why_broken
from homeostat.adapters.prefect_server import answers, server

DAMAGE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda data: b"", "it is empty"),
    "torn": (lambda data: data[: len(data) // 2], "malformed"),
    "torn in a page": (lambda data: data[: len(data) - 1000], ""),
    "not SQLite": (lambda data: b"no database" * 1000, "not a database"),
    "pages overwritten": (lambda data: data[:8192] + b"\1" * 8192 + data[16384:], ""),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a database of many pages."""
    with contextlib.closing(sqlite3.connect(tmp_path / NAME)) as connection, connection:
        connection.execute("CREATE TABLE run (id INTEGER PRIMARY KEY, name TEXT)")
        connection.executemany("INSERT INTO run (name) VALUES (?)", [(f"run {n}" * 20,) for n in range(2000)])
    return tmp_path


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found_and_kept(folder: Path, damage: str) -> None:
    assert why_broken(folder) == ""
    change, word = DAMAGE[damage]
    damaged = change((folder / NAME).read_bytes())
    (folder / NAME).write_bytes(damaged)
    why = why_broken(folder)
    assert why and word in why and "\n" not in why
    (folder / f"{NAME}-wal").write_bytes(b"pages")
    assert put_aside(folder).read_bytes() == damaged
    assert sorted(p.name for p in folder.iterdir()) == [BROKEN, f"{BROKEN}-wal"]
    assert why_broken(folder) == ""


def test_one_in_use_is_left_alone(folder: Path) -> None:
    with contextlib.closing(sqlite3.connect(folder / NAME)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert why_broken(folder) == ""


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_server_begins_anew_where_the_making_of_its_tables_was_cut_short(tmp_path: Path) -> None:
    home = tmp_path / ".prefect"
    home.mkdir()
    with contextlib.closing(sqlite3.connect(home / NAME)) as connection, connection:
        connection.execute("CREATE TABLE flow (id INTEGER)")  # and no word on how far it had come
    reasons: list[str] = []
    with server(tmp_path, whole=False, broken=reasons.append) as url:
        assert answers(url)
    assert len(reasons) == 1 and "already exists" in reasons[0]
    assert (home / BROKEN).is_file()
