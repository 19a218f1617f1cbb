"""A time that is spread over columns, such as year and month, or a day and its hour: one time of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING

from homeostat.scaffold.profile.identifiers import always_quoted, apart, words

if TYPE_CHECKING:
    import duckdb

    from homeostat.scaffold.profile.profile_table import Column, Table

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
FILLING = {"of", "in", "the", "number", "no", "nr", "num", "local"}
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
YEARS = (1700, 2200)
WHOLE = "TRY_CAST(TRY_CAST({} AS DOUBLE) AS BIGINT)"  # a whole number of what is written


@dataclass(frozen=True)
class Part:
    """One column of a time: ``sql`` makes it a whole number, or a clock's text, from what is in ``{}``."""

    column: Column
    sql: str


def composed(connection: duckdb.DuckDBPyConnection, table: Table, time: Column, label: str) -> tuple[Table, Column]:
    """The table with a whole time in ``time``, where other columns say the rest of it; as it was otherwise."""
    others = replace(table, columns=tuple(c for c in table.columns if c.name not in (time.name, label)))
    if _is_year(time):
        parts = _of_a_year(connection, others, time)
        form = _written_year(parts)
    elif _is_day(connection, table, time):
        parts = _of_a_day(connection, others, time)
        form = _written_day(parts)
    else:
        return table, time
    if not form:
        return table, time
    typed, read = (_filled(form, parts, time, raw) for raw in (False, True))
    name, column = always_quoted(table.name), always_quoted(time.name)
    connection.execute(f"ALTER TABLE {name} ADD COLUMN __whole TIMESTAMP")
    connection.execute(f"UPDATE {name} SET __whole = {typed}")
    connection.execute(f"ALTER TABLE {name} DROP COLUMN {column}")
    connection.execute(f"ALTER TABLE {name} RENAME COLUMN __whole TO {column}")
    told = " and ".join([time.raw, *(p.column.raw for p in parts.values())])
    low, high, many, there = connection.sql(
        f"SELECT CAST(min({column}) AS VARCHAR), CAST(max({column}) AS VARCHAR), count(DISTINCT {column}), "
        f"count({column}) FROM {name}"
    ).fetchall()[0]
    whole = replace(
        time, kind="time", read=f"CAST({read} AS VARCHAR)", note=f"{told} together", low=low, high=high, distinct=many,
        absent=table.rows - there,
    )  # fmt: skip
    return replace(table, columns=tuple(whole if c.name == time.name else c for c in table.columns)), whole


def _is_year(time: Column) -> bool:
    if time.kind not in ("integer", "float") or time.low is None or time.high is None:
        return False
    return YEARS[0] <= float(time.low) and float(time.high) <= YEARS[1]


def _is_day(connection: duckdb.DuckDBPyConnection, table: Table, time: Column) -> bool:
    """Whether every time is a midnight."""
    if time.kind != "time":
        return False
    late = f"{time.sql} <> date_trunc('day', {time.sql})"
    return not connection.sql(f"SELECT 1 FROM {always_quoted(table.name)} WHERE {late} LIMIT 1").fetchall()


def _of_a_year(connection: duckdb.DuckDBPyConnection, table: Table, year: Column) -> dict[str, Part]:
    about = _words(year.raw) - YEAR
    found: dict[str, Part] = {}
    for kind in PARTS:
        part = _part(connection, table, kind, about)
        if part is not None:
            found[kind] = part
    if "month" in found:  # a finer part says nothing without the coarser
        return {k: found[k] for k in takewhile(found.__contains__, ("month", "day", "hour", "minute"))}
    return {k: found[k] for k in [k for k in ("quarter", "week") if k in found][:1]}


def _of_a_day(connection: duckdb.DuckDBPyConnection, table: Table, day: Column) -> dict[str, Part]:
    about = _words(day.raw) - DATE
    for column in table.columns:
        if column.name != day.name and column.kind == "string" and _words(column.raw) & CLOCK:
            text = always_quoted(column.name)
            odd = f"{text} IS NOT NULL AND NOT regexp_full_match({text}, '\\d{{1,2}}[:.]\\d\\d([:.]\\d\\d(\\.\\d+)?)?')"
            if not connection.sql(f"SELECT 1 FROM {always_quoted(table.name)} WHERE {odd} LIMIT 1").fetchall():
                return {"clock": Part(column, "CAST(replace(left({}, 5), '.', ':') AS VARCHAR)")}
    hour = _part(connection, table, "hour", about)
    if hour is None:
        return {}
    minute = _part(connection, table, "minute", about)
    return {"hour": hour} | ({"minute": minute} if minute is not None else {})


def _part(connection: duckdb.DuckDBPyConnection, table: Table, kind: str, about: set[str]) -> Part | None:
    """The column that says this part of the time, by its name and its range; one whose other words agree first."""
    named, low, high = PARTS[kind]
    fitting = [c for c in table.columns if _words(c.raw) & named and not c.raw.lower().startswith("is")]
    fitting = [c for c in fitting if _words(c.raw) - named in (about, set())]
    for column in sorted(fitting, key=lambda c: _words(c.raw) - named != about):
        if column.absent * 10 > column.rows or column.low is None or column.high is None or column.distinct < 2:
            continue
        if column.kind in ("integer", "float") and low <= float(column.low) and float(column.high) <= high:
            return Part(column, WHOLE)
        if kind == "month" and column.kind == "string" and column.distinct <= 12:
            text, listed = always_quoted(column.name), ", ".join(f"'{m}'" for m in MONTHS)
            odd = f"{text} IS NOT NULL AND lower(left(trim({text}), 3)) NOT IN ({listed})"
            if not connection.sql(f"SELECT 1 FROM {always_quoted(table.name)} WHERE {odd} LIMIT 1").fetchall():
                return Part(column, f"list_position([{listed}], lower(left(trim({{}}), 3)))")
    return None


def _written_year(parts: dict[str, Part]) -> str:
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


def _written_day(parts: dict[str, Part]) -> str:
    if "clock" in parts:
        return "try_strptime(printf('%s %s', strftime(<>, '%Y-%m-%d'), <clock>), '%Y-%m-%d %H:%M')"
    if "hour" in parts:
        minutes = " + to_minutes(<minute>)" if "minute" in parts else ""
        return f"<> + to_hours(<hour>){minutes}"
    return ""


def _filled(form: str, parts: Mapping[str, Part], time: Column, raw: bool) -> str:
    """The form with its columns, as they are written (``raw``) or as they were read."""

    def said(column: Column) -> str:
        return (column.read or always_quoted(column.raw)) if raw else always_quoted(column.name)

    own = "CAST({} AS TIMESTAMP)" if time.kind == "time" else WHOLE
    form = form.replace("<>", own.replace("{}", said(time)))
    for kind, part in parts.items():
        form = form.replace(f"<{kind}>", part.sql.replace("{}", f"({said(part.column)})"))
    return form


def _words(name: str) -> set[str]:
    """The words of a name without those that only fill.

    >>> sorted(_words("arrivalDate_day of month"))
    ['arrival', 'date', 'day']
    """
    said = re.sub(r"day[ _.-]*of[ _.-]*month", "day", re.sub(r"(week)[ _.-]*of[ _.-]*year", r"\1", apart(name)))
    return words(re.sub(r"day[ _.-]*of[ _.-]*(week|year)", "dayname", said)) - FILLING
