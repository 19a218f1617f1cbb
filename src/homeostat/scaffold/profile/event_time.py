"""The time of a row: which column says it, the SQL that reads it, and the grid that times lie on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from homeostat.core.errors import DataError, UsageError
from homeostat.scaffold.profile.composite_time import YEARS
from homeostat.scaffold.profile.request import Request
from homeostat.scaffold.profile.table import Column, Table, column_list, find_column
from homeostat.scaffold.profile.workspace import Workspace

# least and most value of a number that counts time, and the SQL of the time; {n} is the number, {i} the whole number
COUNTS = (
    (*YEARS, "make_timestamp({i}, 1, 1, 0, 0, 0)"),
    (20_000, 75_000, "TIMESTAMP '1899-12-30' + to_microseconds(CAST({n} * 86400000000 AS BIGINT))"),  # a spreadsheet's
    (620_000, 800_000, "TIMESTAMP '0001-01-01' + to_days(CAST({n} AS INTEGER) - 1)"),  # days of the era
    (190001, 210012, "make_timestamp({i} // 100, {i} % 100, 1, 0, 0, 0)"),
    (19000101, 21001231, "make_timestamp({i} // 10000, {i} // 100 % 100, {i} % 100, 0, 0, 0)"),
    (1e8, 5e9, "make_timestamp(CAST({n} * 1000000 AS BIGINT))"),
    (1e11, 5e12, "make_timestamp(CAST({n} * 1000 AS BIGINT))"),
    (1e14, 5e15, "make_timestamp({i})"),
)


@dataclass(frozen=True)
class EventTime:
    """The time of a row: its column, SQL over a row, its range, and the number of rows without one.

    ``step`` is the distance of neighbouring times where they lie on a grid. The workspace has it as ``__t``.
    """

    column: str
    sql: str
    first: datetime
    last: datetime
    step: timedelta | None
    missing: int


def choose_time_column(table: Table, request: Request, label: str) -> Column:
    """The column that was named; else the only time, or among several the one with the fewest gaps and earliest."""
    if request.time is not None:
        return find_column(table, request.time, "--time")
    times = [c for c in table.columns if c.kind == "time" and c.name not in (label, request.known_at)]
    if times:
        return min(times, key=lambda c: (c.absent, c.low or "", c.high or ""))
    raise UsageError(f"--time: say which column is the time of a row; there are {column_list(table.columns)}")


def read_event_time(work: Workspace, table: Table, column: Column) -> EventTime:
    """Add ``__t`` to the typed table, and describe it.

    Raises:
        UsageError: the column is no time.
        DataError: all its times are equal.
    """
    sql = _time_sql(work, table, column)
    work.execute(f"ALTER TABLE {table.sql} ADD COLUMN __t TIMESTAMP")
    work.execute(f"UPDATE {table.sql} SET __t = {sql}")
    first, last, missing = work.row(f"SELECT min(__t), max(__t), count(*) FILTER (__t IS NULL) FROM {table.sql}")
    if first == last:
        raise DataError(f"--time {column.raw}: all rows are of {first}; a loop needs a history")
    filled = f"coalesce({sql}, TIMESTAMP '1900-01-01')" if missing else sql
    return EventTime(column.name, filled, first, last, _step(work, table), missing)


def _time_sql(work: Workspace, table: Table, column: Column) -> str:
    """The time of a row, in SQL, from a time or a number that counts time.

    Raises:
        UsageError: it is neither.
    """
    if column.kind == "time":
        return column.sql
    times = [c for c in table.columns if c.kind == "time"]
    choice = f"there {'is' if len(times) == 1 else 'are'} {column_list(times)}" if times else "no other column is one"
    if column.kind == "string" and column.absent < column.rows:
        raise UsageError(
            f"--time {column.raw}: some of its values are no times, {_bad_example(work, table, column)}; "
            f"fix them, or name another column: {choice}"
        )
    if column.kind in ("integer", "float") and column.low is not None and column.high is not None:
        whole = column.sql if column.kind == "integer" else f"CAST({column.sql} AS BIGINT)"
        for least, most, form in COUNTS:
            if least <= float(column.low) and float(column.high) <= most:
                return form.format(n=column.sql, i=whole)
    raise UsageError(
        f"--time {column.raw}: holds {column.low} to {column.high}, which is no time; name another column: {choice}"
    )


def _bad_example(work: Workspace, table: Table, column: Column) -> str:
    odd = work.rows(
        f"SELECT {column.sql} FROM {table.sql} WHERE {column.sql} IS NOT NULL AND "
        f"(NOT regexp_matches({column.sql}, '[0-9]') OR length({column.sql}) < 6) LIMIT 1"
    )
    return f"such as {odd[0][0]!r}" if odd else f"such as {column.low!r} or {column.high!r}"


def _step(work: Workspace, table: Table) -> timedelta | None:
    """The step of the grid, if three of four neighbouring times are one step apart."""
    gaps = work.rows(
        "SELECT gap, count(*) AS n, sum(count(*)) OVER () AS total FROM ("
        "SELECT epoch(t) - epoch(lag(t) OVER (ORDER BY t)) AS gap FROM (SELECT DISTINCT __t AS t FROM "
        f"{table.sql} WHERE __t IS NOT NULL)) WHERE gap IS NOT NULL "
        "GROUP BY gap ORDER BY n DESC LIMIT 4"
    )
    if not gaps:
        return None
    gap, total = float(gaps[0][0]), int(gaps[0][2])
    near = sum(n for g, n, _ in gaps if abs(g - gap) <= 0.12 * gap)  # months and years differ in length
    return timedelta(seconds=gap) if gap >= 1 and near >= 0.75 * total else None
