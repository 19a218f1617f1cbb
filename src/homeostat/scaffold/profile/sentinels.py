"""Values that stand for none where a histogram says so: a date far from all others, 999 or -1 in a number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from homeostat.scaffold.profile.identifiers import is_identifier_name, words
from homeostat.scaffold.profile.table import Column, Table, typed_copy
from homeostat.scaffold.profile.time_table import SENTINELS
from homeostat.scaffold.profile.workspace import Workspace

NUMBERS = (
    -1, -7, -8, -9, -99, -999, -9999, -99999, -99.9, -999.9, 99.99, 999.9, 9999.9, 99, 777, 888, 997, 998, 999, 7777,
    8888, 9997, 9998, 9999, 99999, 999999, 9999999,
    99999999, 999999999, -8888, -32768, 32767, 65535, -2147483648, 2147483647, 4294967295, -9223372036854775808,
    9223372036854775807, -3.4028234663852886e38, 3.4028234663852886e38, -3.40282e38, 3.40282e38, 9.969209968386869e36,
    9.96921e36, 1e20, 1e30, -1e30, -1.7976931348623157e308, 1.7976931348623157e308,
)
FEWEST, SHARE, MOST = 3, 0.002, 0.9  # rows of a sentinel; share of the rows at least and at most
NEGATIVE = 0.005  # least share of the rows in which one negative number stands, beside others that never are
VARIED = 10  # least distinct other values
YEAR = timedelta(days=365)
SIGNED = {"change", "delta", "diff", "difference", "lat", "lon", "lng", "latitude", "longitude", "sign", "label",
          "target", "class", "score", "temp", "temperature", "balance", "return", "returns"}  # fmt: skip


def without_sentinels(work: Workspace, table: Table) -> Table:
    """The table with such values as missing; its columns say so."""
    changed = table
    for column in table.columns:
        values: list[str] = []
        if column.kind == "time":
            values = list(_far_dates(work, table, column))
        elif column.kind in ("integer", "float") and not is_identifier_name(column.raw):
            values = list(_far_numbers(work, table, column))
        if values:
            changed = changed.with_column(_with_missing(work, table, column, values))
    return typed_copy(work, changed) if changed is not table else table


def _with_missing(work: Workspace, table: Table, column: Column, values: list[str]) -> Column:
    number = column.kind != "time"
    listed = ", ".join(values if number else [f"TIMESTAMP '{v}'" for v in values])
    (rows,) = work.row(f"SELECT count(*) FROM {table.sql} WHERE {column.sql} IN ({listed})")
    negative = number and all(v.startswith("-") for v in values)
    why = "below all others" if negative else "far from all others"
    note = f"{', '.join(values)} in {rows:,} row{'s' if rows > 1 else ''} read as missing, {why}: a choice"
    writing = column.reading.writing
    writing = writing.model_copy(update={"missing": (*writing.missing, *values)})
    notes = "; ".join(filter(None, [column.reading.note, note]))
    return replace(column, reading=replace(column.reading, writing=writing, note=notes, ambiguous=True))


def _far_dates(work: Workspace, table: Table, column: Column) -> Iterator[str]:
    """Dates of the list of sentinels that are there, further from the other times than these are from one another."""
    days = ", ".join(f"TIMESTAMP '{s}'" for s in SENTINELS)
    on = f"date_trunc('day', {column.sql})"  # the last second of 9999 is one too
    there = [r[0] for r in work.rows(f"SELECT DISTINCT {column.sql} FROM {table.sql} WHERE {on} IN ({days})")]
    if not there:
        return
    low, high = work.row(
        f"SELECT min({column.sql}), max({column.sql}) FROM {table.sql} WHERE {on} NOT IN ({days})"
    )
    if low is None:
        return
    far = max(_length(low, high), YEAR)
    for day in sorted(there):
        if max(low - day, day - high, timedelta(0)) > far:
            clock = f"{day: %H:%M:%S}" if day != day.replace(hour=0, minute=0, second=0, microsecond=0) else ""
            yield f"{day.year:04d}-{day:%m-%d}{clock}"


def _length(low: datetime, high: datetime) -> timedelta:
    return high - low


def _far_numbers(work: Workspace, table: Table, column: Column) -> Iterator[str]:
    """Numbers of the list that are frequent, and far from all that are not of it: several may stand for none."""
    if column.low is None or column.high is None:
        return
    if not {float(column.low), float(column.high)} & set(map(float, NUMBERS)):
        return
    listed = ", ".join(map(str, NUMBERS))
    low, high, distinct = work.row(
        f"SELECT min({column.sql}), max({column.sql}), approx_count_distinct({column.sql}) FROM {table.sql} "
        f"WHERE {column.sql} NOT IN ({listed})"
    )
    if low is None or distinct < VARIED:
        return
    counts = work.rows(
        f"SELECT {column.sql}, count(*) FROM {table.sql} WHERE {column.sql} IN ({listed}) GROUP BY 1 ORDER BY 1"
    )
    filled = max(column.rows - column.absent, 1)
    for value, rows in counts:
        number = next(n for n in NUMBERS if float(n) == float(value))
        if not max(FEWEST, SHARE * filled) <= rows <= MOST * filled:
            continue
        alone = max(low - number, number - high) > high - low
        negative = number < 0 <= low and rows >= NEGATIVE * filled and not words(column.raw) & SIGNED
        if negative or alone and number != -1:
            yield str(number)
