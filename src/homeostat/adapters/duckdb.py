"""The SQL engine: sessions over tables in memory, expressions over rows, and what SQL of the scope must not use."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cache as once
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import polars as pl

from homeostat.adapters.sql_names import nodes, quoted
from homeostat.core.errors import ScopeError

MEMORY = "1GB"  # of one computation; what needs more goes to disk
VAGUE = {"first", "last", "any_value", "arbitrary", "list", "array_agg", "string_agg", "group_concat", "listagg"}


class Expression(NamedTuple):
    """SQL over a row: the name and type of its value, and the key of ``params.yaml`` that holds it."""

    name: str
    sql: str
    kind: str
    place: str


# ---- sessions


@contextmanager
def session(threads: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """A session of its own, with tables that end with it."""
    with closing(_database(threads).cursor()) as own:
        yield own


def resident(tables: Mapping[str, pl.DataFrame], threads: int) -> duckdb.DuckDBPyConnection:
    """A session that keeps ``tables`` in the engine's own form, to be queried often about few rows."""
    own = _database(threads, hasty=True).cursor()
    for name, rows in tables.items():
        own.register("__rows", rows)
        own.execute(f"CREATE TEMP TABLE {quoted(name)} AS SELECT * FROM __rows")
        own.unregister("__rows")
    return own


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


def sql_error(where: str, error: duckdb.Error, what: str = "the query") -> ScopeError:
    """What the engine says of SQL in the scope, as one line that names the file, its line and the fix."""
    text = str(error).strip()
    line = re.search(r"^LINE (\d+):", text, re.MULTILINE)
    sentence = re.sub(r"\s+", " ", text.split("\n\n")[0])
    place = f"{where}:{line[1]}" if line and where.endswith(".sql") else where
    return ScopeError(f"{place}: {sentence.rstrip('.!')}; fix {what}")


# ---- expressions over rows


def evaluate(rows: pl.DataFrame, *steps: Sequence[Expression]) -> pl.DataFrame:
    """``rows`` with one more column an expression, or another in its place.

    Each expression sees the columns of its row, and those that the steps before its own have made.

    Raises:
        ScopeError: an expression is wrong; the line names its key in ``params.yaml``.
    """
    expressions = [expression for step in steps for expression in step]
    if not expressions:
        return rows
    for expression in expressions:
        refuse_unsteady(f"SELECT ({expression.sql}\n)", f"params.yaml: {expression.place}")
    with session(1) as own:
        own.register("__rows", rows)
        try:
            values = _select(own, rows.columns, steps)
        except duckdb.Error as error:
            blamed, cause = _blame(own, rows.columns, steps, error)
            raise sql_error(f"params.yaml: {blamed}", cause, "the expression") from error
    if values.height != rows.height:
        raise ScopeError(f"params.yaml: {expressions[0].place}: must answer once a row; take out what aggregates")
    return rows.with_columns(values.with_columns(pl.col(pl.Datetime).cast(pl.Datetime("us"))).get_columns())


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


def _select(
    own: duckdb.DuckDBPyConnection, columns: Sequence[str], steps: Sequence[Sequence[Expression]]
) -> pl.DataFrame:
    # Row order is DuckDB's default for a plain projection (preserve_insertion_order).
    return own.sql(in_turn(columns, steps)).pl()


def _cast(expression: Expression) -> str:
    return f"CAST(({expression.sql}\n) AS {expression.kind}) AS {quoted(expression.name)}"


def _blame(
    own: duckdb.DuckDBPyConnection, columns: Sequence[str], steps: Sequence[Sequence[Expression]], error: duckdb.Error
) -> tuple[str, duckdb.Error]:
    """The first expression that fails by itself, after the steps before it, and how."""
    for n, step in enumerate(steps):
        for expression in step:
            try:
                _select(own, columns, [*steps[:n], [expression]])
            except duckdb.Error as cause:
                return expression.place, cause
    return steps[0][0].place, error


# ---- what SQL must not use


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
    with session(1) as own:
        parsed = own.execute("SELECT json_serialize_sql(?)", [statements[0].query]).fetchone()
    for node in nodes(json.loads(parsed[0]) if parsed else {}):
        reason = _unsteady(node)
        if reason:
            line = sql.encode()[: node.get("query_location", 0)].count(b"\n") + 1
            place = f"{where}:{line}" if where.endswith(".sql") else where
            raise ScopeError(f"{place}: {reason}")


@once
def _unsteady_functions() -> frozenset[str]:
    """What the engine itself says does not answer the same every time."""
    with session(1) as own:
        rows = own.execute(
            "SELECT DISTINCT function_name FROM duckdb_functions() "
            "WHERE stability IN ('VOLATILE', 'CONSISTENT_WITHIN_QUERY') AND function_name <> 'error'"
        ).fetchall()
    return frozenset(row[0] for row in rows)


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
