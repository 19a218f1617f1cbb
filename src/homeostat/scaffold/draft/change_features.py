"""Features of how the main numbers of a series changed: from the row before, and from their trailing mean."""

from __future__ import annotations

from homeostat.scaffold.draft.features_sql import Feature, FeatureGroup, FreeNames, short_length
from homeostat.scaffold.draft.label_features import exact
from homeostat.scaffold.draft.plan import Plan
from homeostat.scaffold.profile.batch_period import interval
from homeostat.scaffold.profile.identifiers import quoted
from homeostat.scaffold.profile.profile_table import Profile


def number_changes(profile: Profile, plan: Plan, names: FreeNames) -> FeatureGroup:
    """Two features a number, the event's own value included."""
    if not plan.moving:
        return FeatureGroup(())
    keys = ", ".join(map(quoted, plan.entities))
    partition = f"PARTITION BY {keys} " if keys else ""
    short = short_length(plan.short)
    section = f"how the numbers changed: from the row before, and from their mean over {short}"
    lines, features = [], []
    for name in plan.moving:
        number = quoted(name)
        for called, sql in (
            (names.take(f"{name}_change"), f"{number} - lag({number}) OVER in_order"),
            (names.take(f"{name}_over_{short}"), f"{number} - avg({exact(number)}) OVER short_window"),
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
