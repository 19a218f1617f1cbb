"""A time spread over columns, such as year and month, or a day and its hour: composed into one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import takewhile

from homeostat.scaffold.profile.column_types import Reading
from homeostat.scaffold.profile.identifiers import always_quoted, spaced, sql_string, words
from homeostat.scaffold.profile.table import Column, Table
from homeostat.scaffold.profile.workspace import Workspace

PARTS = {
    "month": ({"month", "mon", "mo", "mnth", "mth"}, 1, 12),
    "quarter": ({"quarter", "qtr", "q"}, 1, 4),
    "week": ({"week", "wk", "isoweek"}, 1, 53),
    "day": ({"day", "dom", "dayofmonth"}, 1, 31),
    "hour": ({"hour", "hr", "hh"}, 0, 23),
    "minute": ({"minute", "min", "mi"}, 0, 59),
}
YEAR = {"year", "yr", "yyyy", "jahr"}
DATE = {"date", "day", "dteday", "dt", "datum", "datestamp"}
CLOCK = {"time", "clock", "uhrzeit", "zeit", "hora", "heure"}
FILLERS = {"of", "in", "the", "number", "no", "nr", "num", "local"}
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
CLOCK_FORM = r"\d{1,2}[:.]\d\d([:.]\d\d(\.\d+)?)?"
YEARS = (1700, 2200)
WHOLE = "TRY_CAST(TRY_CAST({} AS DOUBLE) AS BIGINT)"


@dataclass(frozen=True)
class Part:
    """One column of a time: ``sql`` makes the column in place of ``{}`` a whole number, or the text of a clock."""

    column: Column
    sql: str


def compose_time(work: Workspace, table: Table, time: Column, label: str) -> Table:
    """The table with a whole time in the column ``time``, where other columns hold the rest of it; else as it is."""
    others = table.without((time.name, label))
    if _is_year(time):
        parts = _year_parts(work, others, time)
        form = _year_form(parts)
    elif _is_day(work, table, time):
        parts = _day_parts(work, others, time)
        form = _day_form(parts)
    else:
        return table
    if not form:
        return table
    _replace_column(work, table, time, _filled(form, parts, time, as_written=False))
    name = always_quoted(time.name)
    low, high, distinct, filled = work.row(
        f"SELECT CAST(min({name}) AS VARCHAR), CAST(max({name}) AS VARCHAR), count(DISTINCT {name}), count({name}) "
        f"FROM {table.sql}"
    )
    sources = " and ".join([time.raw, *(p.column.raw for p in parts.values())])
    sql = f"CAST({_filled(form, parts, time, as_written=True)} AS VARCHAR)"
    reading = Reading("time", sql, f"{sources} together")
    return table.with_column(
        replace(time, reading=reading, low=low, high=high, distinct=distinct, absent=table.rows - filled)
    )


def _replace_column(work: Workspace, table: Table, column: Column, sql: str) -> None:
    name = always_quoted(column.name)
    work.execute(f"ALTER TABLE {table.sql} ADD COLUMN __whole TIMESTAMP")
    work.execute(f"UPDATE {table.sql} SET __whole = {sql}")
    work.execute(f"ALTER TABLE {table.sql} DROP COLUMN {name}")
    work.execute(f"ALTER TABLE {table.sql} RENAME COLUMN __whole TO {name}")


def _is_year(time: Column) -> bool:
    if time.kind not in ("integer", "float") or time.low is None or time.high is None:
        return False
    return YEARS[0] <= float(time.low) and float(time.high) <= YEARS[1]


def _is_day(work: Workspace, table: Table, time: Column) -> bool:
    """Whether every time is a midnight."""
    within_day = f"SELECT 1 FROM {table.sql} WHERE {time.sql} <> date_trunc('day', {time.sql})"
    return time.kind == "time" and not work.has_rows(within_day)


def _year_parts(work: Workspace, table: Table, year: Column) -> dict[str, Part]:
    topic = _words(year.raw) - YEAR
    candidates = {kind: _part(work, table, kind, topic) for kind in PARTS}
    parts = {kind: part for kind, part in candidates.items() if part is not None}
    if "month" in parts:  # a finer part means nothing without the coarser ones
        return {k: parts[k] for k in takewhile(parts.__contains__, ("month", "day", "hour", "minute"))}
    return {k: parts[k] for k in [k for k in ("quarter", "week") if k in parts][:1]}


def _day_parts(work: Workspace, table: Table, day: Column) -> dict[str, Part]:
    topic = _words(day.raw) - DATE
    for column in table.columns:
        if column.kind == "string" and _words(column.raw) & CLOCK:
            name = always_quoted(column.name)
            if _all_values(work, table, column, f"regexp_full_match({name}, '{CLOCK_FORM}')"):
                return {"clock": Part(column, "CAST(replace(left({}, 5), '.', ':') AS VARCHAR)")}
    hour = _part(work, table, "hour", topic)
    if hour is None:
        return {}
    minute = _part(work, table, "minute", topic)
    return {"hour": hour} | ({"minute": minute} if minute is not None else {})


def _part(work: Workspace, table: Table, kind: str, topic: set[str]) -> Part | None:
    """The column that holds this part of the time, by its name and range; one whose other words agree first."""
    names, low, high = PARTS[kind]
    fitting = [c for c in table.columns if _words(c.raw) & names and not c.raw.lower().startswith("is")]
    fitting = [c for c in fitting if _words(c.raw) - names in (topic, set())]
    for column in sorted(fitting, key=lambda c: _words(c.raw) - names != topic):
        if column.absent * 10 > column.rows or column.low is None or column.high is None or column.distinct < 2:
            continue
        if column.kind in ("integer", "float") and low <= float(column.low) and float(column.high) <= high:
            return Part(column, WHOLE)
        if kind == "month" and column.kind == "string" and column.distinct <= 12:
            months = ", ".join(map(sql_string, MONTHS))
            word = f"lower(left(trim({always_quoted(column.name)}), 3))"
            if _all_values(work, table, column, f"{word} IN ({months})"):
                return Part(column, f"list_position([{months}], lower(left(trim({{}}), 3)))")
    return None


def _all_values(work: Workspace, table: Table, column: Column, condition: str) -> bool:
    query = f"SELECT 1 FROM {table.sql} WHERE {always_quoted(column.name)} IS NOT NULL AND NOT ({condition})"
    return not work.has_rows(query)


def _year_form(parts: Mapping[str, Part]) -> str:
    if "month" in parts:
        rest = ["month", "day", "hour", "minute"][: len(parts)]
        missing = ["1" if k == "day" else "0" for k in ("day", "hour", "minute")][len(rest) - 1 :]
        filled = [f"<{k}>" for k in rest] + missing
        return f"try_strptime(printf('%d-%d-%d %d:%d', <>, {', '.join(filled)}), '%Y-%m-%d %H:%M')"
    if "quarter" in parts:
        return "try_strptime(printf('%d-%d', <>, 3 * <quarter> - 2), '%Y-%m')"
    if "week" in parts:
        return "try_strptime(printf('%d-W%02d-1', <>, least(<week>, 52)), '%G-W%V-%u')"
    return ""


def _day_form(parts: Mapping[str, Part]) -> str:
    if "clock" in parts:
        return "try_strptime(printf('%s %s', strftime(<>, '%Y-%m-%d'), <clock>), '%Y-%m-%d %H:%M')"
    if "hour" in parts:
        minutes = " + to_minutes(<minute>)" if "minute" in parts else ""
        return f"<> + to_hours(<hour>){minutes}"
    return ""


def _filled(form: str, parts: Mapping[str, Part], time: Column, as_written: bool) -> str:
    """The form with its columns, as the table has them or as they were typed."""

    def sql(column: Column) -> str:
        return (column.source_sql or always_quoted(column.raw)) if as_written else always_quoted(column.name)

    own = "CAST({} AS TIMESTAMP)" if time.kind == "time" else WHOLE
    form = form.replace("<>", own.replace("{}", sql(time)))
    for kind, part in parts.items():
        form = form.replace(f"<{kind}>", part.sql.replace("{}", f"({sql(part.column)})"))
    return form


def _words(name: str) -> set[str]:
    """The words of a name without fillers.

    >>> sorted(_words("arrivalDate_day of month"))
    ['arrival', 'date', 'day']
    """
    plain = re.sub(r"day[ _.-]*of[ _.-]*month", "day", re.sub(r"(week)[ _.-]*of[ _.-]*year", r"\1", spaced(name)))
    return words(re.sub(r"day[ _.-]*of[ _.-]*(week|year)", "dayname", plain)) - FILLERS
