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
    -1, -9, -99, -999, -9999, -99999, -99.9, -999.9, 99.99, 999.9, 9999.9, 99, 999, 9999, 99999, 999999, 9999999,
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


def without_sentinels(work: Workspace, table: Table, label: str) -> Table:
    """The table with such values as missing; its columns say so."""
    changed = table
    for column in table.columns:
        values: list[str] = []
        if column.kind == "time":
            values = list(_far_dates(work, table, column))
        elif column.kind in ("integer", "float") and column.name != label and not is_identifier_name(column.raw):
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
    """Numbers of the list that are an extreme, frequent, and alone."""
    if column.low is None or column.high is None or words(column.raw) & SIGNED:
        return
    extremes = [n for n in NUMBERS if float(n) in (float(column.low), float(column.high))]
    for number in extremes:
        rows, low, high, distinct = work.row(
            f"SELECT count(*) FILTER ({column.sql} = {number}), min(v), max(v), approx_count_distinct(v) FROM "
            f"(SELECT {column.sql}, CASE WHEN {column.sql} <> {number} THEN {column.sql} END AS v FROM {table.sql})"
        )
        filled = max(column.rows - column.absent, 1)
        if low is None or distinct < VARIED or rows < max(FEWEST, SHARE * filled) or rows > MOST * filled:
            continue
        alone = max(low - number, number - high) > high - low
        negative = number < 0 <= low and rows >= NEGATIVE * filled
        if negative or alone and number != -1:
            yield str(number)
