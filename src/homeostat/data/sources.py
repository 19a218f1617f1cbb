"""Where tables come from: a package's files, files at any address, or a SQL query, as typed batches."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import cache as once
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from homeostat.adapters.parquet import write_table, write_text
from homeostat.adapters.sql_names import columns_of, quoted, sees_other_rows
from homeostat.core.errors import DataError, ScopeError
from homeostat.core.text import listed
from homeostat.data.casts import TYPES, WRITTEN, as_series, misfitting, not_of, typed
from homeostat.data.source_files import digest_of, files_of, first_line, opened

if TYPE_CHECKING:
    import duckdb

    from homeostat.core.periods import Period
    from homeostat.project.scope import Source

TIME = "__event_time"
FORMAT = "3"  # of the converted files; a new number converts again
CELLS = 4_000_000  # values of a source in memory at a time
MEMORY = "500MB"  # of the engine that reads; what needs more goes to disk
_converted_files: dict[Path, Converted] = {}


@dataclass(frozen=True)
class Delivery:
    """A batch as it came.

    ``rows`` have the declared columns that are there, in their types; a value that does not fit is null and stands, as
    it is written, in a column of its own (``casts.WRITTEN``). Where a declared column is absent, the columns that are
    not declared stand there too, as they are written. ``besides`` names these in any case.
    """

    rows: pl.DataFrame
    besides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Converted:
    """One file of a source as typed Parquet files in order of event time: (path, first, last event time) each."""

    parts: tuple[tuple[Path, datetime | None, datetime | None], ...]
    besides: tuple[str, ...]


@dataclass(frozen=True)
class Selection:
    """How the declared columns are made of what is written: SQL over ``written``, and what cannot be made."""

    sql: str
    absent: tuple[str, ...]
    besides: tuple[str, ...]


def read_delivery(name: str, source: Source, period: Period | None, root: Path, cache: Path) -> Delivery | None:
    """The source's rows whose event time lies in ``period`` (all rows when the source has no time).

    Sorted by key and then by every column. ``root`` is where relative paths start, ``cache`` where converted files are
    kept. None when the source has no row for the period: the batch has not come.

    Raises:
        DataError: the source cannot be read, or a row has no event time.
        ScopeError: an expression of the source is wrong.
    """
    if source.query is not None:
        found = list(_answered(name, source, period, root))
    else:
        found = list(_filed(name, source, period, root, cache))
    parts = [rows for rows, _ in found if rows.height]
    if not parts:
        return None
    besides = tuple(dict.fromkeys(c for rows, extra in found if rows.height for c in extra))
    return Delivery(_one(source, parts, besides), besides)


def read_batch(name: str, source: Source, period: Period | None, root: Path, cache: Path) -> pl.DataFrame | None:
    """As ``read_delivery``, of rows that are all as declared.

    Raises:
        DataError: as ``read_delivery``, and where a column is absent or a value does not fit its type.
    """
    delivery = read_delivery(name, source, period, root, cache)
    if delivery is None:
        return None
    wrong = unlike(source, delivery.rows)
    if wrong is not None:
        raise DataError(f"{name}: {wrong}; fix the source or params.yaml")
    return delivery.rows.select(list(source.columns))


def unlike(source: Source, rows: pl.DataFrame) -> str | None:
    """How the rows of a batch differ from what is declared, in words; None where they do not."""
    absent = [c for c in source.columns if c not in rows.columns]
    if absent:
        has = [c for c in rows.columns if c in source.columns or not c.startswith("__")]
        return f"has no column {absent[0]!r} (it has {', '.join(has)})"
    for column in misfitting(rows):
        bad = rows[WRITTEN + column].drop_nulls()
        return f"{not_of(column, bad[0], source.columns[column])} ({len(bad)} such rows in the batch)"
    return None


def content_key(source: Source, root: Path, name: str = "source") -> str | None:
    """A hash of everything a batch of ``source`` is read from; None for a query, which may answer again each time."""
    if source.query is not None:
        return None
    parts = [digest_of(fs, path) for fs, path in files_of(name, source, root)]
    return hashlib.sha256("".join([_spec(source), *parts]).encode()).hexdigest()


def ordered(rows: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Rows in their one order: by key, then by all columns."""
    rest = [c for c in source.columns if c not in source.key]
    by = [c for c in (*source.key, *rest) if c in rows.columns]
    more = [c for c in rows.columns if c not in by and not rows.schema[c].is_nested()]
    return rows.sort([*by, *more], nulls_last=True)


def event_times(name: str, source: Source, rows: pl.DataFrame) -> pl.Series:
    """The event time of each row: naive UTC, null where the expression is."""
    if source.time is None:
        return pl.Series(TIME, [None] * len(rows), dtype=TYPES["time"])
    import duckdb

    connection = _connection().cursor()
    try:
        connection.register("rows", rows.to_arrow())
        # Row order is DuckDB's default for a plain projection (preserve_insertion_order).
        found = connection.sql(f'SELECT CAST(({source.time}) AS TIMESTAMP) AS "{TIME}" FROM rows').pl()
    except duckdb.Error as error:
        raise ScopeError(f"params.yaml: sources.{name}.time: {first_line(error)}; fix the expression") from error
    finally:
        connection.close()
    return found[TIME].cast(TYPES["time"])


@once
def _connection() -> duckdb.DuckDBPyConnection:
    import duckdb

    return duckdb.connect(config={"threads": 1})


# ---- one batch of parts


def _one(source: Source, parts: Sequence[pl.DataFrame], besides: Sequence[str]) -> pl.DataFrame:
    """The parts of a batch as one; a column that is absent from any of them is absent, unless it is optional."""
    parts = [_with_optional(source, part) for part in parts]
    rows = pl.concat(parts, how="diagonal_relaxed")
    there = [c for c in source.columns if all(c in part.columns for part in parts)]
    unfit = [WRITTEN + c for c in there if WRITTEN + c in rows.columns and rows[WRITTEN + c].count()]
    extra = [c for c in besides if c in rows.columns] if len(there) < len(source.columns) else []
    return ordered(rows.select(*there, *unfit, *extra), source)


def _with_optional(source: Source, rows: pl.DataFrame) -> pl.DataFrame:
    blank = [c for c in source.optional if c not in rows.columns]
    return rows.with_columns(pl.lit(None, dtype=TYPES[source.columns[c]]).alias(c) for c in blank)


def _within(rows: pl.LazyFrame, source: Source, period: Period | None) -> pl.LazyFrame:
    if period is None or not source.timed:
        return rows
    return rows.filter((pl.col(TIME) >= period.start) & (pl.col(TIME) < period.end))


def _typed_rows(name: str, source: Source, rows: pl.DataFrame, selection: Selection, where: str) -> pl.DataFrame:
    """What is written, in the declared types, with its event time."""
    there = {c: kind for c, kind in source.columns.items() if c not in selection.absent}
    result = typed(rows, there)
    if selection.absent:
        result = result.with_columns(rows.select(c for c in selection.besides if c in rows.columns))
    seen = _with_optional(source, result) if source.optional else result
    result = result.with_columns(event_times(name, source, seen).alias(TIME))
    if source.timed and result[TIME].null_count():
        row = result.filter(pl.col(TIME).is_null()).row(0, named=True)
        unfit = [c for c in misfitting(result) if row[WRITTEN + c] is not None]
        why = (
            not_of(unfit[0], row[WRITTEN + unfit[0]], there[unfit[0]])
            if unfit
            else ", ".join(f"{k}={row[k]}" for k in source.key if k in row)
        )
        raise DataError(f"{name}: {where}: a row has no event time ({why}); no batch can hold it: fix the source")
    return result


# ---- what is written


def selection_of(name: str, source: Source, names: Sequence[str], where: str) -> Selection:
    """How the declared columns are made of a table with the columns ``names``, called ``written``.

    A column that ``read`` makes of several, of which some are absent, is made with these blank.

    Raises:
        DataError: a column is absent without which no row has an event time.
    """
    lower = {n.lower() for n in names}
    asked = {c: columns_of(sql) for c, sql in source.read.items()}
    absent = tuple(
        c for c in source.columns
        if (bool(asked[c]) and not asked[c] & lower if c in asked else c not in names)
    )  # fmt: skip
    needed = columns_of(source.time) if source.time is not None else frozenset()
    for column in absent:
        if column.lower() in needed and column not in source.optional:
            raise DataError(
                f"{name}: {where} has no column {column!r} (it has {listed(names, 40)}), which says when its rows "
                f"happened; rename it there, or say in params.yaml, sources.{name}.read, what it is made of"
            )
    made = {c: source.read.get(c) for c in source.columns if c not in absent}
    blank = sorted({n for c in made if c in asked for n in asked[c]} - lower)
    used = {c.lower() for c in made if c not in asked}.union(*asked.values()) if asked else {c.lower() for c in made}
    besides = tuple(n for n in names if n.lower() not in used)
    extra = [n for n in besides if n not in source.columns] if absent else []
    inner = ", ".join(["*", *(f"NULL AS {quoted(n)}" for n in blank)])
    declared = read_columns(made, {c: sql for c, sql in made.items() if sql is not None})
    columns = ", ".join([*([declared] if made else []), *map(quoted, extra)])
    return Selection(f"SELECT {columns} FROM (SELECT {inner} FROM written)", absent, besides)


def read_columns(columns: Iterable[str], read: Mapping[str, str]) -> str:
    """The SQL list that makes the declared columns of what is written."""
    names = [(read.get(c), quoted(c)) for c in columns]
    return ", ".join(f"({sql}\n) AS {name}" if sql is not None else name for sql, name in names)


@contextmanager
def _reading_errors(name: str, where: str) -> Iterator[None]:
    """What is wrong with the SQL of ``read`` is said of it, not of the file."""
    import duckdb

    try:
        yield
    except duckdb.BinderException as error:
        raise DataError(
            f"{name}: {where} cannot be read as sources.{name}.read says: {first_line(error)}; rename the column "
            "there or fix params.yaml"
        ) from error
    except (duckdb.ParserException, duckdb.CatalogException, duckdb.ConversionException) as error:
        raise ScopeError(f"params.yaml: sources.{name}.read: {first_line(error)}; fix the expression") from error


def read_file(name: str, source: Source, path: Path) -> pl.DataFrame:
    """All rows of one local file, as declared and typed.

    Raises:
        DataError: it cannot be read, lacks a column, or a value does not fit its type.
    """
    import fsspec

    if not path.is_file():
        raise DataError(f"{name}: no file {path}; correct the path")
    with tempfile.TemporaryDirectory() as scratch:
        read = _chunks(name, source, fsspec.filesystem("file"), str(path), Path(scratch))
        parts = [rows for rows, _ in read]
    if not parts:
        raise DataError(f"{name}: {path} has no rows; give the rows of the batch")
    rows = _one(source, parts, ())
    wrong = unlike(source, rows)
    if wrong is not None:
        raise DataError(f"{name}: {path}: {wrong}; correct it and say it again")
    return rows.select(list(source.columns))


# ---- files


def _spec(source: Source) -> str:
    said = [FORMAT, source.time, dict(source.columns), list(source.key), dict(source.read), list(source.optional)]
    return json.dumps(said)


def _filed(
    name: str, source: Source, period: Period | None, root: Path, cache: Path
) -> Iterator[tuple[pl.DataFrame, tuple[str, ...]]]:
    """The rows of the period, file by file; what lies wholly outside it is not opened."""
    for fs, path in files_of(name, source, root):
        converted = _conversion(name, source, fs, path, cache / "sources")
        for part, low, high in converted.parts:
            if period is None or low is None or high is None or not (low >= period.end or high < period.start):
                yield _within(pl.scan_parquet(part), source, period).collect(), converted.besides


def _conversion(name: str, source: Source, fs: Any, path: str, folder: Path) -> Converted:
    """A file of the source, converted once for each content; an older content's conversion goes."""
    key = hashlib.sha256((_spec(source) + digest_of(fs, path)).encode()).hexdigest()[:32]
    kept = folder / key
    if kept not in _converted_files or not kept.is_dir():
        if not (kept / "about.json").is_file():
            _convert(name, source, fs, path, kept)
            _forget_older(folder, f"{name} {path}", key)
        said = json.loads((kept / "about.json").read_text())
        parts = tuple((kept / part, _moment(low), _moment(high)) for part, low, high in said["parts"])
        _converted_files[kept] = Converted(parts, tuple(said["besides"]))
    return _converted_files[kept]


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _forget_older(folder: Path, what: str, key: str) -> None:
    """Remove the conversion that this one replaces, unless another file has that content: a growing file is many."""
    note = folder / "newest.json"
    newest: dict[str, str] = json.loads(note.read_text()) if note.is_file() else {}
    old, newest[what] = newest.get(what), key
    write_text(json.dumps(newest, indent=0), note)
    if old is not None and old not in newest.values():
        shutil.rmtree(folder / old, ignore_errors=True)


def _convert(name: str, source: Source, fs: Any, path: str, target: Path) -> None:
    """Write a file's rows as typed Parquet files in order of event time, some rows in memory at a time."""
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.rmtree(fresh, ignore_errors=True)
    parts: list[tuple[str, Any, Any]] = []
    besides: tuple[str, ...] = ()
    try:
        for rows, undeclared in _chunks(name, source, fs, path, target.parent):
            besides = undeclared
            part = f"{len(parts):05d}.parquet"
            write_table(rows.sort(TIME) if source.timed else rows, fresh / part)
            parts.append((part, rows[TIME].min(), rows[TIME].max()))
        if not parts:
            raise DataError(f"{name}: {path} has no rows; deliver it again")
        if source.timed and any(a[2] > b[1] for a, b in zip(parts, parts[1:], strict=False)):
            parts = _sorted_parts(fresh, parts)
        said = {"parts": [(p, _iso(low), _iso(high)) for p, low, high in parts], "besides": besides}
        write_text(json.dumps(said), fresh / "about.json")
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def _sorted_parts(folder: Path, parts: Sequence[tuple[str, Any, Any]]) -> list[tuple[str, Any, Any]]:
    """The parts as one file in order of event time, sorted on disk."""
    files = ", ".join("'" + str(folder / p).replace("'", "''") + "'" for p, _, _ in parts)
    target = str(folder / "all.parquet").replace("'", "''")
    with _engine(folder) as connection:
        connection.execute(
            f"COPY (SELECT * FROM read_parquet([{files}], union_by_name = true) ORDER BY {TIME}) "
            f"TO '{target}' (FORMAT parquet, ROW_GROUP_SIZE 32768)"
        )
    for part, _, _ in parts:
        (folder / part).unlink()
    return [("all.parquet", min(low for _, low, _ in parts), max(high for _, _, high in parts))]


def _chunks(
    name: str, source: Source, fs: Any, path: str, scratch: Path
) -> Iterator[tuple[pl.DataFrame, tuple[str, ...]]]:
    """The rows of a file, typed, with their event time; some at a time. With them the columns not declared."""
    with _engine(scratch) as connection, opened(connection, name, fs, path, scratch) as written:
        selection = selection_of(name, source, written.columns, path)
        many = max(1000, CELLS // max(len(written.columns), 1))
        with _reading_errors(name, path) if source.read else nullcontext():
            written.create_view("written")
            for batch in connection.sql(selection.sql).to_arrow_reader(many):
                rows = pl.DataFrame(batch)
                if rows.height:
                    yield _typed_rows(name, source, rows, selection, path), selection.besides


@contextmanager
def _engine(scratch: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """An engine that reads files out of core."""
    import duckdb

    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch, prefix=".spill-") as spill:
        connection = duckdb.connect(config={"threads": 1, "memory_limit": MEMORY, "temp_directory": spill})
        try:
            connection.execute("SET TimeZone = 'UTC'")
            yield connection
        finally:
            connection.close()


# ---- queries


def _answered(
    name: str, source: Source, period: Period | None, root: Path
) -> Iterator[tuple[pl.DataFrame, tuple[str, ...]]]:
    """What the source's query answers, of the period; some rows in memory at a time."""
    where = "its query"
    parts = _query(name, source, period, root)
    if any(sees_other_rows(sql) for sql in source.read.values()):
        parts = iter([pl.concat(list(parts), how="diagonal_relaxed")])
    for written in parts:
        selection = selection_of(name, source, written.columns, where)
        rows = _typed_rows(name, source, _selected(name, written, selection, where), selection, where)
        yield _within(rows.lazy(), source, period).collect(), selection.besides


def _selected(name: str, written: pl.DataFrame, selection: Selection, where: str) -> pl.DataFrame:
    connection = _connection().cursor()
    try:
        connection.register("written", written.to_arrow())
        with _reading_errors(name, where):
            return connection.sql(selection.sql).pl()
    finally:
        connection.close()


def _query(name: str, source: Source, period: Period | None, root: Path) -> Iterator[pl.DataFrame]:
    """What the query answers, as it is written; ``:start`` and ``:end`` in it are the period's."""
    import sqlalchemy as sa

    try:
        url = sa.engine.make_url(os.path.expandvars(source.url or ""))
        lite = url.get_backend_name() == "sqlite"
        if lite and url.database and url.database != ":memory:":
            url = url.set(database=str(root / url.database))
            if not Path(str(url.database)).is_file():  # SQLite would make an empty one
                raise DataError(f"{name}: no database {url.database}; put it there or correct sources.{name}.url")
        statement = sa.text(source.query or "")
        wanted = {"start": period.start, "end": period.end} if period is not None else {}
        given = {k: str(v) if lite else v for k, v in wanted.items() if k in statement._bindparams}
        engine = sa.create_engine(url)
        try:
            with engine.connect().execution_options(stream_results=True) as connection:
                answer = connection.execute(statement, given)
                names = list(answer.keys())
                many = max(1000, CELLS // max(len(names), 1))
                while rows := answer.fetchmany(many):
                    yield pl.DataFrame([as_series(n, (row[i] for row in rows)) for i, n in enumerate(names)])
        finally:
            engine.dispose()
    except (sa.exc.SQLAlchemyError, ImportError) as error:
        raise DataError(
            f"{name}: the query failed: {first_line(error)}; fix sources.{name} or the database"
        ) from error
