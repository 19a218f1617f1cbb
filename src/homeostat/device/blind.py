"""What a device cannot know: features that need tables beside the event, what each is there, and what that costs.

A feature is known on the device where ``features.sql`` gives the same value over empty tables, on every event of the
release's holdout that is tried. Every other one takes its default: no value, or a typical one (a number's median, the
commonest of words and flags), whichever costs less over all objectives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from homeostat import models
from homeostat.core.errors import DataError
from homeostat.core.evaluation import Compared
from homeostat.data.workspace import Workspace
from homeostat.features import sql as feature_sql
from homeostat.features.point_in_time import PointInTime
from homeostat.features.tables import listed
from homeostat.releases.feature_rows import FeatureRows
from homeostat.training import evaluate
from homeostat.training.reference import span

if TYPE_CHECKING:
    from homeostat.project.layout import Project
    from homeostat.training.bundle import Bundle

ENOUGH = 500  # events on which a feature is computed over empty tables

Value = float | int | bool | str | None


@dataclass(frozen=True)
class Blindness:
    """``defaults`` of the features that need context; by objective, the loss with them against that with all known."""

    defaults: Mapping[str, Value]
    cost: Mapping[str, Compared]


def blindness(tree: Project, bundle: Bundle) -> Blindness:
    """What a device with a release does not know.

    Raises:
        DataError: the batches of its holdout are not there, or none of its events is mature.
    """
    rows = _holdout(tree, bundle)
    needs = _need_context(tree, bundle, rows)
    reference = bundle.reference.select(needs)
    choices = [dict.fromkeys(needs), {name: _typical(reference[name]) for name in needs}]
    costs = [_cost(bundle, rows, choice) for choice in choices]
    best = min(range(len(choices)), key=lambda n: _weighed(bundle, costs[n]))
    return Blindness(choices[best], costs[best])


def without_context(rows: pl.DataFrame, defaults: Mapping[str, Value]) -> pl.DataFrame:
    """Feature rows as the device has them."""
    return rows.with_columns(pl.lit(value, dtype=rows.schema[name]).alias(name) for name, value in defaults.items())


def _holdout(tree: Project, bundle: Bundle) -> pl.DataFrame:
    spans = [span(trained) for trained in bundle.training["objectives"].values()]
    since, until = min(s for _, s, _ in spans), max(u for _, _, u in spans)
    rows = FeatureRows(tree).between(bundle.sql, since, until)
    rows = evaluate.held_out(bundle.training, rows)
    if not rows.height:
        fix = "run data first: homeostat run data"
        raise DataError(f"{tree.features}: holds no event of the release's holdout, {since} to {until}; {fix}")
    return rows


def _need_context(tree: Project, bundle: Bundle, rows: pl.DataFrame) -> list[str]:
    """The features that come out otherwise over empty tables, in the order of the scope."""
    scope, key = bundle.scope, list(bundle.scope.key)
    features = listed(scope)
    alone = _alone(tree, bundle, rows).rename({name: f"{name}__alone" for name in features})
    both = rows.select(*key, *features).join(alone, on=key, nulls_equal=True)
    if not both.height:
        raise DataError(f"{tree.features}: none of the holdout's events is among the accepted rows; homeostat run data")
    same = both.select(pl.col(name).eq_missing(pl.col(f"{name}__alone")).all() for name in features)
    return [name for name in features if not same[name].item()]


def _alone(tree: Project, bundle: Bundle, rows: pl.DataFrame) -> pl.DataFrame:
    """The features of some of the holdout's events, the latest, from the events themselves."""
    point, scope = PointInTime(Workspace(tree)), bundle.scope
    since, until = rows["event_time"].min(), rows["event_time"].max()
    parts: list[pl.DataFrame] = []
    for label in reversed(FeatureRows(tree).labels_since(since)):  # type: ignore[arg-type]
        look = point.look_back(label)
        for events, tables in point.views(look, point.events(look)):
            own = events.filter(pl.col("event_time").is_between(since, until))
            if own.height:
                empty = {name: table.clear() for name, table in tables.items()}
                parts.append(feature_sql.build(bundle.sql, scope, empty, own, scope.threads, listed(scope)))
        if sum(part.height for part in parts) >= ENOUGH:
            break
    return pl.concat(parts) if parts else rows.clear().select(*scope.key, *listed(scope))


def _typical(values: pl.Series) -> Value:
    if not values.dtype.is_numeric():
        common = values.drop_nulls().mode().sort()
        return common[0] if len(common) else None
    numbers = values.cast(pl.Float64).drop_nulls().to_numpy()
    if not len(numbers):
        return None
    middle = float(np.median(numbers))
    return int(middle) if values.dtype.is_integer() else middle


def _cost(bundle: Bundle, rows: pl.DataFrame, defaults: Mapping[str, Value]) -> dict[str, Compared]:
    """By objective the judged model's loss on its holdout with the defaults, against its loss with everything known."""
    judged = bundle.judged or bundle.models
    full = models.predict_each(judged, rows)
    blind = models.predict_each(judged, without_context(rows, defaults))
    now = datetime.fromisoformat(bundle.training["as_of"])
    return {n: c.overall for n, c in evaluate.compare_models(bundle.scope, rows, blind, full, now).items()}


def _weighed(bundle: Bundle, cost: Mapping[str, Compared]) -> float:
    """The sum over objectives of weight times relative loss; what cannot be judged counts for nothing."""
    weights = {name: objective.weight for name, objective in bundle.scope.objectives.items()}
    return sum(weights[name] * (one.share.value or 0.0) for name, one in cost.items())


def as_json(one: Compared) -> dict[str, Any]:
    """A loss on the device as the manifest has it; None where there were too few events to say."""
    share = one.share
    return {
        "events": one.rows, "loss": one.loss, "loss_with_context": one.other_loss, "above": share.value,
        "above_interval": None if share.low is None else [share.low, share.high],
    }  # fmt: skip
