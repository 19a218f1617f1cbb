"""The time of a row: which column says it, the SQL that reads it, and the grid that times lie on."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import polars as pl

from homeostat.core.errors import DataError, UsageError
from homeostat.data.plain_digits import plain_digits
from homeostat.scaffold.profile.column_types import Reading
from homeostat.scaffold.profile.request import Request
from homeostat.scaffold.profile.table import Column, Table, column_list, find_column, typed_copy
from homeostat.scaffold.profile.time_writing import number_as_time
from homeostat.scaffold.profile.workspace import Workspace

STRAY = 0.01  # share of the rows that may lie far from all others
LEAST_COUNTED = 10_000_000  # number that may be a time, as 20240131 is
CALENDARS = ((1300, 1500, "Persian or Islamic"), (2400, 2700, "Buddhist"))  # by their years today
EDGE = 0.005  # share of the rows on either side of the bulk


@dataclass(frozen=True)
class EventTime:
    """The time of a row: its column, SQL over a row, its range, and the number of rows without one.

    ``step`` is the distance of neighbouring times where they lie on a grid. The workspace has it as ``__t``, blank for
    ``strays``: rows far from all others, with the first and the last of their times.
    """

    column: str
    sql: str
    first: datetime
    last: datetime
    step: timedelta | None
    missing: int
    strays: int = 0
    stray_range: tuple[datetime, datetime] | None = None


def choose_time_column(table: Table, request: Request, label: str) -> Column:
    """The column that was named; else the only time, or among several the one with the fewest gaps and earliest."""
    if request.time is not None:
        return find_column(table, request.time, "--time")
    times = [c for c in table.columns if c.kind == "time" and c.name not in (label, request.known_at)]
    if times:
        return min(times, key=lambda c: (c.absent, c.low or "", c.high or ""))
    counted = "; ".join(filter(None, map(_as_counted, table.columns)))
    raise UsageError(
        f"--time: say which column is the time of a row; there are {column_list(table.columns)}"
        f"{'; it may be ' + counted if counted else ''}"
    )


def _as_counted(column: Column) -> str:
    """What a column of large whole numbers would be as times; empty where it is none."""
    if column.kind != "integer" or column.low is None or column.high is None or int(column.low) < LEAST_COUNTED:
        return ""
    low, high = int(column.low), int(column.high)
    reading = number_as_time(low, high, pl.Series([low, high]))
    return f"{column.raw}: {reading.notes[0]}" if reading is not None else ""


def with_number_as_time(work: Workspace, table: Table, column: Column, option: str) -> Table:
    """The table with a column of numbers that are times, written or counted, as times; else as it is.

    Raises:
        UsageError: a column of numbers is no time, or one of words holds some that are none.
    """
    if column.kind == "time":
        return table
    times = [c for c in table.columns if c.kind == "time"]
    choice = f"there {'is' if len(times) == 1 else 'are'} {column_list(times)}" if times else "no other column is one"
    if column.reading.mostly == "time" and column.reading.ambiguous:
        raise UsageError(f"{option} {column.raw}: {column.reading.note}; fix them, or name another column: {choice}")
    if column.kind == "string" and column.absent < column.rows:
        raise UsageError(
            f"{option} {column.raw}: some of its values are no times, {_bad_example(work, table, column)}; "
            f"fix them, or name another column: {choice}"
        )
    if column.kind in ("integer", "float") and column.low is not None and column.high is not None:
        name = column.sql
        examples = work.frame(
            f"(SELECT min({name}) AS n FROM {table.sql}) UNION ALL (SELECT max({name}) FROM {table.sql}) UNION ALL "
            f"(SELECT n FROM (SELECT DISTINCT {name} AS n FROM {table.sql}) WHERE n IS NOT NULL ORDER BY hash(n) "
            "LIMIT 500)"
        )["n"]
        reading = number_as_time(float(column.low), float(column.high), examples)
        if reading is not None:
            writing = reading.writing.model_copy(update={"missing": column.reading.writing.missing})
            own = Reading("time", column.reading.sql, reading.notes[0], "", reading.ambiguous, writing)
            return typed_copy(work, table.with_column(replace(column, reading=own)))
    raise UsageError(
        f"{option} {column.raw}: holds {column.low} to {column.high}, which is no time; name another column: {choice}"
    )


def read_event_time(work: Workspace, table: Table, column: Column) -> EventTime:
    """Add ``__t`` to the typed table, and describe it.

    Raises:
        DataError: all its times are equal.
    """
    sql = column.sql
    work.execute(f"ALTER TABLE {table.sql} ADD COLUMN __t TIMESTAMP")
    work.execute(f"UPDATE {table.sql} SET __t = {sql}")
    (missing,) = work.row(f"SELECT count(*) FROM {table.sql} WHERE __t IS NULL")
    strays, stray_range = _set_strays_apart(work, table)
    first, last = work.row(f"SELECT min(__t), max(__t) FROM {table.sql}")
    if first is None:
        raise DataError(f"--time {column.raw}: no row has a time; name another column")
    if first == last:
        raise DataError(f"--time {column.raw}: all rows are of {first}; a loop needs a history")
    filled = f"coalesce({sql}, TIMESTAMP '1900-01-01')" if missing else sql
    return EventTime(column.name, filled, first, last, _step(work, table), missing, strays, stray_range)


def _set_strays_apart(work: Workspace, table: Table) -> tuple[int, tuple[datetime, datetime] | None]:
    """Blank ``__t`` of the few rows that lie further from the bulk than this is long."""
    low, high, rows = work.row(
        f"SELECT to_timestamp(quantile_disc(epoch(__t), {EDGE}))::TIMESTAMP, "
        f"to_timestamp(quantile_disc(epoch(__t), {1 - EDGE}))::TIMESTAMP, count(__t) FROM {table.sql}"
    )
    if low is None or high - low < timedelta(minutes=1):
        return 0, None
    far = high - low + timedelta(days=1)
    begin, end = (max(low, far + datetime.min) - far, min(high, datetime.max - far) + far)
    outside = f"(__t < TIMESTAMP '{begin}' OR __t > TIMESTAMP '{end}')"
    strays, first, last = work.row(f"SELECT count(*), min(__t), max(__t) FROM {table.sql} WHERE {outside}")
    if not strays or strays > max(STRAY * rows, 3):
        return 0, None
    work.execute(f"UPDATE {table.sql} SET __t = NULL WHERE {outside}")
    return int(strays), (first, last)


def _bad_example(work: Workspace, table: Table, column: Column) -> str:
    odd = work.rows(
        f"SELECT {column.sql} FROM {table.sql} WHERE {column.sql} IS NOT NULL AND "
        f"(NOT regexp_matches({column.sql}, '[0-9]') OR length({column.sql}) < 6) LIMIT 1"
    )
    if odd:
        return f"such as {odd[0][0]!r}"
    years = re.findall(r"(?<!\d)\d{4}(?!\d)", plain_digits(pl.Series([column.low or ""]))[0])
    calendar = next((name for y in map(int, years) for low, high, name in CALENDARS if low <= y < high), "")
    return f"such as {column.low!r} or {column.high!r}{calendar and f', of the {calendar} calendar'}"


def _step(work: Workspace, table: Table) -> timedelta | None:
    """The step of the grid, if three of four neighbouring times are one step apart."""
    gaps = work.rows(
        "SELECT gap, count(*) AS n, sum(count(*)) OVER () AS total FROM ("
        "SELECT epoch(t) - epoch(lag(t) OVER (ORDER BY t)) AS gap FROM (SELECT DISTINCT __t AS t FROM "
        f"{table.sql} WHERE __t IS NOT NULL)) WHERE gap IS NOT NULL "
        "GROUP BY 1 ORDER BY 2 DESC LIMIT 4"
    )
    if not gaps:
        return None
    gap, total = float(gaps[0][0]), int(gaps[0][2])
    near = sum(n for g, n, _ in gaps if abs(g - gap) <= 0.12 * gap)  # months and years differ in length
    return timedelta(seconds=gap) if gap >= 1 and near >= 0.75 * total else None
