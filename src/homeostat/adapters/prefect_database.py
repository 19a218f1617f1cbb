"""Prefect's own database of runs: one that does not open is put aside, so that a server can begin a new one."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

NAME, BROKEN = "prefect.db", "prefect.db.broken"
BESIDE = ("-wal", "-shm")  # what SQLite keeps with a database


def why_broken(folder: Path) -> str:
    """Why the database in Prefect's folder cannot be used; empty where it can, or where there is none yet."""
    path = folder / NAME
    if not path.is_file():
        return ""
    if path.stat().st_size == 0:
        return "it is empty"
    try:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            (state,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError:  # in use, or not ours to read: the server says so
        return ""
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if state == "ok" else " ".join(str(state).split())


def put_aside(folder: Path) -> Path:
    """Keep the database as ``prefect.db.broken``, in the place of an earlier one; its path."""
    for part in BESIDE:
        (folder / f"{BROKEN}{part}").unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.replace(folder / f"{NAME}{part}", folder / f"{BROKEN}{part}")
    os.replace(folder / NAME, folder / BROKEN)
    return folder / BROKEN
