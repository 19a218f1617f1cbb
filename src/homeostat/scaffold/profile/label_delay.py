"""From when on a row's label may count: labels that come early are a biased sample of those of their day.

Where some labels come as soon as something goes wrong and the others only when their time is up (a default and a loan
paid back), the known part of recent rows is nearly all of the first kind, and a model learns that whatever lies ahead
goes wrong. A column that is known beforehand often says when time is up; from a while after it on the labels of all
rows are there, whichever way they went, and none of them counts before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from homeostat.scaffold.profile.batch_period import DAY, HOUR, rounded_up
from homeostat.scaffold.profile.identifiers import always_quoted, quoted
from homeostat.scaffold.profile.profile_table import Bound, known_sql, with_windows

if TYPE_CHECKING:
    import duckdb

    from homeostat.scaffold.profile.profile_table import Column, Understanding

ALL = 0.99  # share of the labels that are there a while after the time that bounds them
SHORT = 0.25  # of the time that nine of ten labels take: that while, at most
NEAR = 0.2  # share of the labels that come about that time, at least: a later time would bound them as well
STATED = 0.99  # share of the rows that say when their time is up
LONGEST = 36500 * DAY
UNITS = (("day", DAY), ("hour", HOUR))  # that a number may count from the event on


def bounded(connection: duckdb.DuckDBPyConnection, found: Understanding, barred: Sequence[str]) -> Understanding:
    """The same, with the time that bounds its labels, where a column says one; ``barred`` ones are known too late."""
    if found.known_at is None or found.delays[0.9] < HOUR:
        return found
    aside = {found.known_at, found.time_column, found.label.column, *barred}
    tried = [b for c in found.table.columns if c.name not in aside for sql in _times(c) for b in _bound(
        connection, found, c, sql)]  # fmt: skip
    if not tried:
        return found
    times = {c.name for c in found.table.columns if c.kind == "time"}
    _, bound = max(tried, key=lambda b: (round(b[0], 2), b[1].column in times))
    unit = DAY if bound.middle >= DAY else HOUR
    return with_windows(replace(found, bound=bound, horizon=unit))


def _times(column: Column) -> Iterator[str]:
    """The times that a column may stand for, in SQL: its own, or that of so many days or hours from the event on."""
    name = quoted(column.name)
    if column.kind == "time":
        yield name
    elif column.kind in ("integer", "float") and column.distinct > 2 and column.low and column.high:
        for unit, length in UNITS:
            if float(column.low) >= 0 and float(column.high) <= LONGEST / length:
                yield f"TRY(event_time + {name} * INTERVAL 1 {unit.upper()})"  # a later one may be out of range


def _bound(
    connection: duckdb.DuckDBPyConnection, found: Understanding, column: Column, sql: str
) -> Iterator[tuple[float, Bound]]:
    """The bound that this time is, with the share of labels that come about it; none where it is no bound."""
    known = known_sql(found)
    least = HOUR if found.delays[0.9] < 4 * DAY else DAY
    stated, late, ahead = connection.sql(
        f"SELECT count(due) / count(*), quantile_cont(epoch(known) - epoch(due), {ALL}), "
        "quantile_cont(epoch(due) - epoch(event_time), 0.5) "
        f"FROM ({_rows(found, known, sql)})"
    ).fetchall()[0]
    if not stated or stated < STATED or ahead <= 0:
        return
    wait = rounded_up(timedelta(seconds=max(late, 0.0)), least)
    if wait > found.delays[0.9] * SHORT:
        return
    near, middle, most = connection.sql(
        f"SELECT avg(CAST(abs(epoch(known) - epoch(due)) <= {wait.total_seconds()} AS INT)), "
        + ", ".join(f"quantile_cont(epoch(counts) - epoch(event_time), {q})" for q in (0.5, 0.95))
        + f" FROM (SELECT *, greatest(known, due + to_seconds({wait.total_seconds()})) AS counts "
        f"FROM ({_rows(found, known, sql)}))"
    ).fetchall()[0]
    if near >= NEAR:
        yield near, Bound(column.name, sql, wait, timedelta(seconds=middle), timedelta(seconds=most))


def _rows(found: Understanding, known: str, due: str) -> str:
    """Event, due and known time of the rows whose label is known."""
    columns = ", ".join(always_quoted(c.name) for c in found.table.columns if c.name != "event_time")
    return (
        f"SELECT event_time, {known} AS known, {due} AS due FROM (SELECT {columns}, __t AS event_time "
        f"FROM {always_quoted(found.table.name)} WHERE __t IS NOT NULL AND {always_quoted(found.known_at or '')} "
        "IS NOT NULL)"
    )
