"""The time from which a row's label may count: labels that come early are a biased sample of those of their day.

Where some labels come as soon as something goes wrong and the others only when their time is up (a default and a loan
paid back), the known part of recent rows is nearly all of the first kind, and a model learns that everything to come
goes wrong. A column known beforehand often says when the time is up; a while after it the labels of all rows are
there, whichever way they went, and none of them counts before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from homeostat.scaffold.profile.batch_period import DAY, HOUR, rounded_up
from homeostat.scaffold.profile.identifiers import quoted, quoted_list
from homeostat.scaffold.profile.label_delay import DueTime, LabelDelay
from homeostat.scaffold.profile.table import Column, Table
from homeostat.scaffold.profile.workspace import Workspace

ALL = 0.99  # share of the labels that are there after the wait
SHORT = 0.25  # share of the time of nine of ten labels that the wait may be
NEAR = 0.2  # least share of the labels that come about the due time: any later time bounds them as well
STATED = 0.99  # least share of the rows that have a due time
LONGEST = 36500 * DAY
UNITS = (("day", DAY), ("hour", HOUR))  # that a number may count from the event on


def find_due_time(work: Workspace, table: Table, delay: LabelDelay, aside: Sequence[str]) -> DueTime | None:
    """The due time that most labels come about, among columns that are not ``aside``."""
    if delay.column is None or delay.quantiles[0.9] < HOUR:
        return None
    candidates = [
        (round(near, 2), column.kind == "time", due)
        for column in table.columns
        if column.name not in aside
        for sql in _times(column)
        for near, due in _bound(work, table, delay, column, sql)
    ]
    return max(candidates, key=lambda c: c[:2])[2] if candidates else None


def _times(column: Column) -> Iterator[str]:
    """The times that a column may stand for, in SQL: its own, or that many days or hours after the event."""
    name = quoted(column.name)
    if column.kind == "time":
        yield name
    elif column.kind in ("integer", "float") and column.distinct > 2 and column.low and column.high:
        for unit, length in UNITS:
            if float(column.low) >= 0 and float(column.high) <= LONGEST / length:
                yield f"TRY(event_time + {name} * INTERVAL 1 {unit.upper()})"  # a later one may be out of range


def _bound(
    work: Workspace, table: Table, delay: LabelDelay, column: Column, sql: str
) -> Iterator[tuple[float, DueTime]]:
    """This due time with the share of labels that come about it; nothing where it bounds none."""
    rows = _rows(table, delay, sql)
    nine_of_ten = delay.quantiles[0.9]
    stated, late, ahead = work.row(
        f"SELECT count(due) / count(*), quantile_cont(epoch(known) - epoch(due), {ALL}), "
        f"quantile_cont(epoch(due) - epoch(event_time), 0.5) FROM ({rows})"
    )
    if not stated or stated < STATED or ahead <= 0:
        return
    wait = rounded_up(timedelta(seconds=max(late, 0.0)), HOUR if nine_of_ten < 4 * DAY else DAY)
    if wait > nine_of_ten * SHORT:
        return
    seconds = wait.total_seconds()
    near, median, p95 = work.row(
        f"SELECT avg(CAST(abs(epoch(known) - epoch(due)) <= {seconds} AS INT)), "
        "quantile_cont(epoch(counts) - epoch(event_time), 0.5), quantile_cont(epoch(counts) - epoch(event_time), 0.95) "
        f"FROM (SELECT *, greatest(known, due + to_seconds({seconds})) AS counts FROM ({rows}))"
    )
    if near >= NEAR:
        yield near, DueTime(column.name, sql, wait, timedelta(seconds=median), timedelta(seconds=p95))


def _rows(table: Table, delay: LabelDelay, due: str) -> str:
    """Event, due and known time of the rows whose label is known."""
    columns = quoted_list(name for name in table.names if name != "event_time")
    return (
        f"SELECT event_time, {delay.known_sql} AS known, {due} AS due FROM (SELECT {columns}, __t AS event_time "
        f"FROM {table.sql} WHERE __t IS NOT NULL AND {quoted(str(delay.column))} IS NOT NULL)"
    )
