"""A time spread over columns, such as year and month, or a day and its clock: composed into one text and its forms."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import takewhile

import polars as pl

from homeostat.adapters.sql_names import sql_string
from homeostat.data.time_forms import HOURS as HOURS_OF
from homeostat.data.time_forms import ISO, read_times
from homeostat.project.writing import Writing
from homeostat.scaffold.profile import time_table
from homeostat.scaffold.profile.column_types import Reading
from homeostat.scaffold.profile.identifiers import always_quoted, spaced, words
from homeostat.scaffold.profile.periods_of_day import named_hours, numbered_periods
from homeostat.scaffold.profile.shapes import column_text
from homeostat.scaffold.profile.table import Column, Table, typed_copy
from homeostat.scaffold.profile.workspace import Workspace

PARTS = {
    "month": ({"month", "mon", "mo", "mnth", "mth", "monat", "mois", "mes"}, 1, 12),
    "quarter": ({"quarter", "qtr", "q", "quartal"}, 1, 4),
    "week": ({"week", "wk", "isoweek", "kw"}, 1, 53),
    "day": ({"day", "dom", "dayofmonth", "tag", "jour", "dia"}, 1, 31),
    "hour": ({"hour", "hr", "hh", "he", "stunde", "heure", "hora", "ending"}, 0, 24),
    "minute": ({"minute", "min", "mi"}, 0, 59),
}
PERIODS = {"period", "periode", "periodo", "interval", "viertelstunde", "sp"}
YEAR = {"year", "yr", "yyyy", "jahr"}
DATE = {"date", "day", "dteday", "dt", "datum", "datestamp", "fecha", "data", "tag"}
CLOCK = {"time", "clock", "uhrzeit", "zeit", "hora", "heure", "hour", "start", "tijd", "tid", "ora"}
ZONE = {"zone", "tz", "timezone", "offset", "zeitzone", "dst"}
OFFSET = r"\s*[+-]\d\d:?(\d\d)?\s*"
ZONED = r"\d ?(Z|[A-Z]{3,4}|[+-]\d\d:?(\d\d)?)$"
FILLERS = {"of", "in", "the", "number", "no", "nr", "num", "local"}
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
CLOCKS = ("%H:%M", "%H:%M:%S", "%I:%M:%S %p", "%I:%M %p", "%I:%M:%S%p", "%I:%M%p", "%H.%M", "%H.%M.%S", "%Hh%M",
          "%H-%M",
          "%H%M%S", "%H%M", "%I %p", "%I%p", "%p %I:%M", "%p %I:%M:%S", "%H:%M%e")  # fmt: skip
SERVICE = r"\s*[0-4]?\d:[0-5]\d(:00)?\s*"  # clocks of a day of service, as timetables write them
DISTINCT = 20  # different whole numbers at least, to be taken for clocks
HOURS = 30  # different hours at most, with those of a day on which clocks go back
YEARS = (1500, 2300)


@dataclass(frozen=True)
class Part:
    """One column of a time: its text in SQL over what is written, and the code that reads it."""

    column: Column
    sql: str
    code: str
    zone: str | None = None
    note: str = ""


def compose_time(work: Workspace, table: Table, time: Column, label: str) -> Table:
    """The table with a whole time in the column ``time``, where other columns hold the rest of it; else as it is."""
    others = table.without((time.name, label))
    if is_year(time):
        starts, parts = [("%Y", _whole(time))], _year_parts(work, others, time)
        composed = _of_year(parts)
    elif _is_day(work, table, time):
        starts, parts = _day_forms(work, table, time), _day_parts(work, others, time)
        composed = _of_day(parts)
    else:
        starts, parts = _zoneless_forms(work, table, time), _zone_part(work, others)
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
        if not _words(column.raw) & hours or column.kind not in ("integer", "string") or column.high is None:
            continue
        if column.kind == "integer" and not last < float(column.high) <= last + 1:
            continue
        if column.kind == "string" and not (re.match(r"\d", column.low or "") and column.distinct <= HOURS):
            continue
        up_to = f", up to {column.high}," if column.kind == "integer" else ""
        return _noted(table, day, f"{column.raw}{up_to} is not read as the hour; bring both to UTC")
    clocks = (c for c in others.columns if c.kind == "string" and re.fullmatch(r"\d?\d[:.]\d\d.*", c.low or ""))
    for clock in clocks:
        if _words(clock.raw) & CLOCK:
            return _noted(table, day, f"{clock.raw}, such as {clock.high}, is not read as the clock")
    return table


def _noted(table: Table, day: Column, note: str) -> Table:
    reading = replace(day.reading, note=f"every row at midnight: {note}", ambiguous=True)
    return table.with_column(replace(day, reading=reading))


def _as_written(column: Column) -> str:
    return f"trim(CAST({column.source_sql or always_quoted(column.raw)} AS VARCHAR))"


def _whole(column: Column) -> str:
    written = column.source_sql or always_quoted(column.raw)
    return f"CAST(TRY_CAST(TRY_CAST({written} AS DOUBLE) AS BIGINT) AS VARCHAR)"


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
    days = [max((d for d in time_table.DAYS if f.startswith(d)), key=len, default="") for f in forms]
    if "" in days:
        return []
    text = _as_written(day) if sql_type == "VARCHAR" else _whole(day)
    if any(d != f for d, f in zip(days, forms, strict=True)):  # a midnight stands after the day
        if any(" " in d for d in days):
            return []
        text = rf"regexp_extract({text}, '^[^ T,]+')"
    return [(d, text) for d in dict.fromkeys(days)]


def _zoneless_forms(work: Workspace, table: Table, time: Column) -> list[tuple[str, str]]:
    """The forms of a whole time in text that names no zone, each with SQL of it."""
    if time.kind != "time" or time.reading.sql is not None or dict(table.opened.columns)[time.raw] != "VARCHAR":
        return []
    raw = f"{always_quoted(table.name + '__raw')} WHERE regexp_matches({_as_written(time)}, '{ZONED}')"
    if work.has_rows(f"SELECT 1 FROM {raw}"):
        return []
    return [(form, _as_written(time)) for form in time.reading.writing.times or ISO]


def _zone_part(work: Workspace, table: Table) -> dict[str, Part]:
    """The column that says the zone of each row by its abbreviation or offset, such as EST and EDT."""
    for column in table.columns:
        if _words(column.raw) & ZONE and column.kind == "string" and not column.absent:
            names = ", ".join(map(sql_string, HOURS_OF))
            own = f"(lower(trim({column.sql})) IN ({names}) OR regexp_full_match({column.sql}, '{OFFSET}'))"
            if _all_values(work, table, column, own):
                return {"zone": Part(column, _as_written(column), "%z", note=f"{column.raw} is the zone of each row")}
    return {}


def _year_parts(work: Workspace, table: Table, year: Column) -> dict[str, Part]:
    topic = _words(year.raw) - YEAR
    candidates = {kind: _part(work, table, kind, topic) for kind in PARTS}
    parts = {kind: part for kind, part in candidates.items() if part is not None}
    if "month" in parts:  # a finer part means nothing without the coarser ones
        return {k: parts[k] for k in takewhile(parts.__contains__, ("month", "day", "hour", "minute"))}
    return {k: parts[k] for k in [k for k in ("quarter", "week") if k in parts][:1]}


def _day_parts(work: Workspace, table: Table, day: Column) -> dict[str, Part]:
    topic = _words(day.raw) - DATE
    for column in sorted(table.columns, key=lambda c: c.absent):
        if _words(column.raw) & CLOCK and (clock := _clock(work, table, column)) is not None:
            return {"clock": clock}
    hour = _hour_part(work, table, day, topic)
    if hour is None:
        return {}
    minute = _part(work, table, "minute", topic)
    return {"hour": hour} | ({"minute": minute} if minute is not None else {})


def _hour_part(work: Workspace, table: Table, day: Column, topic: set[str]) -> Part | None:
    """The hours of the day, or its periods by number."""
    for column in table.columns:
        own = _words(column.raw)
        if own & PARTS["hour"][0] | own & PERIODS and column.high is not None and column.absent * 10 <= column.rows:
            found = None
            if column.kind == "integer":
                if int(column.high) > PARTS["hour"][2]:
                    found = numbered_periods(work, table, day, column, f"CAST({_whole(column)} AS BIGINT)")
            elif column.kind == "string" and column.distinct <= HOURS:
                found = named_hours(work, table, day, column, _as_written(column))
            if found is not None:
                return Part(column, found.sql, found.code, found.zone, found.note)
    return _part(work, table, "hour", topic)


def _clock(work: Workspace, table: Table, column: Column) -> Part | None:
    """The clock in a column: text, or whole numbers such as 5 for 00:05 and 1730."""
    code = _clock_form(work, table, column)
    if code:
        return Part(column, _as_written(column), code)
    if column.kind == "string" and _all_values(work, table, column, f"regexp_full_match({column.sql}, '{SERVICE}')"):
        hours, minutes = (f"CAST(split_part({_as_written(column)}, ':', {n}) AS BIGINT)" for n in (1, 2))
        note = f"{column.raw} goes on beyond 24:00, on the next day"
        return Part(column, f"CAST({hours} * 60 + {minutes} AS VARCHAR)", "%K", note=note)
    if column.kind != "integer" or column.low is None or column.high is None or column.distinct < DISTINCT:
        return None
    for code, digits in (("%H%M", 4), ("%H%M%S", 6)):
        places = " AND ".join(f"{column.sql} // {100**n} % 100 < 60" for n in range(digits // 2 - 1))
        evening, midnight = 12 * 10 ** (digits - 2), 24 * 10 ** (digits - 2)
        within = int(column.low) >= 0 and evening <= int(column.high) <= midnight
        if within and _all_values(work, table, column, places):
            return Part(column, f"lpad({_whole(column)}, {digits}, '0')", code, note=f"{column.raw} read as {code}")
    return None


def _clock_form(work: Workspace, table: Table, column: Column) -> str:
    """The form that all clocks of a column have; empty where it holds none."""
    if column.kind != "string":
        return ""
    examples = [e for s in column_text(work, table.name, column.name).shapes for e in s.examples]
    if not examples or not all(re.search(r"\d", e) for e in examples):
        return ""
    days = pl.Series([f"2000-01-01 {e}" for e in examples])
    fitting = (c for c in CLOCKS if not read_times(days, (f"%Y-%m-%d {c}",)).null_count())
    return next(fitting, "")


def _part(work: Workspace, table: Table, kind: str, topic: set[str]) -> Part | None:
    """The column that holds this part of the time, by its name and range; one whose other words agree first."""
    names, low, high = PARTS[kind]
    fitting = [c for c in table.columns if _words(c.raw) & names and not c.raw.lower().startswith("is")]
    fitting = [c for c in fitting if _words(c.raw) - names in (topic, set())]
    for column in sorted(fitting, key=lambda c: _words(c.raw) - names != topic):
        if column.absent * 10 > column.rows or column.low is None or column.high is None or column.distinct < 2:
            continue
        if column.kind in ("integer", "float") and low <= float(column.low) and float(column.high) <= high:
            ending = kind == "hour" and float(column.low) == 1 and float(column.high) == 24
            code = {"month": "%m", "quarter": "%q", "week": "%V", "day": "%d", "minute": "%M"}.get(kind, "%H")
            note = "the hours 1 to 24 end where they are named" if ending else ""
            return Part(column, _whole(column), "%k" if ending else code, note=note)
        if kind == "month" and column.kind == "string" and column.distinct <= 12:
            months = ", ".join(map(sql_string, MONTHS))
            word = f"lower(left(trim({always_quoted(column.name)}), 3))"
            if _all_values(work, table, column, f"{word} IN ({months})"):
                return Part(column, f"left({_as_written(column)}, 3)", "%b")
    return None


def _all_values(work: Workspace, table: Table, column: Column, condition: str) -> bool:
    query = f"SELECT 1 FROM {table.sql} WHERE {always_quoted(column.name)} IS NOT NULL AND NOT ({condition})"
    return not work.has_rows(query)


def _of_year(parts: dict[str, Part]) -> tuple[str, str] | None:
    """What follows the year: a form and SQL of its text."""
    if "month" in parts:
        return _sequence(parts, {"month": "-", "day": "-", "hour": " ", "minute": ":"})
    return _sequence(parts, {"quarter": "-Q", "week": "-W"})


def _of_day(parts: dict[str, Part]) -> tuple[str, str] | None:
    return _sequence(parts, {"clock": " ", "hour": " ", "minute": ":"})


def _sequence(parts: dict[str, Part], before: dict[str, str]) -> tuple[str, str] | None:
    steps = [(sign, parts[kind]) for kind, sign in before.items() if kind in parts]
    if not steps:
        return None
    return "".join(s + p.code for s, p in steps), " || ".join(f"'{s}' || {p.sql}" for s, p in steps)


def _words(name: str) -> set[str]:
    """The words of a name without fillers.

    >>> sorted(_words("arrivalDate_day of month"))
    ['arrival', 'date', 'day']
    """
    plain = re.sub(r"day[ _.-]*of[ _.-]*month", "day", re.sub(r"(week)[ _.-]*of[ _.-]*year", r"\1", spaced(name)))
    return words(re.sub(r"day[ _.-]*of[ _.-]*(week|year)", "dayname", plain)) - FILLERS
