"""The rows that a source's SQL query answers."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from homeostat.adapters.duckdb import session
from homeostat.adapters.sql_names import sees_other_rows
from homeostat.core.errors import DataError
from homeostat.core.text import first_line
from homeostat.data.casts import as_series
from homeostat.data.selection import Selection, reading_errors, selection_of, typed_rows

if TYPE_CHECKING:
    from homeostat.core.periods import Period
    from homeostat.project.scope import Source

DAY, MOMENT = timedelta(days=1), timedelta(microseconds=1)
FILES = ("sqlite", "duckdb")  # databases in a file
CELLS = 4_000_000  # values of an answer in memory at a time


def queried(name: str, source: Source, period: Period | None, root: Path) -> Iterator[tuple[pl.DataFrame, Selection]]:
    """The answer of the source's query, typed; some rows in memory at a time.

    Raises:
        DataError: the query fails, or a row has no event time.
        ScopeError: an expression of the source is wrong.
    """
    where = "its query"
    parts = _answer(name, source, period, root)
    if any(sees_other_rows(sql) for sql in source.read.values()):
        parts = iter([pl.concat(list(parts), how="diagonal_relaxed")])
    for written in parts:
        selection = selection_of(name, source, written.columns, where)
        yield typed_rows(name, source, _selected(name, written, selection, where), selection, where), selection


def _selected(name: str, written: pl.DataFrame, selection: Selection, where: str) -> pl.DataFrame:
    with session(1) as own:
        own.register("written", written.to_arrow())
        with reading_errors(name, where):
            return own.sql(selection.sql).pl()


def _answer(name: str, source: Source, period: Period | None, root: Path) -> Iterator[pl.DataFrame]:
    """The answer as it is written; ``:start`` and ``:end`` in the query are the period's."""
    wanted: dict[str, object] = {"start": period.start, "end": period.end} if period is not None else {}
    url = os.path.expandvars(source.url or "")
    if url.startswith("sqlite"):
        # It compares text: whole days are right whether a T or a blank follows them. Event time cuts the rows later.
        wanted = {k: str(v) for k, v in wanted.items()}
        if period is not None and source.timed:
            wanted = {"start": f"{period.start:%Y-%m-%d}", "end": f"{period.end + DAY - MOMENT:%Y-%m-%d}"}
    yield from answered(name, url, source.query or "", wanted, root)


def answered(
    name: str, url: str, query: str, bounds: Mapping[str, object], root: Path | None = None
) -> Iterator[pl.DataFrame]:
    """The answer of a query as it is written, some rows in memory at a time; ``bounds`` are given where it names them.

    A column whose name is taken gets a number behind it.

    Raises:
        DataError: the database cannot be reached, or the query fails.
    """
    import sqlalchemy as sa

    try:
        address = sa.engine.make_url(url)
        backend = address.get_backend_name()
        if backend in FILES and address.database and address.database != ":memory:":
            address = address.set(database=str((root or Path()) / address.database))
            if not Path(str(address.database)).is_file():  # SQLite would make an empty one
                raise DataError(f"{name}: no database {address.database}; put it there or correct sources.{name}.url")
        if backend == "duckdb":
            yield from _answered_by_duckdb(name, str(address.database), query, bounds)
            return
        statement = sa.text(query)
        given = {k: v for k, v in bounds.items() if k in statement._bindparams}
        engine = sa.create_engine(address)
        try:
            with engine.connect().execution_options(stream_results=True) as connection:
                answer = connection.execute(statement, given)
                names = _different(answer.keys())
                many = max(1000, CELLS // max(len(names), 1))
                while rows := answer.fetchmany(many):
                    yield pl.DataFrame([as_series(n, (row[i] for row in rows)) for i, n in enumerate(names)])
        finally:
            engine.dispose()
    except (sa.exc.NoSuchModuleError, ImportError) as error:
        kind = url.partition(":")[0]
        raise DataError(
            f"{name}: no driver for {kind} is installed ({first_line(error)}); install it, or correct the address"
        ) from error
    except sa.exc.SQLAlchemyError as error:
        raise DataError(
            f"{name}: the query failed: {first_line(error)}; fix the query, its address or the database"
        ) from error


def _answered_by_duckdb(
    name: str, database: str, query: str, bounds: Mapping[str, object]
) -> Iterator[pl.DataFrame]:
    """The answer of a database in a file of DuckDB's."""
    import duckdb

    try:
        with duckdb.connect(database, read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            given = {key: value for key, value in bounds.items() if re.search(rf"(?<!:):{key}\b", query)}
            answer = connection.sql(re.sub(r"(?<!:):(start|end)\b", r"$\1", query), params=given or None)
            if answer is None:
                raise DataError(f"{name}: the query answers with no rows; write a SELECT")
            names = _different(answer.columns)
            many = max(1000, CELLS // max(len(names), 1))
            for rows in answer.to_arrow_reader(many):
                yield pl.DataFrame(rows.rename_columns(names))
    except duckdb.Error as error:
        raise DataError(
            f"{name}: the query failed: {first_line(error)}; fix the query, its address or the database"
        ) from error


def _different(names: Iterable[str]) -> list[str]:
    """Names that a database tells apart: a join may answer with two of one name.

    >>> _different(["id", "at", "ID"])
    ['id', 'at', 'ID_2']
    """
    result: list[str] = []
    for name in names:
        taken, free, number = {n.lower() for n in result}, name, 2
        while free.lower() in taken:
            free, number = f"{name}_{number}", number + 1
        result.append(free)
    return result
