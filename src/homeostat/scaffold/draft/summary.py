"""The profile and the issues of a table, in lines for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from homeostat.core.text import count
from homeostat.project.value_types import format_duration
from homeostat.scaffold.audit.column_roles import Roles, names_each_row
from homeostat.scaffold.audit.issue import Issue
from homeostat.scaffold.draft.features_sql import FeatureQuery
from homeostat.scaffold.draft.plan import Plan
from homeostat.scaffold.profile.event_time import EventTime
from homeostat.scaffold.profile.profile_table import Profile
from homeostat.scaffold.profile.table import ROW_ID

WIDTH = 100
READINGS = 8  # columns whose writing is shown
SHOWN = 12  # issues on a terminal; the page has all


def summary_lines(profile: Profile, roles: Roles, plan: Plan, query: FeatureQuery) -> Iterator[str]:
    """A line a guess: what, and why."""
    table, time, label, windows = profile.table, profile.time, profile.label, profile.windows
    yield f"{table.name}: {table.rows:,} rows, {count(len(table.columns), 'column')}, {time.first} to {time.last}"
    yield from (f"  {note}" for note in table.opened.notes)
    if time.missing:
        yield f"  {count(time.missing, 'row', 'have')} no time: left out"
    if time.stray_range is not None:
        yield f"  {_strays(time)} left out"
    yield f"  time       {_time(profile)}"
    yield f"  task       {label.task}: {label.column}, {_values(profile)}{f'; {label.note}' if label.note else ''}"
    yield from _readings(profile)
    yield f"  key        {', '.join(profile.key.columns)} ({profile.key.note})"
    yield f"  rhythm     {_rhythm(profile)}"
    yield from _label_delay(profile)
    yield (
        f"  window     from {profile.history.start:%Y-%m-%d}; first model after {format_duration(windows.warm_up)}, "
        f"evaluated on {format_duration(windows.holdout)}"
        f"{', longer than between two candidates' if windows.holdout > profile.rhythm.retrain else ''}"
    )
    if profile.history.waiting:
        rows = count(profile.history.waiting, "row")
        since = f"{profile.history.end:%Y-%m-%d %H:%M}"
        yield f"             {rows} from {since} on are no whole batch yet: they wait for the rest"
    yield f"  baseline   the mean of {label.column} by {', '.join(plan.baseline) or 'nothing: of all rows'}"
    yield f"  features   {len(query.features)} in features.sql"
    for reason, names in (
        ("identify a row", [c for c in roles.identifiers if names_each_row(table.column(c))]),
        ("seldom the same twice", [c for c in roles.identifiers if not names_each_row(table.column(c))]),
        ("never change", roles.constant),
        ("too many words", roles.wordy),
    ):
        if names:
            yield f"  left out   {', '.join(names)} ({reason})"


def _strays(time: EventTime) -> str:
    """Rows far from all others, by their times."""
    first, last = time.stray_range or (time.first, time.last)
    of = f"of {first}" if first == last else f"of {first} to {last}"
    return f"{count(time.strays, 'row')} {of}, far from all others,"


def _readings(profile: Profile) -> Iterator[str]:
    """How columns are written, the label first, then those of which the reading was a choice."""
    label, time = profile.label.column, profile.time.column
    noted = [c for c in profile.table.columns if c.reading.note and c.name not in (time, ROW_ID)]
    noted.sort(key=lambda c: (c.name != label, not c.reading.ambiguous))
    for column in noted[:READINGS]:
        yield f"  read as    {column.raw}: {column.kind}; {' '.join(column.reading.note.split())}"
    if len(noted) > READINGS:
        yield f"             and {len(noted) - READINGS} more, in sources.{profile.table.name}.written of params.yaml"


def _time(profile: Profile) -> str:
    """The time column, and the others that could have been it where none was named."""
    column, own = profile.time_column, (profile.time.column, profile.delay.column)
    note = f" ({column.reading.note})" if column.reading.note else ""
    others = [c.raw for c in profile.table.columns if c.kind == "time" and c.name not in own]
    if profile.request.time is None and others:
        note += f", a guess among {', '.join(others)} and it; --time says it"
    return f"{column.raw}{note}"


def _values(profile: Profile) -> str:
    label = profile.label
    return {
        "binary": f"{label.rate:.1%} are {label.positive!r}, which counts as yes",
        "regression": "an amount",
        "ranking": f"a ranking within {label.group}",
    }[label.task]


def _rhythm(profile: Profile) -> str:
    rhythm = profile.rhythm
    return (
        f"a batch every {format_duration(rhythm.period)} ({rhythm.rows:,} rows as a rule, {rhythm.batches} so far), "
        f"a decision every {format_duration(rhythm.decide)}, a fresh candidate every {format_duration(rhythm.retrain)}"
    )


def _label_delay(profile: Profile) -> Iterator[str]:
    delay = profile.delay
    if delay.column is None:
        if not delay.assumed:
            yield "  labels     known with the row"
            return
        yield f"  labels     taken as known {format_duration(delay.assumed)} after the row; better: --known-at COL"
        return
    yield f"  labels     known after {delay.days(0.5)} days at the median, {delay.days(0.9)} for nine of ten"
    due = f"{delay.due.column} and {format_duration(delay.due.wait)}" if delay.due else format_duration(delay.horizon)
    yield f"             mature after {due}"


def issue_lines(issues: Sequence[Issue]) -> Iterator[str]:
    """The worst first, each with the line that fixes it."""
    if not issues:
        yield "No issues with the table."
        return
    yield f"Issues with the table ({len(issues)}, the worst first; issues.html shows them):"
    for number, issue in enumerate(issues[:SHOWN], 1):
        text = f"{'LEFT OUT: ' if issue.barred else ''}{issue.text} [{issue.certainty}]"
        yield from textwrap.wrap(text, WIDTH, initial_indent=f"{number:>3}. ", subsequent_indent="     ")
        yield from textwrap.wrap(f"fix: {issue.fix}", WIDTH, initial_indent="     ", subsequent_indent="     ")
    if len(issues) > SHOWN:
        yield f"     and {len(issues) - SHOWN} more on the page"
