"""The rows that a source's SQL query answers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from homeostat.adapters.duckdb import session
from homeostat.adapters.sql_names import sees_other_rows
from homeostat.core.errors import DataError
from homeostat.data.casts import as_series
from homeostat.data.selection import Selection, reading_errors, selection_of, typed_rows
from homeostat.data.source_files import first_line

if TYPE_CHECKING:
    from homeostat.core.periods import Period
    from homeostat.project.scope import Source

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
        raise DataError(f"{name}: the query failed: {first_line(error)}; fix sources.{name} or the database") from error
