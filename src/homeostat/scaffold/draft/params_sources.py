"""The section ``sources`` of a first ``params.yaml``: where tables come from, and what their rows mean."""

from __future__ import annotations

from collections.abc import Sequence

from homeostat.core.text import count
from homeostat.project.value_types import format_duration
from homeostat.project.writing import PLAIN, Writing
from homeostat.scaffold.audit.column_roles import Roles
from homeostat.scaffold.draft.expectations import volume
from homeostat.scaffold.draft.yaml_text import name_list, name_value, text_value
from homeostat.scaffold.profile.batch_period import interval
from homeostat.scaffold.profile.context import Context
from homeostat.scaffold.profile.label_delay import outcome_time
from homeostat.scaffold.profile.profile_table import Profile
from homeostat.scaffold.profile.table import Column, Table


def sources(profile: Profile, roles: Roles) -> str:
    """The events' source, then the further tables."""
    parts = ["sources:  # where tables come from, and what their rows mean", _event_source(profile, roles)]
    return "\n".join([*parts, *(_context_source(profile, c) for c in profile.contexts)])


def _event_source(profile: Profile, roles: Roles) -> str:
    table, rhythm, key = profile.table, profile.rhythm, profile.key
    period, late = format_duration(rhythm.period), format_duration(rhythm.period / 2)
    given = [c for c in roles.given if c in key.columns] + [c for c in roles.given if c not in key.columns]
    leaking = [c for c in roles.outcome if c not in (profile.label.column, profile.delay.column)]
    leaks = f", and the columns that leak it: {', '.join(leaking)}" if leaking else ""
    given_at = text_value(f"event_time - {interval(profile.request.known_before)}")
    outcome, reason = outcome_time(profile.delay, profile.series)
    batches = f"{count(rhythm.rows, 'row')} as a rule, {count(rhythm.batches, 'batch')} so far"
    lines = [
        f"  {table.name}:",
        *_address(table),
        f"    time: {text_value(profile.time.sql)}  # event time: the column {profile.time_column.raw!r}",
        f"    period: {period}  # one batch: {batches}",
        f"    late_after: {late}  # a batch that has not come this long after its period is missing",
        f"    key: {name_list(key.columns, 9)}  # {key.note}",
        *_columns(table.columns),
        "    known_at:  # when each group of columns becomes known; the first makes the row visible",
        "      given:  # guess: all columns but the label are known when the event comes; if not, add a group",
        f"        columns: {name_list(given, 17)}",
        f"        at: {given_at}  # just before predict_at",
        f"      outcome:  # the label{leaks}",
        f"        columns: {name_list(roles.outcome, 17)}",
        f"        at: {text_value(outcome)}  # {reason}",
    ]
    share = volume(profile)
    if share is not None:
        note = "share a batch may differ from the median of its last 28: 1.5 times the history's most"
        lines.append(f"    volume: {share:g}  # {note}")
    return "\n".join(lines)


def _address(table: Table) -> list[str]:
    address = table.address
    if address.query is not None:
        note = "  # :start and :end in it are the batch's"
        return [f"    url: {name_value(address.url)}", f"    query: {text_value(address.query)}{note}"]
    lines = [f"    path: {text_value(address.path)}  # read in place: new rows in it become new batches"]
    form = table.opened.form.model_dump(exclude_defaults=True)
    if form:
        listed = ", ".join(f"{k}: {_form_value(v)}" for k, v in form.items())
        lines.append(f"    file: {{{listed}}}  # how it is laid out")
    return lines


def _form_value(value: int | str | tuple[str, ...]) -> str:
    if isinstance(value, tuple):
        return _texts(value)
    return str(value) if isinstance(value, int) else text_value(value)


def _columns(columns: Sequence[Column]) -> list[str]:
    lines = ["    columns:  # must be there, with types: string, integer, float, boolean, time"]
    lines += [f"      {name_value(c.name)}: {c.kind}" for c in columns]
    converted = [(c, c.source_sql) for c in columns if c.source_sql is not None]
    if converted:
        lines.append("    read:  # SQL that makes columns of the table as it is written")
        for column, sql in converted:
            note = _one_line(column.reading.note or f"called {column.raw!r} there")
            lines += [f"      # {note}", f"      {name_value(column.name)}: {text_value(sql)}"]
    written = [c for c in columns if c.reading.writing != PLAIN]
    if written:
        lines.append("    written:  # how values are written, where it is not the plain way of their type")
        for column in written:
            lines += [f"      # {_one_line(column.reading.note)}"] if column.reading.note else []
            lines.append(f"      {name_value(column.name)}: {_writing(column.reading.writing)}")
    return lines


def _one_line(note: str) -> str:
    return " ".join(note.split())


def _writing(writing: Writing) -> str:
    """A writing on one line."""
    given = writing.model_dump(exclude_defaults=True, mode="json")
    parts = (
        f"{key}: {_texts(value) if isinstance(value, list) else text_value(value)}" for key, value in given.items()
    )
    return "{" + ", ".join(parts) + "}"


def _texts(values: Sequence[str]) -> str:
    return "[" + ", ".join(map(text_value, values)) + "]"


def _context_source(profile: Profile, context: Context) -> str:
    table, period = context.table, profile.rhythm.period
    lines = [f"  {table.name}:", *_address(table)]
    if context.time is None:
        lines.append("    period: once  # a table without time: one batch, known from the start")
    else:
        lines += [
            f"    time: {text_value(context.time)}  # its own time",
            f"    period: {format_duration(period)}  # one batch, like the events'",
            f"    late_after: {format_duration(period / 2)}",
        ]
    lines += [f"    key: {name_list(context.key, 9)}  # identifies a row", *_columns(table.columns)]
    if context.time is not None:
        columns = [*context.key, *(n for n in table.names if n not in context.key)]
        lines += [
            "    known_at:",
            "      given:",
            f"        columns: {name_list(columns, 17)}",
            '        at: "event_time"  # guess: known at its time',
        ]
    return "\n".join(lines)
