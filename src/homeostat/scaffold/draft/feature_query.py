"""All features of a first draft, and how far back they look."""

from __future__ import annotations

from datetime import timedelta

from homeostat.scaffold.audit.column_roles import Roles
from homeostat.scaffold.draft.features_sql import FeatureQuery, FreeNames
from homeostat.scaffold.draft.plan import Plan
from homeostat.scaffold.draft.row_features import context_features, row_features
from homeostat.scaffold.draft.trailing_features import lagged_labels, lags, number_changes, trailing_labels, windows_of
from homeostat.scaffold.profile.batch_period import DAY, HOUR, rounded_up
from homeostat.scaffold.profile.identifiers import RESERVED
from homeostat.scaffold.profile.profile_table import Profile


def draft_features(profile: Profile, roles: Roles, plan: Plan) -> FeatureQuery:
    """The row itself, the labels so far, how numbers changed, and further tables."""
    names, history = FreeNames((*RESERVED, *profile.table.names)), _history(profile, plan)
    groups = [
        row_features(profile, roles, plan, names),
        *(trailing_labels(profile, plan, names, entity) for entity in (None, *plan.entities)),
        lagged_labels(profile, plan, names),
        number_changes(profile, plan, names),
        context_features(profile, names, history),
    ]
    return FeatureQuery.of(groups, history)


def _history(profile: Profile, plan: Plan) -> timedelta:
    """The longest window, another for how old its end may be, and the wait for labels before both."""
    windows = [windows_of(profile, plan, entity)[1] for entity in (None, *plan.entities)]
    before, period = profile.request.predict_before, profile.rhythm.period
    lengths = [2 * max(windows) + profile.delay.longest + before, plan.short + before]
    lengths += [length + period for _, length in lags(profile)]
    return rounded_up(max(lengths), DAY if max(lengths) > DAY else HOUR)
