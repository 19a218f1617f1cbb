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
    99999999, 999999999,
)
FEWEST, SHARE, MOST = 3, 0.002, 0.9  # rows of a sentinel; share of the rows at least and at most
MINUS_ONE = 0.005  # least share of the rows in which -1 stands, beside numbers that are never negative
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
    note = (
        f"{', '.join(values)} in {rows:,} row{'s' if rows > 1 else ''} read as missing, far from all others: a choice"
    )
    if values == ["-1"]:
        note = f"-1 in {rows:,} rows read as missing, since no other value is negative: a choice"
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
    extremes = [n for n in NUMBERS if n in (float(column.low), float(column.high))]
    for number in extremes:
        rows, low, high, distinct = work.row(
            f"SELECT count(*) FILTER ({column.sql} = {number}), min(v), max(v), approx_count_distinct(v) FROM "
            f"(SELECT {column.sql}, CASE WHEN {column.sql} <> {number} THEN {column.sql} END AS v FROM {table.sql})"
        )
        filled = max(column.rows - column.absent, 1)
        if low is None or distinct < VARIED or rows < max(FEWEST, SHARE * filled) or rows > MOST * filled:
            continue
        alone = max(low - number, number - high) > high - low
        if number == -1:
            alone = low >= 0 and rows >= MINUS_ONE * filled
        if alone:
            yield str(number)
