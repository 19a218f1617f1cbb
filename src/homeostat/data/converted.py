"""Files of a source as typed Parquet in order of event time: converted once for each content, read by period."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl

from homeostat.adapters.parquet import write_table
from homeostat.adapters.sql_names import sql_string
from homeostat.core.errors import DataError
from homeostat.data.selection import TIME, Selection, reading_errors, selection_of, typed_rows
from homeostat.data.source_files import SourceFile, is_empty, opened
from homeostat.project.whole_files import beside, remove, scratch_folder, write_text

if TYPE_CHECKING:
    from homeostat.project.source_scope import Source

FORMAT = "6"  # of the converted files; a new number converts again
ABOUT = "about.json"  # what a conversion consists of: (file, bytes, first, last event time) each
CELLS = 4_000_000  # values of a source in memory at a time
MEMORY = "500MB"  # of the engine that reads; what needs more goes to disk


@dataclass(frozen=True)
class Converted:
    """One file of a source as typed Parquet files in order of event time: (path, first, last event time) each."""

    parts: tuple[tuple[Path, datetime | None, datetime | None], ...]
    undeclared: tuple[str, ...]


def specification(source: Source) -> str:
    """What of a source decides how its files are converted."""
    parts = [FORMAT, source.time, dict(source.columns), list(source.key), dict(source.read), list(source.optional)]
    written = {c: w.model_dump(exclude_defaults=True) for c, w in source.written.items()}
    return json.dumps([*parts, written, source.file.model_dump(exclude_defaults=True)])


def converted(name: str, source: Source, file: SourceFile, content: str, folder: Path, alone: bool = True) -> Converted:
    """The conversion of a file with the hash ``content``, made where it is not there; an older content's goes.

    A file that is not ``alone`` may be without rows: nothing happened in its time.

    Raises:
        DataError: the file is damaged, has no rows, or a row has no event time.
        ScopeError: an expression of the source is wrong.
    """
    key = hashlib.sha256((specification(source) + content).encode()).hexdigest()[:32]
    kept = folder / key
    about = _read_note(kept / ABOUT)
    if about is None or any(not _is_whole(kept / part, size) for part, size, _, _ in about["parts"]):
        about = _convert(name, source, file, kept, alone)
        _remove_older(folder, f"{name} {file.called}", key)
    parts = tuple((kept / part, _moment(low), _moment(high)) for part, _, low, high in about["parts"])
    return Converted(parts, tuple(about["besides"]))


def read_typed(name: str, source: Source, file: SourceFile, scratch: Path) -> Iterator[tuple[pl.DataFrame, Selection]]:
    """The rows of a file, typed, with their event time; some at a time.

    Raises:
        DataError, ScopeError: as ``converted``.
    """
    path = file.called
    with _engine(scratch) as connection, opened(connection, name, file, source.file, scratch) as written:
        selection = selection_of(name, source, written.columns, path)
        many = max(1000, CELLS // max(len(written.columns), 1))
        with reading_errors(name, path) if source.read else nullcontext():
            written.create_view("written")
            for batch in connection.sql(selection.sql).to_arrow_reader(many):
                rows = pl.DataFrame(batch)
                if rows.height:
                    yield typed_rows(name, source, rows, selection, path), selection


def _convert(name: str, source: Source, file: SourceFile, target: Path, alone: bool) -> dict[str, Any]:
    """Write a file's rows as typed Parquet files in order of event time, some rows in memory at a time; the note."""
    fresh = beside(target)
    parts: list[tuple[str, Any, Any]] = []
    undeclared: tuple[str, ...] = ()
    try:
        quiet = not alone and is_empty(name, file)
        for rows, selection in () if quiet else read_typed(name, source, file, target.parent):
            undeclared = selection.undeclared
            part = f"{len(parts):05d}.parquet"
            write_table(rows.sort(TIME) if source.timed else rows, fresh / part)
            parts.append((part, rows[TIME].min(), rows[TIME].max()))
        if not parts and alone:
            raise DataError(f"{name}: {file.called} has no rows; deliver it again")
        if source.timed and any(a[2] > b[1] for a, b in zip(parts, parts[1:], strict=False)):
            parts = _sorted_parts(fresh, parts)
        listed = [(p, (fresh / p).stat().st_size, _iso(low), _iso(high)) for p, low, high in parts]
        about = {"parts": listed, "besides": undeclared}
        write_text(json.dumps(about), fresh / ABOUT)
        remove(target)
        fresh.rename(target)
        return about
    finally:
        remove(fresh)


def _remove_older(folder: Path, what: str, key: str) -> None:
    """Remove the conversion that this one replaces, unless another file has that content: a growing file is many."""
    note = folder / "newest.json"
    newest: dict[str, str] = _read_note(note) or {}
    old, newest[what] = newest.get(what), key
    write_text(json.dumps(newest, indent=0), note)
    if old is not None and old not in newest.values():
        remove(folder / old)


def _read_note(path: Path) -> dict[str, Any] | None:
    """A note of this cache; None where there is none that is whole."""
    try:
        note: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return note


def _is_whole(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _sorted_parts(folder: Path, parts: Sequence[tuple[str, Any, Any]]) -> list[tuple[str, Any, Any]]:
    """The parts as one file in order of event time, sorted on disk."""
    files = ", ".join(sql_string(folder / p) for p, _, _ in parts)
    target = sql_string(folder / "all.parquet")
    with _engine(folder) as connection:
        connection.execute(
            f"COPY (SELECT * FROM read_parquet([{files}], union_by_name = true) ORDER BY {TIME}) "
            f"TO {target} (FORMAT parquet, ROW_GROUP_SIZE 32768)"
        )
    for part, _, _ in parts:
        (folder / part).unlink()
    return [("all.parquet", min(low for _, low, _ in parts), max(high for _, _, high in parts))]


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


@contextmanager
def _engine(scratch: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """An engine that reads files out of core."""
    with scratch_folder(scratch) as spill:
        connection = duckdb.connect(config={"threads": 1, "memory_limit": MEMORY, "temp_directory": str(spill)})
        try:
            connection.execute("SET TimeZone = 'UTC'")
            yield connection
        finally:
            connection.close()
