"""The profile of a table: every conclusion that a first draft follows from, each in a value of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from homeostat.core.errors import DataError, UsageError
from homeostat.core.text import count
from homeostat.scaffold.profile.batch_period import DAY, HOUR, Rhythm
from homeostat.scaffold.profile.composite_time import compose_time, is_year
from homeostat.scaffold.profile.context import Context, ContextRequest, read_context
from homeostat.scaffold.profile.due_time import find_due_time
from homeostat.scaffold.profile.duration_writing import with_durations
from homeostat.scaffold.profile.event_time import (
    EventTime,
    choose_time_column,
    read_event_time,
    with_number_as_time,
)
from homeostat.scaffold.profile.history import History, read_history, until_labels_dry_up, until_rows_thin_out
from homeostat.scaffold.profile.identifiers import ascii_name, quoted_list
from homeostat.scaffold.profile.key import Key, find_key, newest_rows, row_id_column
from homeostat.scaffold.profile.label import Label, read_label, with_one_word
from homeostat.scaffold.profile.label_delay import LabelDelay, known_column, read_label_delay
from homeostat.scaffold.profile.request import Request
from homeostat.scaffold.profile.sentinels import without_sentinels
from homeostat.scaffold.profile.table import ROW_ID, Column, Table, column_list, find_column, read_table
from homeostat.scaffold.profile.windows import Windows, choose_windows
from homeostat.scaffold.profile.workspace import Workspace

FEWEST = 100  # rows of a table that a loop can run on
SAMPLE = 60_000  # rows that columns are judged on
RELATIONS = ("events", "rows", "written", "known_labels", "label_means", "number_changes")  # of SQL over the source


@dataclass(frozen=True)
class Profile:
    """What the table says. The typed table is in the workspace under its name, with ``__t``, the time of each row."""

    request: Request
    table: Table
    time: EventTime
    label: Label
    key: Key
    history: History
    delay: LabelDelay
    windows: Windows
    contexts: tuple[Context, ...] = ()
    overlap: tuple[int, int] | None = None  # rows that come again in a later file, and those with other values

    @property
    def rhythm(self) -> Rhythm:
        return self.history.rhythm

    @property
    def series(self) -> bool:
        return self.key.series

    @property
    def entities(self) -> tuple[str, ...]:
        """The key of a series without its time: what is measured again and again."""
        return tuple(k for k in self.key.columns if k != self.time.column) if self.series else ()

    @property
    def label_column(self) -> Column:
        return self.table.column(self.label.column)

    @property
    def time_column(self) -> Column:
        return self.table.column(self.time.column)


def profile_table(work: Workspace, request: Request, contexts: Sequence[ContextRequest] = ()) -> Profile:
    """Read the table and conclude what a project on it would be.

    Raises:
        UsageError: a column that was named is not there, or cannot be what it is said to be.
        DataError: the table cannot be read, or is too small.
    """
    typed = _without_dropped(read_table(work, _source_name(request.source.stem), request.source), request)
    typed = without_sentinels(work, typed)
    typed = with_one_word(work, typed, _label_column(typed, request))
    label_column = _label_column(typed, request)
    time_column = choose_time_column(typed, request, label_column.name)
    if not is_year(time_column):  # which other columns may complete
        typed = with_number_as_time(work, typed, time_column, "--time")
    table = compose_time(work, typed, typed.column(time_column.name), label_column.name)
    table = with_number_as_time(work, table, table.column(time_column.name), "--time")
    table = with_durations(work, table, time_column.name)
    if request.known_at is not None and find_column(table, request.known_at, "--known-at").numeric:
        table = with_number_as_time(work, table, find_column(table, request.known_at, "--known-at"), "--known-at")
    time = read_event_time(work, table, table.column(time_column.name))
    label = read_label(work, table, table.column(label_column.name), request)
    known_at = known_column(table, request)
    key = find_key(work, table, time, label.column, request)
    table, overlap = newest_rows(work, table, key)
    history = read_history(work, table, time, request.period)
    if label.task == "binary" and known_at is None and not key.series:
        history = until_labels_dry_up(work, table, label.sql, history)
    step = time.step if key.series else None
    delay = read_label_delay(work, table, known_at, history, step, time.column)
    if delay.column is not None and delay.quantiles[0.9] >= history.rhythm.period:
        history = until_rows_thin_out(history)
        delay = read_label_delay(work, table, known_at, history, step, time.column)
    joined = tuple(read_context(work, table, c) for c in contexts)
    history, windows = choose_windows(history, delay)
    return Profile(request, table, time, label, key, history, delay, windows, joined, overlap)


def with_leaks_known(work: Workspace, profile: Profile, leaking: Sequence[str]) -> Profile:
    """The same once the leaking columns are known: no due time and no row id may come from those."""
    delay, table, late = profile.delay, profile.table, {profile.label.column, profile.delay.column, *leaking}
    due = find_due_time(work, table, delay, [profile.time.column, *filter(None, late)])
    if due is not None:
        delay = replace(delay, due=due, horizon=DAY if due.median >= DAY else HOUR)
    if profile.key.generated:
        stable = [name for name in table.names if name not in late]
        table = replace(table, columns=(row_id_column(table, profile.key, stable), *table.columns))
    history, windows = choose_windows(profile.history, delay)
    return replace(profile, table=table, delay=delay, history=history, windows=windows)


def _source_name(stem: str) -> str:
    """The name of the events' source; features.sql has relations of its own."""
    name = ascii_name(stem, "records")
    return f"{name}_table" if name.lower() in RELATIONS else name


def _without_dropped(table: Table, request: Request) -> Table:
    if table.rows < FEWEST:
        raise DataError(
            f"{request.source}: {count(table.rows, 'row', 'are')} too few for a loop; give {FEWEST} or more"
        )
    dropped = [find_column(table, d, "--drop").name for d in request.drop]
    for option, name in (("--label", request.label), ("--time", request.time), ("--known-at", request.known_at)):
        if name is not None and find_column(table, name, option).name in dropped:
            raise UsageError(f"--drop {name}: is the column that {option} names; leave out one of the two")
    return table.without(dropped)


def _label_column(table: Table, request: Request) -> Column:
    if request.label is None:
        raise UsageError(f"--label: say which column is to be predicted; there are {column_list(table.columns)}")
    return find_column(table, request.label, "--label")


def labelled_sample(work: Workspace, profile: Profile) -> pl.DataFrame:
    """Rows of the window that have a label, in order of time, with ``__t`` and the label as ``__y``; some of many."""
    every = max(1, profile.table.rows // SAMPLE)
    names = quoted_list(name for name in profile.table.names if name != ROW_ID)
    return work.frame(
        f"SELECT {names}, __t, {profile.label.number_sql} AS __y FROM {profile.table.sql} "
        f"WHERE __t >= TIMESTAMP '{profile.history.start}' AND __t < TIMESTAMP '{profile.history.end}' "
        f"AND ({profile.label.sql}) IS NOT NULL "
        + (f"AND hash(rowid) % {every} = 0 " if every > 1 else "") + "ORDER BY __t, rowid"
    )  # fmt: skip
