"""Features of the row itself: its columns, ratios, the calendar, other times, and further tables."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from homeostat.scaffold.audit.column_roles import Roles
from homeostat.scaffold.draft.features_sql import Feature, FeatureGroup, FreeNames
from homeostat.scaffold.draft.plan import Plan
from homeostat.scaffold.profile.batch_period import DAY, interval
from homeostat.scaffold.profile.context import Context
from homeostat.scaffold.profile.identifiers import quoted
from homeostat.scaffold.profile.profile_table import Profile
from homeostat.scaffold.profile.table import Column

SEASONS = 400 * DAY  # of history from which months recur
CATEGORIES = 500  # distinct words or codes of a column that is a feature
GIVEN = "as the event comes"


def row_features(profile: Profile, roles: Roles, plan: Plan, names: FreeNames) -> FeatureGroup:
    """Columns as given, ratios, the calendar, and other times."""
    return FeatureGroup((
        *_as_given(profile, roles, names),
        *_ratios(plan, names),
        *_calendar(profile, names),
        *_other_times(profile, roles, names),
    ))  # fmt: skip


def _as_given(profile: Profile, roles: Roles, names: FreeNames) -> Iterator[Feature]:
    for name in (*roles.numbers, *roles.flags, *roles.words, *roles.codes):
        column, sql = profile.table.column(name), f"e.{quoted(name)}"
        if name in roles.flags:
            sql = f"CAST({sql} AS INT)"
        elif name in roles.codes and column.distinct <= CATEGORIES:
            sql = f"CAST({sql} AS VARCHAR)"
        called = names.take(f"{name}_is") if name in profile.key.columns else name
        yield Feature(called, sql, _comment(column, name in roles.codes), GIVEN)


def _comment(column: Column, code: bool = False) -> str:
    notes = ["a code"] if code else []
    if column.raw != column.name:
        notes.append(column.raw.replace("\n", " "))
    if column.missing > 0.005:
        notes.append(f"{column.missing:.0%} missing")
    return ", ".join(notes)


def _ratios(plan: Plan, names: FreeNames) -> Iterator[Feature]:
    for one, two in plan.ratios:
        sql = f"e.{quoted(one)} / nullif(e.{quoted(two)}, 0)"
        yield Feature(names.take(f"{one}_per_{two}"), sql, "", "ratios that predict more than their parts")


def _calendar(profile: Profile, names: FreeNames) -> Iterator[Feature]:
    step, section = profile.time.step, "the calendar"
    if step is None or step < DAY:
        yield Feature(names.take("hour"), "hour(e.event_time)", "of the day, UTC", section)
    if step is None or step < 7 * DAY:
        yield Feature(names.take("weekday"), "isodow(e.event_time)", "1 is Monday", section)
    if profile.history.length > SEASONS and (step is None or step < 300 * DAY):
        yield Feature(names.take("month"), "month(e.event_time)", "of the year", section)
    if not profile.series:  # in a series the newest labels show the trend; elsewhere they come late
        yield _day_of_history(profile, names, "day_of_history", "e.event_time", section)


def _day_of_history(profile: Profile, names: FreeNames, name: str, time: str, section: str) -> Feature:
    """Tells new events from old ones, so that a model can follow a trend."""
    sql = f"date_diff('day', DATE '{profile.history.start:%Y-%m-%d}', {time})"
    return Feature(names.take(name), sql, "days since the history began, for trends", section)


def _other_times(profile: Profile, roles: Roles, names: FreeNames) -> Iterator[Feature]:
    section = "other times of the row"
    for name in roles.times:
        sql = f"e.{quoted(name)}"
        days = f"date_diff('day', e.event_time, {sql})"
        yield Feature(names.take(f"{name}_days"), days, "days from the event", section)
        yield Feature(names.take(f"{name}_weekday"), f"isodow({sql})", "1 is Monday", section)
        if profile.history.length > SEASONS:
            yield Feature(names.take(f"{name}_month"), f"month({sql})", "of the year", section)
        if not profile.series:
            yield _day_of_history(profile, names, f"{name}_day_of_history", sql, section)


def context_features(profile: Profile, names: FreeNames, history: timedelta) -> FeatureGroup:
    """Columns of further tables, joined by key; those with a time as of predict_at, and no older than ``history``."""
    features, joins = [], []
    for context in profile.contexts:
        name = quoted(context.table.name)
        equal = " AND ".join(
            f"{name}.{quoted(theirs)} = e.{quoted(own)}" for theirs, own in zip(context.key, context.join, strict=False)
        )
        if context.time is None:
            joins.append(f"LEFT JOIN {name} ON {equal}")
        else:
            joins.append(f"ASOF LEFT JOIN {name} ON {equal} AND {name}.given_known_at < e.predict_at")
        for column in _usable(context):
            sql = f"{name}.{column.sql}" if column.kind != "boolean" else f"CAST({name}.{column.sql} AS INT)"
            if context.time is not None:
                sql = f"CASE WHEN {name}.given_known_at >= e.predict_at - {interval(history)} THEN {sql} END"
            called = names.take(f"{context.table.name}_{column.name}")
            features.append(Feature(called, sql, _comment(column), f"from {context.table.name}"))
    return FeatureGroup(tuple(features), joins=tuple(joins))


def _usable(context: Context) -> list[Column]:
    return [
        c for c in context.table.columns
        if c.name not in context.key and c.distinct > 1
        and (c.numeric or c.kind == "string" and c.distinct <= CATEGORIES)
    ]  # fmt: skip
