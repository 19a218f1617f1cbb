"""The parts of a time in columns of their own, each with its text in SQL and the code that reads it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from itertools import takewhile

import polars as pl

from homeostat.adapters.sql_names import sql_string
from homeostat.data.time_forms import HOURS as HOURS_OF
from homeostat.data.time_forms import read_times
from homeostat.scaffold.profile.identifiers import always_quoted, spaced, words
from homeostat.scaffold.profile.periods_of_day import named_hours, numbered_periods
from homeostat.scaffold.profile.shapes import column_text
from homeostat.scaffold.profile.table import Column, Table
from homeostat.scaffold.profile.workspace import Workspace

PARTS = {
    "month": ({"month", "mon", "mo", "mnth", "mth", "monat", "mois", "mes", "mese", "maand"}, 1, 12),
    "quarter": ({"quarter", "qtr", "q", "quartal"}, 1, 4),
    "week": ({"week", "wk", "isoweek", "kw"}, 1, 53),
    "day": ({"day", "dom", "dayofmonth", "tag", "jour", "dia", "giorno", "dag"}, 1, 31),
    "hour": ({"hour", "hr", "hh", "he", "stunde", "heure", "hora", "ora", "uur", "ending"}, 0, 24),
    "minute": ({"minute", "min", "mi"}, 0, 59),
}
PERIODS = {"period", "periode", "periodo", "interval", "viertelstunde", "sp"}
YEAR = {"year", "yr", "yyyy", "jahr", "annee", "ano", "anno", "jaar", "rok"}
DATE = {"date", "day", "dteday", "dt", "datum", "datestamp", "fecha", "data", "tag"}
CLOCK = {"time", "clock", "uhrzeit", "zeit", "hora", "heure", "hour", "start", "tijd", "tid", "ora",
         "czas", "saat", "heures", "erzet", "aezet", "uzeit", "erfuzeit", "cputm", "utime", "uzet", "von", "ab",
         "beginn", "begin", "from", "anfang", "van", "fra", "desde", "od", "debut", "inicio", "inizio"}  # fmt: skip
UNTIL = {"bis", "to", "until", "till", "end", "ende", "fin", "fine", "hasta", "tot", "til"}
ENDING = {"ending", "he"}
REPEATED = {"dst", "dstflag", "repeated", "repeat"}
YES = ("y", "yes", "t", "true", "1")
ZONE = {"zone", "tz", "timezone", "offset", "zeitzone", "dst"}
OFFSET = r"\s*[+-]\d\d:?(\d\d)?\s*"
FILLERS = {"of", "in", "the", "number", "no", "nr", "num", "local"}
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
CLOCKS = ("%H:%M", "%H:%M:%S", "%I:%M:%S %p", "%I:%M %p", "%I:%M:%S%p", "%I:%M%p", "%H.%M", "%H.%M.%S", "%Hh%M",
          "%H-%M",
          "%H%M%S", "%H%M", "%I %p", "%I%p", "%p %I:%M", "%p %I:%M:%S", "%H:%M%e")  # fmt: skip
SERVICE = r"\s*[0-4]?\d:[0-5]\d(:00)?\s*"  # clocks of a day of service, as timetables write them
DISTINCT = 20  # different whole numbers at least, to be taken for clocks
HALF = r"(?i)[ap]\.? ?m\.?|上午|下午|午前|午後|오전|오후"
HALVES = 4  # writings of the halves of a day at most
HOURS = 30  # different hours at most, with those of a day on which clocks go back


@dataclass(frozen=True)
class Part:
    """One column of a time: its text in SQL over what is written, and the code that reads it."""

    column: Column
    sql: str
    code: str
    zone: str | None = None
    note: str = ""


def year_parts(work: Workspace, table: Table, year: Column) -> dict[str, Part]:
    topic = name_words(year.raw) - YEAR
    candidates = {kind: _part(work, table, kind, topic) for kind in PARTS}
    parts = {kind: part for kind, part in candidates.items() if part is not None}
    if "month" in parts:  # a finer part means nothing without the coarser ones
        return {k: parts[k] for k in takewhile(parts.__contains__, ("month", "day", "hour", "minute"))}
    return {k: parts[k] for k in [k for k in ("quarter", "week") if k in parts][:1]}


def day_parts(work: Workspace, table: Table, day: Column) -> dict[str, Part]:
    """The clock or the hour and minute beside a day, with the half of the day where a column says it."""
    parts = _parts_of_clock(work, table, day)
    half = _half_part(work, table) if parts and all("p" not in part.code for part in parts.values()) else None
    return parts if half is None else parts | {"half": half}


def _half_part(work: Workspace, table: Table) -> Part | None:
    """The column that says AM or PM of each row."""
    for column in table.columns:
        likely = column.kind == "string" and column.distinct <= HALVES and not column.absent
        if likely and _all_values(work, table, column, f"regexp_full_match(trim({column.sql}), '{HALF}')"):
            return Part(column, as_written(column), "%p", note=f"{column.raw} is the half of the day")
    return None


def _parts_of_clock(work: Workspace, table: Table, day: Column) -> dict[str, Part]:
    topic = name_words(day.raw) - DATE
    if any(name_words(column.raw) & ENDING for column in table.columns):  # whose 01:00 is the hour from midnight
        ending = _hour_part(work, table, day, topic)
        if ending is not None:
            return {"hour": ending}
    for column in sorted(table.columns, key=lambda c: c.absent):
        if name_words(column.raw) & CLOCK and (clock := _clock(work, table, column)) is not None:
            return {"clock": clock}
    for column in table.columns:  # of an interval that only says its end
        if name_words(column.raw) & UNTIL and (clock := _clock(work, table, column)) is not None:
            return {"clock": replace(clock, note=f"{column.raw} is the end of an interval")}
    hour = _hour_part(work, table, day, topic)
    if hour is None:
        return {}
    minute = _part(work, table, "minute", topic)
    return {"hour": hour} | ({"minute": minute} if minute is not None else {})


def _hour_part(work: Workspace, table: Table, day: Column, topic: set[str]) -> Part | None:
    """The hours of the day, or its periods by number."""
    for column in table.columns:
        own = name_words(column.raw)
        if own & PARTS["hour"][0] | own & PERIODS and column.high is not None and column.absent * 10 <= column.rows:
            found = None
            if column.kind == "integer" and column.low == "1":
                found = numbered_periods(work, table, day, column, f"CAST({whole_number(column)} AS BIGINT)")
            elif column.kind == "string" and column.distinct <= HOURS:
                found = named_hours(work, table, day, column, as_written(column), _second_hour(table))
            if found is not None:
                return Part(column, found.sql, found.code, found.zone, found.note)
    return _part(work, table, "hour", topic)


def _second_hour(table: Table) -> tuple[str, str]:
    """SQL of the letter of an hour's second time, where a flag says it: of the typed table and of what is written."""
    for flag in table.columns:
        if flag.kind == "boolean" and name_words(flag.raw) & REPEATED:
            letter = "CASE WHEN {} THEN 'X' ELSE '' END"
            return letter.format(flag.sql), letter.format(f"lower({as_written(flag)}) IN {YES}")
    return "''", "''"


def _clock(work: Workspace, table: Table, column: Column) -> Part | None:
    """The clock in a column: text, or whole numbers such as 5 for 00:05 and 1730."""
    code = _clock_form(work, table, column)
    if code:
        return Part(column, as_written(column), code)
    if column.kind == "string" and _all_values(work, table, column, f"regexp_full_match({column.sql}, '{SERVICE}')"):
        hours, minutes = (f"CAST(split_part({as_written(column)}, ':', {n}) AS BIGINT)" for n in (1, 2))
        note = f"{column.raw} goes on beyond 24:00, on the next day"
        return Part(column, f"CAST({hours} * 60 + {minutes} AS VARCHAR)", "%K", note=note)
    if column.kind != "integer" or column.low is None or column.high is None or column.distinct < DISTINCT:
        return None
    for code, digits in (("%H%M", 4), ("%H%M%S", 6)):
        places = " AND ".join(f"{column.sql} // {100**n} % 100 < 60" for n in range(digits // 2 - 1))
        evening, midnight = 12 * 10 ** (digits - 2), 24 * 10 ** (digits - 2)
        within = int(column.low) >= 0 and evening <= int(column.high) <= midnight
        if within and _all_values(work, table, column, places):
            padded = f"lpad({whole_number(column)}, {digits}, '0')"
            return Part(column, padded, code, note=f"{column.raw} read as {code}")
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


def zone_part(work: Workspace, table: Table) -> dict[str, Part]:
    """The column that says the zone of each row by its abbreviation or offset, such as EST and EDT."""
    for column in table.columns:
        if name_words(column.raw) & ZONE and column.kind == "string" and not column.absent:
            names = ", ".join(map(sql_string, HOURS_OF))
            own = f"(lower(trim({column.sql})) IN ({names}) OR regexp_full_match({column.sql}, '{OFFSET}'))"
            if _all_values(work, table, column, own):
                return {"zone": Part(column, as_written(column), "%z", note=f"{column.raw} is the zone of each row")}
    return {}


def _part(work: Workspace, table: Table, kind: str, topic: set[str]) -> Part | None:
    """The column that holds this part of the time, by its name and range; one whose other words agree first."""
    names, low, high = PARTS[kind]
    fitting = [c for c in table.columns if name_words(c.raw) & names and not c.raw.lower().startswith("is")]
    fitting = [c for c in fitting if name_words(c.raw) - names in (topic, set())]
    for column in sorted(fitting, key=lambda c: name_words(c.raw) - names != topic):
        if column.absent * 10 > column.rows or column.low is None or column.high is None or column.distinct < 2:
            continue
        if column.kind in ("integer", "float") and low <= float(column.low) and float(column.high) <= high:
            ending = kind == "hour" and float(column.low) == 1 and float(column.high) == 24
            code = {"month": "%m", "quarter": "%q", "week": "%V", "day": "%d", "minute": "%M"}.get(kind, "%H")
            note = "the hours 1 to 24 end where they are named" if ending else ""
            return Part(column, whole_number(column), "%k" if ending else code, note=note)
        if kind == "month" and column.kind == "string" and column.distinct <= 12:
            months = ", ".join(map(sql_string, MONTHS))
            word = f"lower(left(trim({always_quoted(column.name)}), 3))"
            if _all_values(work, table, column, f"{word} IN ({months})"):
                return Part(column, f"left({as_written(column)}, 3)", "%b")
    return None


def _all_values(work: Workspace, table: Table, column: Column, condition: str) -> bool:
    query = f"SELECT 1 FROM {table.sql} WHERE {always_quoted(column.name)} IS NOT NULL AND NOT ({condition})"
    return not work.has_rows(query)


def as_written(column: Column) -> str:
    return f"trim(CAST({column.source_sql or always_quoted(column.raw)} AS VARCHAR))"


def whole_number(column: Column) -> str:
    written = column.source_sql or always_quoted(column.raw)
    return f"CAST(TRY_CAST(TRY_CAST({written} AS DOUBLE) AS BIGINT) AS VARCHAR)"


def name_words(name: str) -> set[str]:
    """The words of a name without fillers and accents.

    >>> sorted(name_words("arrivalDate_day of month")), name_words("Año")
    (['arrival', 'date', 'day'], {'ano'})
    """
    name = "".join(sign for sign in unicodedata.normalize("NFKD", name) if not unicodedata.combining(sign))
    plain = re.sub(r"day[ _.-]*of[ _.-]*month", "day", re.sub(r"(week)[ _.-]*of[ _.-]*year", r"\1", spaced(name)))
    return words(re.sub(r"day[ _.-]*of[ _.-]*(week|year)", "dayname", plain)) - FILLERS
