"""Features of earlier rows: means of known labels, the label at the same time before, and how numbers changed.

Each says how far back it looks, whatever rows there are: the newest label of a rare entity may be years old, and then a
batch's features would depend on which older batches were read with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from math import ceil, floor, inf, log10

from homeostat.scaffold.draft.features_sql import Feature, FeatureGroup, FreeNames, short_length
from homeostat.scaffold.draft.plan import Plan
from homeostat.scaffold.profile.batch_period import DAY, interval
from homeostat.scaffold.profile.identifiers import quoted
from homeostat.scaffold.profile.profile_table import Profile
from homeostat.scaffold.profile.table import Column

SMALL, HUGE = 1e-3, 1e20  # numbers that eight digits after the point do not suit


def trailing_labels(profile: Profile, plan: Plan, names: FreeNames, entity: str | None) -> FeatureGroup:
    """Trailing means of labels that were known and mature, of all events or of each ``entity``."""
    suffix = f"_by_{entity.lower()}" if entity else ""
    labels, means = f"known_labels{suffix}", f"label_means{suffix}"
    key = f"{quoted(entity)}, " if entity else ""
    of = f" of each {entity}" if entity else ""
    windows = windows_of(profile, plan, entity)
    short, long = map(short_length, windows)
    relations = (
        f"-- labels{of} by the moment from which they count: known, and mature\n" + _known_labels(profile, labels, key),
        _label_means(profile, means, labels, key, windows),
    )
    on = f"{means}.known < e.predict_at"
    join = f"ASOF LEFT JOIN {means} ON {on}"
    if entity:
        join = f"ASOF LEFT JOIN {means}\n    ON {means}.{quoted(entity)} = e.{quoted(entity)} AND {on}"
    section = f"{profile.label.column} so far{of}: the last of its trailing means before predict_at, if it is not older"
    stem = f"{entity.lower()}_{plan.objective.lower()}" if entity else plan.objective.lower()
    columns = [(n, f"mean_{n}", f"mean over {n}", of) for n, of in zip((short, long), windows, strict=True)]
    if profile.series and (entity or not plan.entities):
        columns += [("newest", "newest", "the last one known", windows[1])]
        columns += [("newest_but_one", "newest_but_one", "the one before", windows[1])]
    features = (
        Feature(names.take(f"{stem}_{end}"), _if_since(f"{means}.known", length, f"{means}.{sql}"), note, section)
        for end, sql, note, length in columns
    )
    return FeatureGroup(tuple(features), relations, (join,))


def _if_since(time: str, length: timedelta, value: str) -> str:
    """The value where its time is no longer before the prediction."""
    return f"CASE WHEN {time} >= e.predict_at - {interval(length)} THEN {value} END"


def _known_labels(profile: Profile, name: str, key: str) -> str:
    taken = profile.table.names
    value = next(n for n in ("y", "label_value", "the_value_of_the_label") if n not in taken)
    known = "outcome_known_at"
    if profile.delay.column is not None and profile.delay.due is None:  # early ones are a biased sample
        known = f"greatest(outcome_known_at, event_time + {interval(profile.delay.horizon)})"
    binary = profile.label.task == "binary"
    label = f"CAST(({profile.label.sql}) AS INT)" if binary else exact(profile.label.sql, profile.label_column)
    return (
        f"{name} AS MATERIALIZED (\n"
        f"    SELECT {key}{known} AS known, sum({value}) AS total, count(*) AS label_count\n"
        f"    FROM (SELECT *, {label} AS {value} FROM {quoted(profile.table.name)})\n"
        f"    WHERE {value} IS NOT NULL{_in_time(profile, known)} GROUP BY ALL\n)"
    )


def _in_time(profile: Profile, known: str) -> str:
    """A condition that leaves out labels which took longer than the look-back allows for, where they may."""
    if profile.delay.column is None:
        return ""
    return f" AND {known} <= event_time + {interval(profile.delay.longest)}"


def exact(sql: str, column: Column) -> str:
    """A number of a column whose sum does not depend on the order of its parts.

    Eight digits after the point; more where all numbers are small, fewer where they are huge.
    """
    ends = [abs(float(v or 0)) for v in (column.low, column.high)] if column.kind in ("integer", "float") else [1.0]
    size, places = max(ends), 8
    if 0 < size < SMALL:
        places = min(8 - floor(log10(size)), 30)
    elif HUGE < size < inf:
        places = max(0, 26 - ceil(log10(size)))
    return f"TRY_CAST({sql} AS DECIMAL(38, {places}))"


def _label_means(profile: Profile, name: str, labels: str, key: str, windows: tuple[timedelta, timedelta]) -> str:
    partition = f"PARTITION BY {key.rstrip(', ')} " if key else ""
    newest = in_order = ""
    if profile.series:
        newest = (
            ",\n        total / label_count AS newest,\n"
            f"        CASE WHEN lag(known) OVER in_order >= known - {interval(windows[1])}\n"
            "            THEN lag(total / label_count) OVER in_order END AS newest_but_one"
        )
        in_order = f",\n        in_order AS ({partition}ORDER BY known)"
    (short, mean_short), (long, mean_long) = ((length, f"mean_{short_length(length)}") for length in windows)
    return (
        f"{name} AS MATERIALIZED (\n"
        f"    SELECT {key}known,\n"
        f"        sum(total) OVER short_window / sum(label_count) OVER short_window AS {mean_short},\n"
        f"        sum(total) OVER long_window / sum(label_count) OVER long_window AS {mean_long}{newest}\n"
        f"    FROM {labels}\n"
        f"    WINDOW short_window AS ({partition}ORDER BY known RANGE {interval(short)} PRECEDING),\n"
        f"        long_window AS ({partition}ORDER BY known RANGE {interval(long)} PRECEDING){in_order}\n)"
    )


def windows_of(profile: Profile, plan: Plan, entity: str | None) -> tuple[timedelta, timedelta]:
    """The short and the long window: an entity among many has fewer labels, which are followed for longer."""
    if entity is None or profile.series:
        return plan.short, plan.long
    return plan.long, min(3 * plan.long, max(plan.long, profile.history.length / 4 // DAY * DAY))


def lagged_labels(profile: Profile, plan: Plan, names: FreeNames) -> FeatureGroup:
    """In a series, the label of the same entity at the same time before."""
    features, joins = [], []
    for name, length in lags(profile):
        alias = f"{name}_before"
        same = "".join(f" AND {alias}.{quoted(t)} = e.{quoted(t)}" for t in plan.entities)
        joins.append(
            f"LEFT JOIN {quoted(profile.table.name)} {alias} "
            f"ON {alias}.event_time = e.event_time - {interval(length)}{same}\n"
            f"    AND {alias}.outcome_known_at < e.predict_at"
        )
        sql = f"CAST({profile.label.sql_of(alias)} AS DOUBLE)"
        called = names.take(f"{plan.objective.lower()}_{alias}")
        features.append(Feature(called, sql, "at the same time", "the same time before"))
    return FeatureGroup(tuple(features), joins=tuple(joins))


def lags(profile: Profile) -> Iterator[tuple[str, timedelta]]:
    """Names and lengths of lags that are whole steps of a series and short enough for its history."""
    if not profile.series:
        return
    step = profile.time.step or DAY
    longest = profile.history.length * 0.4
    for name, length, fits in (
        ("a_day", DAY, step < DAY), ("a_week", 7 * DAY, step <= DAY), ("a_year", 364 * DAY, step >= DAY),
    ):  # fmt: skip
        if fits and step < length <= longest and not length % step:
            yield name, length


def number_changes(profile: Profile, plan: Plan, names: FreeNames) -> FeatureGroup:
    """Two features a number, the event's own value included."""
    if not plan.moving:
        return FeatureGroup(())
    keys = ", ".join(map(quoted, plan.entities))
    partition = f"PARTITION BY {keys} " if keys else ""
    short = short_length(plan.short)
    section = f"how the numbers changed: from the row before, and from their mean over {short}"
    recent = f"lag(event_time) OVER in_order >= event_time - {interval(plan.short)}"
    lines, features = [], []
    for name in plan.moving:
        number = quoted(name)
        for called, sql in (
            (names.take(f"{name}_change"), f"CASE WHEN {recent} THEN {number} - lag({number}) OVER in_order END"),
            (
                names.take(f"{name}_over_{short}"),
                f"{number} - avg({exact(number, profile.table.column(name))}) OVER short_window",
            ),
        ):
            lines.append(f"        {sql} AS {quoted(called)}")
            features.append(Feature(called, f"number_changes.{quoted(called)}", "", section))
    relation = (
        "-- each row against those before it; what comes with an event is known when it is predicted\n"
        f"number_changes AS MATERIALIZED (\n    SELECT {f'{keys}, ' if keys else ''}event_time, given_known_at,\n"
        + ",\n".join(lines)
        + f"\n    FROM {quoted(profile.table.name)}\n"
        f"    WINDOW in_order AS ({partition}ORDER BY event_time),\n"
        f"        short_window AS ({partition}ORDER BY event_time RANGE {interval(plan.short)} PRECEDING)\n)"
    )
    same = "".join(f" AND number_changes.{quoted(t)} = e.{quoted(t)}" for t in plan.entities)
    join = (
        f"LEFT JOIN number_changes ON number_changes.event_time = e.event_time{same} "
        "AND number_changes.given_known_at < e.predict_at"
    )
    return FeatureGroup(tuple(features), (relation,), (join,))
