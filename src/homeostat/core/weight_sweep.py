"""What other weights of the objectives would do with the same scores: whom the alerts reach, and at what cost.

Alerts are chosen by the weights of a point and priced by one set of stakes, so that points compare.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from homeostat.core.abstention import Band, abstained
from homeostat.core.costs import Flags, Stake, alerts, cost_of_each, is_labelled
from homeostat.core.metrics import Array

FACTORS = (0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # of a weight as it is; beyond, the order hardly changes


@dataclass(frozen=True)
class Reweighed:
    """A stake with another weight."""

    task: str
    weight: float


class Held(NamedTuple):
    """Held-out events: scores and labels by objective, (n,) each, NaN where there is no label; periods; slices.

    ``filtered`` are those that nobody may act on, if any.
    """

    scores: Mapping[str, Array]
    labels: Mapping[str, Array]
    period: NDArray[Any]
    slices: Mapping[str, NDArray[Any]]
    filtered: Flags | None = None


class Slice(NamedTuple):
    """The slice that alerts save the least of what silence costs there, as a share."""

    column: str
    value: str
    saved: float


@dataclass(frozen=True)
class Point:
    """One set of weights. ``captured``: by objective, the share of what happened that an alert reached.

    ``saved`` is the share of the cost of silence; ``front``: no other point captures as much of each objective and more
    of one.
    """

    weights: Mapping[str, float]
    alerts: int
    captured: Mapping[str, float]
    cost: float
    saved: float
    worst: Slice | None
    front: bool = False


def points(stakes: Mapping[str, Stake]) -> list[dict[str, float]]:
    """The weights as they are, then each changed alone; those that order events alike come once.

    >>> [point["a"] for point in points({"a": Reweighed("binary", 8)})]
    [8, 1.0, 2.0, 4.0, 16.0, 32.0, 64.0]
    """
    today = {name: stake.weight for name, stake in stakes.items()}
    every = [today, *(today | {name: weight * factor} for name, weight in today.items() for factor in FACTORS)]
    kept = {tuple(point.values()): point for point in reversed(every) if any(point.values())}
    return [today, *(point for point in reversed(kept.values()) if point != today)]


def sweep(
    held: Held, stakes: Mapping[str, Stake], tried: Sequence[Mapping[str, float]], capacity: int, alert_cost: float,
    min_slice: int, band: Band | None = None,
) -> list[Point]:  # fmt: skip
    """Each of the weights that are ``tried``, priced by ``stakes``, in order; it abstains where ``band`` says so."""

    def chosen(weights: Mapping[str, float]) -> Flags:
        weighed = {name: Reweighed(stake.task, weights[name]) for name, stake in stakes.items()}
        may = np.ones(len(held.period), dtype=bool) if held.filtered is None else ~held.filtered
        if band is not None:
            may &= ~abstained(held.scores, weighed, alert_cost, band)
        return alerts(held.scores, weighed, held.period, capacity, alert_cost, may)

    silence = cost_of_each(held.labels, np.zeros(len(held.period), dtype=bool), stakes, alert_cost)
    made = []
    for weights in tried:
        alert = chosen(weights)
        cost = cost_of_each(held.labels, alert, stakes, alert_cost)
        saved = _saved(cost, silence)
        made.append(Point(
            weights, int((alert & is_labelled(held.labels)).sum()), _captured(held.labels, alert), float(cost.sum()),
            saved, min(_slices(held, cost, silence, min_slice), key=lambda one: one.saved, default=None),
        ))  # fmt: skip
    return [replace(point, front=not any(_dominates(other, point) for other in made)) for point in made]


def _captured(labels: Mapping[str, Array], alert: Flags) -> dict[str, float]:
    amounts = {name: np.maximum(np.nan_to_num(label), 0.0) for name, label in labels.items()}
    return {
        name: float(amount[alert].sum() / amount.sum()) if amount.sum() else 0.0 for name, amount in amounts.items()
    }


def _saved(cost: Array, silence: Array) -> float:
    return float(1 - cost.sum() / silence.sum()) if silence.sum() else 0.0


def _slices(held: Held, cost: Array, silence: Array, min_slice: int) -> Iterator[Slice]:
    labelled = is_labelled(held.labels)
    for column, values in held.slices.items():
        for value in sorted({str(one) for one in values}):
            here = labelled & (values.astype(str) == value)
            if here.sum() >= min_slice and silence[here].sum():
                yield Slice(column, value, _saved(cost[here], silence[here]))


def _dominates(one: Point, other: Point) -> bool:
    pairs = [(one.captured[name], other.captured[name]) for name in one.captured]
    return all(ours >= theirs for ours, theirs in pairs) and any(ours > theirs for ours, theirs in pairs)
