"""The one SELECT of ``features.sql`` over tables and events, and its answer in plain types: one row an event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import duckdb
import polars as pl

from homeostat.adapters.duckdb import refuse_unsteady, session, sql_error
from homeostat.core.errors import ScopeError
from homeostat.core.text import count

if TYPE_CHECKING:
    import pyarrow as pa

    from homeostat.project.layout import Project
    from homeostat.project.scope import Scope

RESERVED = (
    "given__", "label__", "known__", "group__", "score__", "baseline__", "never__", "filtered__", "decided__"
)  # fmt: skip
TAKEN = {"event_time", "predict_at", "as_of", "tick", "release", "risk", "alert"}
PLAIN = {pl.Int64, pl.Float64, pl.Boolean, pl.String}  # what a feature is in the end


def read_features_sql(project: Project) -> str:
    """The text of the tree's ``features.sql``.

    Raises:
        ScopeError: it is not there, or is no text.
    """
    path = project.features_sql
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ScopeError(f"{path}: not there; write the SELECT that makes the features") from error
    except (UnicodeDecodeError, OSError) as error:
        raise ScopeError(f"{path}: not a file of UTF-8 text; save it as UTF-8, or git restore it") from error


def build(
    sql: str,
    scope: Scope,
    tables: Mapping[str, pl.DataFrame],
    events: pl.DataFrame,
    threads: int,
    needed: Iterable[str] = (),
) -> pl.DataFrame:
    """The answer of the one SELECT in ``sql`` over ``tables`` and ``events``: key and features, sorted by key.

    Whole numbers come as Int64, other numbers as Float64 (not a number as null), the rest as Boolean or String.
    ``needed`` are columns that the answer must have.

    Raises:
        ScopeError: the SQL cannot be used, or does not answer one row an event.
    """
    refuse_unsteady(sql, "features.sql")
    with session(threads) as own:
        try:
            for name, rows in (*tables.items(), ("events", events)):
                own.register(name, rows)
            answer = own.sql(sql).to_arrow_table()
        except duckdb.Error as error:
            raise sql_error("features.sql", error) from error
        return checked(scope, events, frame(answer), needed)


def frame(answer: pa.Table) -> pl.DataFrame:
    """An answer as it comes.

    Raises:
        ScopeError: a column is of a type that no frame has.
    """
    for field in answer.schema:
        if "interval" in str(field.type):
            raise _no_feature(field.name, "an interval")
    return pl.DataFrame(answer)


def checked(scope: Scope, events: pl.DataFrame, answer: pl.DataFrame, needed: Iterable[str] = ()) -> pl.DataFrame:
    """An answer in plain types, one row an event, sorted by key.

    Raises:
        ScopeError: it is no such thing.
    """
    _check_names(scope, answer.columns, needed)
    other = [_plain(scope, name, kind) for name, kind in answer.schema.items() if kind not in PLAIN]
    plain = answer.with_columns(pl.col(pl.Float64).fill_nan(None), *other)
    plain = plain.sort(scope.key, nulls_last=True)
    _check_rows(scope, events, plain)
    return plain


def _check_names(scope: Scope, names: Sequence[str], needed: Iterable[str]) -> None:
    """The key and what is needed, each name once, none that means something else."""
    for column in scope.key:
        if column not in names:
            raise ScopeError(
                f"features.sql: does not return {column}, of the event's key; add e.{column} to the SELECT"
            )
    lowered = Counter(name.lower() for name in names)
    for name in names:
        if lowered[name.lower()] > 1:
            raise ScopeError(f"features.sql: returns {name} twice; rename one with AS")
        if name not in scope.key and (name in TAKEN or name.startswith(RESERVED)):
            raise ScopeError(f"features.sql: a feature cannot be called {name}, which means something else; rename it")
    for name in needed:
        if name not in names:
            lists = f"which {next(iter(scope.entries_with(name)), 'an objective')} of params.yaml lists"
            raise ScopeError(f"features.sql: does not return {name}, {lists}; add it or unlist it")


def _plain(scope: Scope, name: str, kind: pl.DataType) -> pl.Expr:
    """A column of the answer in one of the types that a feature may have."""
    column = pl.col(name)
    if kind.is_integer() or (isinstance(kind, pl.Decimal) and kind.scale == 0):  # a sum of integers is HUGEINT
        return column.cast(pl.Int64)
    if kind.is_numeric() or kind == pl.Null:
        return column.cast(pl.Float64).fill_nan(None)
    if kind in (pl.String, pl.Categorical, pl.Enum):
        return column.cast(pl.String)
    if kind == pl.Boolean:
        return column
    if name in scope.key and kind in (pl.Datetime, pl.Date):
        return column.cast(pl.Datetime("us"))
    raise _no_feature(name, str(kind))


def _no_feature(name: str, kind: str) -> ScopeError:
    fix = "a feature is a number, a boolean or a string: use date_part() or epoch()"
    return ScopeError(f"features.sql: {name} is {kind}; {fix}")


def _check_rows(scope: Scope, events: pl.DataFrame, answer: pl.DataFrame) -> None:
    """One row an event, in a sorted answer: none twice, none missing, none extra."""
    key = list(scope.key)
    wanted = events.select(key).sort(key, nulls_last=True)
    got = answer.select(key)
    if wanted.equals(got):
        return
    if wanted.schema != got.schema:
        column = next(c for c in key if wanted.schema[c] != got.schema[c])
        raise ScopeError(f"features.sql: {column} of the key is {got.schema[column]}; return e.{column} as it is")
    twice = got.filter(got.is_duplicated())
    if twice.height:
        fix = "a join finds several rows; aggregate, or take the latest by a total order"
        raise ScopeError(f"features.sql: {_named(twice)} comes {twice.unique().height} times over or more; {fix}")
    absent = wanted.join(got, on=key, how="anti", nulls_equal=True)
    if absent.height:
        fix = "start FROM events and use LEFT JOIN"
        raise ScopeError(f"features.sql: {_named(absent)} is missing, {count(absent.height, 'event')} in all; {fix}")
    strange = got.join(wanted, on=key, how="anti", nulls_equal=True)
    raise ScopeError(f"features.sql: {_named(strange)} is no event; return a row for each row of events only")


def _named(rows: pl.DataFrame) -> str:
    return "the event " + ", ".join(f"{k}={v}" for k, v in rows.row(0, named=True).items())
