"""Issues of the history: a sparse start or end, gaps, local times, rows without a time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from homeostat.core.periods import floor
from homeostat.core.text import count
from homeostat.scaffold.audit.issue import Chart, Issue
from homeostat.scaffold.profile.batch_period import DAY, HOUR
from homeostat.scaffold.profile.history import thin_since
from homeostat.scaffold.profile.profile_table import Profile
from homeostat.scaffold.profile.workspace import Workspace


def coverage_issues(work: Workspace, profile: Profile) -> Iterator[Issue]:
    yield from _sparse_ends(profile)
    yield from _gaps(work, profile)
    yield from _clock_changes(work, profile)
    if profile.time.missing:
        text = f"{count(profile.time.missing, 'row', 'have')} no {profile.time_column.raw}, and no batch"
        yield Issue("rows without a time", profile.time.column, text, "left out; fix them in the table", 1.0, 56)


def _sparse_ends(profile: Profile) -> Iterator[Issue]:
    """A start or an end with far fewer rows: the table was cut by another date."""
    history = profile.history
    start, first, column = profile.history.start, profile.time.first, profile.time.column
    chart = _rows_by_batch(profile)
    if start - first > 3 * profile.rhythm.period:
        text = f"there are few rows before {start:%Y-%m-%d}: the start of the table, from {first:%Y-%m-%d}, is left out"
        fix = "data/window.yaml and clock.start say from when on rows count"
        yield Issue("sparse start", column, text, fix, 0.9, 50, chart=chart, chart_title="rows a batch")
    since = history.end if history.thinned else thin_since(history)
    if since is not None:
        text = f"there are fewer rows from about {since:%Y-%m-%d} on: they may be an early, biased part"
        fix = f"end the history before: homeostat replay --to {since:%Y-%m-%d}"
        if history.thinned:
            text += f", so their {history.thinned:,} labels are not trusted and the history ends there"
            fix = "if they are all there is: take events.labels_until out of params.yaml"
        yield Issue("sparse end", column, text, fix, 0.75, 68, chart=chart, chart_title="rows a batch")


def _rows_by_batch(profile: Profile) -> Chart:
    period = profile.rhythm.period
    first = floor(profile.history.start, period, timedelta(0))
    return tuple((f"{first + n * period:%Y-%m-%d}", float(c)) for n, c in enumerate(profile.history.counts))


def _gaps(work: Workspace, profile: Profile) -> Iterator[Issue]:
    """Stretches without a row."""
    least = max(3 * (profile.time.step or timedelta(0)), profile.rhythm.period, HOUR)
    gaps = work.rows(
        "SELECT before, t FROM (SELECT lag(t) OVER (ORDER BY t) AS before, t FROM "
        f"(SELECT DISTINCT __t AS t FROM {profile.table.sql} WHERE __t >= TIMESTAMP '{profile.history.start}')) "
        f"WHERE epoch(t) - epoch(before) > {least.total_seconds()} ORDER BY epoch(t) - epoch(before) DESC, t"
    )
    if gaps:
        before, after = gaps[0]
        more = f" and {len(gaps) - 1} shorter ones" if len(gaps) > 1 else ""
        days = (after - before) / DAY
        text = f"no row from {before:%Y-%m-%d %H:%M} to {after:%Y-%m-%d %H:%M} ({days:.3g} days){more}"
        fix = "batches of that time are reported as missing; if they exist, deliver them"
        severity = 54 if after - before > 2 * profile.rhythm.period else 38
        yield Issue("gaps", profile.time.column, text, fix, 0.95, severity,
                    chart=_rows_by_batch(profile), chart_title="rows a batch")  # fmt: skip


def _clock_changes(work: Workspace, profile: Profile) -> Iterator[Issue]:
    """An hour that is missing when summer time begins: the times are local."""
    if profile.time.step is None or profile.time.step > HOUR or not profile.series:
        return
    years = range(profile.time.first.year, profile.time.last.year + 1)
    missing = []
    for day in [d for y in years for d in (_sunday(y, 3, 2), _sunday(y, 3, -1), _sunday(y, 4, 1))]:
        (hours,) = work.row(
            f"SELECT count(DISTINCT hour(__t)) FROM {profile.table.sql} "
            f"WHERE CAST(__t AS DATE) = DATE '{day}' AND hour(__t) BETWEEN 0 AND 4"
        )
        if hours == 4:
            missing.append(str(day))
    if missing:
        text = f"an hour is missing at night on {', '.join(missing)}, when summer time begins: times are local, not UTC"
        column = f"sources.{profile.table.name}.written.{profile.time.column}"
        fix = f'say your zone in {column} of params.yaml, such as zone: "Europe/Paris"'
        yield Issue("clock changes", profile.time.column, text, fix, 0.8, 53)


def _sunday(year: int, month: int, which: int) -> date:
    """The n-th Sunday of a month, or its last."""
    days = [date(year, month, 1) + timedelta(days=n) for n in range(31)]
    sundays = [d for d in days if d.month == month and d.weekday() == 6]
    return sundays[which - 1] if which > 0 else sundays[-1]
