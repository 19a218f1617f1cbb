"""A temporary database on disk, so that a table may be larger than memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

MEMORY = "1500MB"


@dataclass(frozen=True)
class Workspace:
    """A connection to the database, and the folder that it is in."""

    connection: duckdb.DuckDBPyConnection
    folder: Path

    def execute(self, sql: str) -> None:
        self.connection.execute(sql)

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of the answer."""
        return self.connection.execute(sql, values).fetchall()

    def row(self, sql: str) -> tuple[Any, ...]:
        """The first row of the answer."""
        return self.rows(sql)[0]

    def has_rows(self, sql: str) -> bool:
        """Whether the answer has a row."""
        return bool(self.rows(f"{sql} LIMIT 1"))

    def frame(self, sql: str) -> pl.DataFrame:
        """The answer as a frame."""
        return pl.DataFrame(self.connection.sql(sql).to_arrow_table())

    def session(self) -> Workspace:
        """The same database with settings of its own."""
        return Workspace(self.connection.cursor(), self.folder)


@contextmanager
def open_workspace() -> Iterator[Workspace]:
    """A new database, removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="homeostat-new-") as folder:
        settings: dict[str, Any] = {
            "memory_limit": MEMORY,
            "temp_directory": folder,
            "threads": min(2, os.cpu_count() or 1),
        }
        with duckdb.connect(str(Path(folder) / "work.duckdb"), config=settings) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET preserve_insertion_order = false")
            yield Workspace(connection, Path(folder))
