"""A time spread over columns, such as year and month, or a day and its clock: composed into one text and its forms."""

from __future__ import annotations

import re
from dataclasses import replace

from homeostat.data.time_forms import ISO
from homeostat.project.writing import Writing
from homeostat.scaffold.profile import time_table
from homeostat.scaffold.profile.column_types import Reading
from homeostat.scaffold.profile.identifiers import always_quoted
from homeostat.scaffold.profile.table import Column, Table, typed_copy
from homeostat.scaffold.profile.time_parts import (
    CLOCK,
    HOURS,
    PARTS,
    Part,
    as_written,
    day_parts,
    name_words,
    whole_number,
    year_parts,
    zone_part,
)
from homeostat.scaffold.profile.workspace import Workspace

ZONED = r"\d ?(Z|[A-Z]{3,4}|[+-]\d\d:?(\d\d)?)$"
YEARS = (1500, 2300)


def compose_time(work: Workspace, table: Table, time: Column, label: str) -> Table:
    """The table with a whole time in the column ``time``, where other columns hold the rest of it; else as it is."""
    others = table.without((time.name, label))
    if is_year(time):
        starts, parts = [("%Y", whole_number(time))], year_parts(work, others, time)
        composed = _of_year(parts)
    elif _is_day(work, table, time):
        starts, parts = _day_forms(work, table, time), day_parts(work, others, time)
        parts |= zone_part(work, others) if "clock" in parts else {}
        composed = _of_day(parts)
    else:
        starts, parts = _zoneless_forms(work, table, time), zone_part(work, others)
        composed = _sequence(parts, {"zone": " "})
        if not composed or not starts:
            return table
    if not composed or not starts:
        return _with_note(table, time, others) if _is_day(work, table, time) else table
    rest, sql = composed
    sources = " and ".join([time.raw, *(p.column.raw for p in parts.values())])
    forms = tuple(form.replace("%Y", "%G") + rest if "%V" in rest else form + rest for form, _ in starts)
    notes = [f"{sources} together", *filter(None, (p.note for p in parts.values()))]
    zone = next((p.zone for p in parts.values() if p.zone), None)
    writing = Writing(times=forms, missing=time.reading.writing.missing, zone=zone)
    reading = Reading("time", f"{starts[0][1]} || {sql}", "; ".join(notes), "", zone is not None, writing)
    return typed_copy(work, table.with_column(replace(time, reading=reading)))


def _with_note(table: Table, day: Column, others: Table) -> Table:
    """The table, with a note on its day where a column that looks like its hours or clock is not read."""
    hours, _, last = PARTS["hour"]
    for column in others.columns:
        if not name_words(column.raw) & hours or column.kind not in ("integer", "string") or column.high is None:
            continue
        if column.kind == "integer" and not last < float(column.high) <= last + 1:
            continue
        if column.kind == "string" and not (re.match(r"\d", column.low or "") and column.distinct <= HOURS):
            continue
        up_to = f", up to {column.high}," if column.kind == "integer" else ""
        return _noted(table, day, f"{column.raw}{up_to} is not read as the hour; bring both to UTC")
    clocks = [c for c in others.columns if c.kind == "string" and re.fullmatch(r"[0-2]?\d:[0-5]\d\b.*", c.low or "")]
    clocks = [c for c in clocks if name_words(c.raw) & CLOCK] or [c for c in clocks if c.distinct > HOURS]
    if clocks:
        return _noted(table, day, f"{clocks[0].raw}, such as {clocks[0].high}, is not read as the clock")
    return table


def _noted(table: Table, day: Column, note: str) -> Table:
    reading = replace(day.reading, note=f"every row at midnight: {note}", ambiguous=True)
    return table.with_column(replace(day, reading=reading))


def is_year(time: Column) -> bool:
    """Whether a column of numbers holds years alone."""
    if time.kind not in ("integer", "float") or time.low is None or time.high is None:
        return False
    return YEARS[0] <= float(time.low) and float(time.high) <= YEARS[1]


def _is_day(work: Workspace, table: Table, time: Column) -> bool:
    """Whether every time is a midnight."""
    within_day = f"SELECT 1 FROM {table.sql} WHERE {time.sql} <> date_trunc('day', {time.sql})"
    return time.kind == "time" and time.reading.sql is None and not work.has_rows(within_day)


def _day_forms(work: Workspace, table: Table, day: Column) -> list[tuple[str, str]]:
    """The forms of the day alone, each with SQL of its text."""
    sql_type = next(t for c, t in table.opened.columns if c == day.raw)
    if sql_type == "DATE" or sql_type.startswith("TIMESTAMP"):
        return [("%Y-%m-%d", f"strftime({always_quoted(day.raw)}, '%Y-%m-%d')")]
    forms = day.reading.writing.times or ISO
    known = [weekday + day for weekday in time_table.WEEKDAYS for day in time_table.DAYS]
    days = [max((d for d in known if f.startswith(d)), key=len, default="") for f in forms]
    if "" in days:
        return []
    text = as_written(day) if sql_type == "VARCHAR" else whole_number(day)
    if any(d != f for d, f in zip(days, forms, strict=True)):  # a midnight stands after the day
        if any(" " in d for d in days):
            return []
        text = rf"regexp_extract({text}, '^[^ T,]+')"
    return [(d, text) for d in dict.fromkeys(days)]


def _zoneless_forms(work: Workspace, table: Table, time: Column) -> list[tuple[str, str]]:
    """The forms of a whole time in text that names no zone, each with SQL of it."""
    if time.kind != "time" or time.reading.sql is not None or dict(table.opened.columns)[time.raw] != "VARCHAR":
        return []
    raw = f"{always_quoted(table.name + '__raw')} WHERE regexp_matches({as_written(time)}, '{ZONED}')"
    if work.has_rows(f"SELECT 1 FROM {raw}"):
        return []
    return [(form, as_written(time)) for form in time.reading.writing.times or ISO]


def _of_year(parts: dict[str, Part]) -> tuple[str, str] | None:
    """What follows the year: a form and SQL of its text."""
    if "month" in parts:
        return _sequence(parts, {"month": "-", "day": "-", "hour": " ", "minute": ":"})
    return _sequence(parts, {"quarter": "-Q", "week": "-W"})


def _of_day(parts: dict[str, Part]) -> tuple[str, str] | None:
    return _sequence(parts, {"clock": " ", "hour": " ", "minute": ":", "half": " ", "zone": " "})


def _sequence(parts: dict[str, Part], before: dict[str, str]) -> tuple[str, str] | None:
    steps = [(sign, parts[kind]) for kind, sign in before.items() if kind in parts]
    if not steps:
        return None
    return "".join(s + p.code for s, p in steps), " || ".join(f"'{s}' || {p.sql}" for s, p in steps)
