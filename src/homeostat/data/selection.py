"""How the declared columns of a source are made of what is written, and its rows in the declared types."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
import polars as pl

from homeostat.adapters.duckdb import evaluate
from homeostat.adapters.sql_names import columns_of, quoted
from homeostat.core.errors import DataError, ScopeError
from homeostat.core.text import first_line, listed
from homeostat.data.casts import TYPES, WRITTEN, in_repeated_hours, misfitting, not_of, typed
from homeostat.data.known_at import event_time
from homeostat.data.time_forms import check_form

if TYPE_CHECKING:
    from homeostat.project.source_scope import Source

TIME = "__event_time"


@dataclass(frozen=True)
class Selection:
    """How the declared columns are made of what is written: SQL over ``written``, and what cannot be made."""

    sql: str
    absent: tuple[str, ...]
    undeclared: tuple[str, ...]


def selection_of(name: str, source: Source, names: Sequence[str], where: str) -> Selection:
    """How the declared columns are made of a table with the columns ``names``, called ``written``.

    A column that ``read`` makes of several, of which some are absent, is made with these blank.

    Raises:
        DataError: a column is absent without which no row has an event time.
        ScopeError: a form of a time is none.
    """
    _check_forms(name, source)
    lower = {n.lower() for n in names}
    read = {c: columns_of(sql) for c, sql in source.read.items()}
    absent = tuple(
        c for c in source.columns
        if (bool(read[c]) and not read[c] & lower if c in read else c not in names)
    )  # fmt: skip
    needed = columns_of(source.time) if source.time is not None else frozenset()
    for column in absent:
        if column.lower() in needed and column not in source.optional:
            raise DataError(
                f"{name}: {where} has no column {column!r} (it has {listed(names, 40)}), which says when its rows "
                f"happened; rename it there, or say in params.yaml, sources.{name}.read, what it is made of"
            )
    made = {c: source.read.get(c) for c in source.columns if c not in absent}
    blank = sorted({n for c in made if c in read for n in read[c]} - lower)
    used = {c.lower() for c in made if c not in read}.union(*read.values())
    undeclared = tuple(n for n in names if n.lower() not in used)
    extra = [n for n in undeclared if n not in source.columns] if absent else []
    inner = ", ".join(["*", *(f"NULL AS {quoted(n)}" for n in blank)])
    declared = read_columns(made, {c: sql for c, sql in made.items() if sql is not None})
    columns = ", ".join([*([declared] if made else []), *map(quoted, extra)])
    return Selection(f"SELECT {columns} FROM (SELECT {inner} FROM written)", absent, undeclared)


def _check_forms(name: str, source: Source) -> None:
    """Refuse forms of times that there are not."""
    for column, writing in source.written.items():
        for form in writing.times:
            try:
                check_form(form)
            except ValueError as error:
                raise ScopeError(f"params.yaml: sources.{name}.written.{column}.times: {error}") from error


def read_columns(columns: Iterable[str], read: Mapping[str, str]) -> str:
    """The SQL list that makes the declared columns of what is written."""
    names = [(read.get(c), quoted(c)) for c in columns]
    return ", ".join(f"({sql}\n) AS {name}" if sql is not None else name for sql, name in names)


@contextmanager
def reading_errors(name: str, where: str) -> Iterator[None]:
    """What is wrong with the SQL of ``read`` is said of it, not of the file."""
    try:
        yield
    except duckdb.BinderException as error:
        raise DataError(
            f"{name}: {where} cannot be read as sources.{name}.read says: {first_line(error)}; rename the column "
            "there or fix params.yaml"
        ) from error
    except (duckdb.ParserException, duckdb.CatalogException, duckdb.ConversionException) as error:
        raise ScopeError(f"params.yaml: sources.{name}.read: {first_line(error)}; fix the expression") from error


def typed_rows(name: str, source: Source, rows: pl.DataFrame, selection: Selection, where: str) -> pl.DataFrame:
    """What is written, in the declared types, with its event time.

    Raises:
        DataError: a row has no event time.
        ScopeError: the expression of the event time is wrong.
    """
    there = {c: kind for c, kind in source.columns.items() if c not in selection.absent}
    result = in_repeated_hours(typed(rows, there, source.written), source.key, source.written)
    if selection.absent:
        result = result.with_columns(rows.select(c for c in selection.undeclared if c in rows.columns))
    result = result.with_columns(event_times(name, source, with_optional(source, result)))
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


def with_optional(source: Source, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with optional columns that are absent blank."""
    blank = [c for c in source.optional if c not in rows.columns]
    return rows.with_columns(pl.lit(None, dtype=TYPES[source.columns[c]]).alias(c) for c in blank)


def event_times(name: str, source: Source, rows: pl.DataFrame) -> pl.Series:
    """The event time of each row: naive UTC, null where the expression is, and where the source has none.

    Raises:
        ScopeError: the expression is wrong.
    """
    if source.time is None:
        return pl.Series(TIME, [None] * len(rows), dtype=TYPES["time"])
    return evaluate(rows, [event_time(name, source.time, TIME)])[TIME]
