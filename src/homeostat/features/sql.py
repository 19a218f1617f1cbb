"""Features by SQL: tables as they were known, and one SELECT over them that gives the same bits every time."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from functools import cache as once
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb
import polars as pl

from homeostat.adapters.sql_names import nodes, quoted
from homeostat.core.errors import ScopeError

if TYPE_CHECKING:
    import pyarrow as pa

    from homeostat.project.scope import Scope, Source

FAR = datetime(9999, 12, 31)  # when a value that is never known becomes known
RESERVED = ("given__", "label__", "known__", "group__", "score__", "baseline__", "never__")
TAKEN = {"event_time", "predict_at", "as_of", "tick", "release", "risk", "alert"}
PLAIN = {pl.Int64, pl.Float64, pl.Boolean, pl.String}  # what a feature is in the end
MEMORY = "1GB"  # of one computation; what needs more goes to disk
VAGUE = {"first", "last", "any_value", "arbitrary", "list", "array_agg", "string_agg", "group_concat", "listagg"}


class Expression(NamedTuple):
    """SQL over a row: the name and type of its answer, and the key of ``params.yaml`` that holds it."""

    name: str
    sql: str
    kind: str
    place: str


def known_column(group: str) -> str:
    return f"{group}_known_at"


def build(
    sql: str,
    scope: Scope,
    tables: Mapping[str, pl.DataFrame],
    events: pl.DataFrame,
    threads: int,
    needed: Iterable[str] = (),
) -> pl.DataFrame:
    """What the one SELECT in ``sql`` answers over ``tables`` and ``events``: key columns and features, sorted by key.

    Whole numbers come as Int64, other numbers as Float64 (not a number as null), the rest as Boolean or String.
    ``needed`` are columns that the answer must have.

    Raises:
        ScopeError: the SQL cannot be used, or does not answer one row an event.
    """
    refuse_unsteady(sql, "features.sql")
    with _session(threads) as session:
        try:
            for name, rows in (*tables.items(), ("events", events)):
                session.register(name, rows)
            found = session.sql(sql).to_arrow_table()
        except duckdb.Error as error:
            raise sql_error("features.sql", error) from error
        return checked(scope, events, frame(found), needed)


def hold(tables: Mapping[str, pl.DataFrame], threads: int) -> duckdb.DuckDBPyConnection:
    """A session that keeps ``tables`` in the engine's own form, to be asked often about few rows."""
    session = _database(threads, hasty=True).cursor()
    for name, rows in tables.items():
        session.register("__rows", rows)
        session.execute(f"CREATE TEMP TABLE {quoted(name)} AS SELECT * FROM __rows")
        session.unregister("__rows")
    return session


def frame(found: pa.Table) -> pl.DataFrame:
    """An answer as it comes.

    Raises:
        ScopeError: a column is of a type that no frame has.
    """
    for field in found.schema:
        if "interval" in str(field.type):
            raise _no_feature(field.name, "an interval")
    return pl.DataFrame(found)


def checked(scope: Scope, events: pl.DataFrame, found: pl.DataFrame, needed: Iterable[str] = ()) -> pl.DataFrame:
    """An answer in plain types, one row an event, sorted by key.

    Raises:
        ScopeError: it is no such thing.
    """
    _check_names(scope, found.columns, needed)
    other = [_plain(scope, name, kind) for name, kind in found.schema.items() if kind not in PLAIN]
    told = found.with_columns(pl.col(pl.Float64).fill_nan(None), *other)
    told = told.sort(scope.key, nulls_last=True)
    _check_rows(scope, events, told)
    return told


def with_known_at(name: str, source: Source, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of a source with ``event_time`` and ``<group>_known_at``; a group is known no sooner than its row.

    Raises:
        ScopeError: an expression of the source is wrong.
    """
    if source.time is None:
        return rows
    return evaluate(rows, *times(name, source, source.time))


def times(name: str, source: Source, time: str) -> Iterator[list[Expression]]:
    """The steps by which rows of a source come to have ``event_time`` and ``<group>_known_at``."""
    place = f"sources.{name}"
    yield [Expression("event_time", time, "TIMESTAMP", f"{place}.time")]
    groups = [
        Expression(known_column(g), group.at, "TIMESTAMP", f"{place}.known_at.{g}.at")
        for g, group in source.known_at.items()
    ]
    yield groups
    never = [f"coalesce({quoted(g.name)}, TIMESTAMP '{FAR}')" for g in groups]
    yield [
        Expression(g.name, f"greatest({never[0]}, {own})", "TIMESTAMP", g.place)
        for g, own in zip(groups, never, strict=True)
    ]


def as_known(rows: pl.DataFrame, source: Source, at: pl.Expr | datetime) -> pl.DataFrame:
    """Rows cut to what was known as of ``at``: a row whose first group is not is gone, later groups are blank.

    ``rows`` come from ``with_known_at``; a group that is not known yet has ``<group>_known_at`` in the far future.
    """
    if not source.timed:
        return rows
    limit = pl.lit(at, dtype=pl.Datetime("us")) if isinstance(at, datetime) else at
    first, *later = source.known_at
    cut: list[pl.Expr] = []
    for group in later:
        since = pl.col(known_column(group))
        cut += [pl.when(since < limit).then(pl.col(c)).alias(c) for c in source.known_at[group].columns]
        cut.append(
            pl.when(since < limit)
            .then(since)
            .otherwise(pl.lit(FAR, dtype=pl.Datetime("us")))
            .alias(since.meta.output_name())
        )
    return rows.filter(pl.col(known_column(first)) < limit).with_columns(cut)


def evaluate(rows: pl.DataFrame, *steps: Sequence[Expression]) -> pl.DataFrame:
    """``rows`` with one more column an expression, or another in its place.

    Each expression sees the columns of its row, and those that the steps before its own have made.

    Raises:
        ScopeError: an expression is wrong; the line names its key in ``params.yaml``.
    """
    asked = [expression for step in steps for expression in step]
    if not asked:
        return rows
    for expression in asked:
        refuse_unsteady(f"SELECT ({expression.sql}\n)", f"params.yaml: {expression.place}")
    with _session(1) as session:
        session.register("__rows", rows)
        try:
            found = _select(session, rows.columns, steps)
        except duckdb.Error as error:
            blamed, cause = _blame(session, rows.columns, steps, error)
            raise sql_error(f"params.yaml: {blamed}", cause, "the expression") from error
    if found.height != rows.height:
        raise ScopeError(f"params.yaml: {asked[0].place}: must answer once a row; take out what aggregates")
    return rows.with_columns(found.with_columns(pl.col(pl.Datetime).cast(pl.Datetime("us"))).get_columns())


def _select(
    session: duckdb.DuckDBPyConnection, columns: Sequence[str], steps: Sequence[Sequence[Expression]]
) -> pl.DataFrame:
    # Row order is DuckDB's default for a plain projection (preserve_insertion_order).
    return session.sql(in_turn(columns, steps)).pl()


def in_turn(columns: Sequence[str], steps: Sequence[Sequence[Expression]]) -> str:
    """A SELECT of what the steps make, over rows ``__rows`` of these columns."""
    rows, there, made = "__rows", {c.lower() for c in columns}, dict[str, str]()
    for step in steps[:-1]:
        replaced = ", ".join(_cast(e) for e in step if e.name.lower() in there)
        more = "".join(f", {_cast(e)}" for e in step if e.name.lower() not in there)
        rows = f"(SELECT *{f' REPLACE ({replaced})' if replaced else ''}{more} FROM {rows})"
        there |= {e.name.lower() for e in step}
        made |= {e.name: quoted(e.name) for e in step}
    listed = ", ".join((made | {e.name: _cast(e) for e in steps[-1]}).values())
    return f"SELECT {listed} FROM {rows}"


def _cast(expression: Expression) -> str:
    return f"CAST(({expression.sql}\n) AS {expression.kind}) AS {quoted(expression.name)}"


def _blame(
    session: duckdb.DuckDBPyConnection,
    columns: Sequence[str],
    steps: Sequence[Sequence[Expression]],
    error: duckdb.Error,
) -> tuple[str, duckdb.Error]:
    """The first expression that fails by itself, after the steps before it, and how."""
    for n, step in enumerate(steps):
        for expression in step:
            try:
                _select(session, columns, [*steps[:n], [expression]])
            except duckdb.Error as own:
                return expression.place, own
    return steps[0][0].place, error


# ---- the engine


@once
def _database(threads: int, hasty: bool = False) -> duckdb.DuckDBPyConnection:
    """One database in memory, that spills to disk, reaches no file and cannot be reset from SQL.

    A ``hasty`` one takes a good order of joins for the best: for few rows, finding that takes longer than the query.
    """
    spill = Path(tempfile.gettempdir()) / f"homeostat-spill-{os.getpid()}-{threads}{'-hasty' if hasty else ''}"
    database = duckdb.connect(
        config={
            "threads": threads,
            "memory_limit": MEMORY,
            "temp_directory": str(spill),
            "python_enable_replacements": False,
            "autoload_known_extensions": False,
            "autoinstall_known_extensions": False,
        }
    )
    database.execute("SET TimeZone = 'UTC'")
    if hasty:
        database.execute("SET approximate_join_order_threshold = 3")
    database.execute("SET enable_external_access = false")
    database.execute("SET lock_configuration = true")
    return database


@contextmanager
def _session(threads: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """A session of its own, with tables that end with it."""
    with closing(_database(threads).cursor()) as session:
        yield session


def sql_error(where: str, error: duckdb.Error, what: str = "the query") -> ScopeError:
    text = str(error).strip()
    line = re.search(r"^LINE (\d+):", text, re.MULTILINE)
    said = re.sub(r"\s+", " ", text.split("\n\n")[0])
    place = f"{where}:{line[1]}" if line and where.endswith(".sql") else where
    return ScopeError(f"{place}: {said.rstrip('.!')}; fix {what}")


# ---- what SQL may say


@once
def refuse_unsteady(sql: str, where: str) -> None:
    """Only one SELECT, and nothing in it that would answer otherwise tomorrow.

    Raises:
        ScopeError: it is no such thing.
    """
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise sql_error(where, error) from error
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise ScopeError(f"{where}: must hold one SELECT and nothing else; take out the rest")
    with _session(1) as session:
        answer = session.execute("SELECT json_serialize_sql(?)", [statements[0].query]).fetchone()
    for node in nodes(json.loads(answer[0]) if answer else {}):
        said = _unsteady(node)
        if said:
            line = sql.encode()[: node.get("query_location", 0)].count(b"\n") + 1
            place = f"{where}:{line}" if where.endswith(".sql") else where
            raise ScopeError(f"{place}: {said}")


@once
def _unsteady_functions() -> frozenset[str]:
    """What the engine itself says does not answer the same every time."""
    with _session(1) as session:
        found = session.execute(
            "SELECT DISTINCT function_name FROM duckdb_functions() "
            "WHERE stability IN ('VOLATILE', 'CONSISTENT_WITHIN_QUERY') AND function_name <> 'error'"
        )
        return frozenset(row[0] for row in found.fetchall())


def _unsteady(node: Mapping[str, Any]) -> str | None:
    """Why a part of a statement does not answer the same every time, or None."""
    name = str(node.get("function_name") or "").lower()
    if node.get("class") == "COLUMN_REF" and len(node["column_names"]) == 1:
        name = node["column_names"][0].lower()
        name = name if name.startswith("current_") else ""
    if name in _unsteady_functions():
        return f"{name} answers otherwise every time; use e.predict_at for the time, and nothing that is random"
    if node.get("sample"):
        return "a sample differs every time; take it out"
    if node.get("class") == "FUNCTION" and name in VAGUE and not (node.get("order_bys") or {}).get("orders"):
        return f"{name} takes rows in no order; say ORDER BY inside it, or use min, max or arg_max"
    return None


# ---- what SQL may answer


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
            raise ScopeError(
                f"features.sql: does not return {name}, which an objective of params.yaml lists; add it or unlist it"
            )


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
    """One row an event, in a sorted answer: none twice, none missing, none besides."""
    key = list(scope.key)
    asked = events.select(key).sort(key, nulls_last=True)
    got = answer.select(key)
    if asked.equals(got):
        return
    if asked.schema != got.schema:
        column = next(c for c in key if asked.schema[c] != got.schema[c])
        raise ScopeError(f"features.sql: {column} of the key is {got.schema[column]}; return e.{column} as it is")
    twice = got.filter(got.is_duplicated())
    if twice.height:
        fix = "a join finds several rows; aggregate, or take the latest by a total order"
        raise ScopeError(f"features.sql: {_named(twice)} comes {twice.unique().height} times over or more; {fix}")
    absent = asked.join(got, on=key, how="anti", nulls_equal=True)
    if absent.height:
        fix = "start FROM events and use LEFT JOIN"
        raise ScopeError(f"features.sql: {_named(absent)} is missing, with {absent.height} events in all; {fix}")
    strange = got.join(asked, on=key, how="anti", nulls_equal=True)
    raise ScopeError(f"features.sql: {_named(strange)} is no event; return a row for each row of events only")


def _named(rows: pl.DataFrame) -> str:
    return "the event " + ", ".join(f"{k}={v}" for k, v in rows.row(0, named=True).items())
