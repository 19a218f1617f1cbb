"""What it costs to be wrong: the risk of each event, which events to warn of, and the cost of that.

Silence costs the weight of each objective that happens: a binary one once, a regression one for each unit of its
amount, a ranking one for each grade. A false alert costs the price of an alert: nothing binary happened, and the
amounts together were not worth one. A true alert costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from homeostat.core.intervals import Measure, Resamples, Settings, block_sums, resampled_sums, summary
from homeostat.core.metrics import Array

Flags = NDArray[np.bool_]


class Stake(Protocol):
    """What one objective is worth, in false alerts."""

    @property
    def task(self) -> str: ...

    @property
    def weight(self) -> float: ...


@dataclass(frozen=True)
class Money:
    """The outcome of a policy of alerts over ``rows`` events.

    ``needless`` counts false alerts, ``missed`` by objective the events that happened without an alert.
    """

    rows: int
    alerts: int
    needless: int
    missed: Mapping[str, int]
    cost: Measure  # of all rows together
    silence: float  # what they would have cost with no alert at all

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Money:
        return cls(**{**raw, "missed": dict(raw["missed"]), "cost": Measure.from_dict(raw["cost"])})


def risk(scores: Mapping[str, Array], weights: Mapping[str, float]) -> Array:
    """Expected cost of silence: the sum over objectives of weight times score, (n,).

    >>> risk({"a": np.array([0.5]), "b": np.array([0.1])}, {"a": 2, "b": 10}).tolist()
    [2.0]
    """
    total = np.zeros(len(next(iter(scores.values()))))
    for name, score in scores.items():
        total = total + weights[name] * score
    return total


def cost_of_acting(scores: Mapping[str, Array], stakes: Mapping[str, Stake], alert_cost: float) -> Array:
    """Expected cost of an alert, (n,): its price times P(false alert).

    A ranking score orders and measures nothing, so with one of those an alert is taken to cost nothing.

    >>> Binary = type("Binary", (), {"task": "binary", "weight": 5.0})
    >>> cost_of_acting({"a": np.array([0.25])}, {"a": Binary()}, 1.0).tolist()
    [0.75]
    """
    none = np.ones(len(next(iter(scores.values()))))
    for name, score in scores.items():
        if stakes[name].task == "ranking":
            return np.zeros(len(score))
        if stakes[name].task == "binary":
            none = none * (1 - score)
    return alert_cost * none


def worth(scores: Mapping[str, Array], stakes: Mapping[str, Stake], alert_cost: float) -> Flags:
    """Where silence is expected to cost more than an alert would (Elkan, 2001, IJCAI 17).

    A ranking score orders and measures nothing, so with one of those every event is worth its place in the order.
    """
    silence = risk(scores, {name: stakes[name].weight for name in scores})
    if any(stakes[name].task == "ranking" for name in scores):
        return np.isfinite(silence)
    flags: Flags = silence > cost_of_acting(scores, stakes, alert_cost)
    return flags


def threshold(stake: Stake, alert_cost: float) -> float | None:
    """The score of one objective above which an alert is worth it by itself; None where scores only order.

    >>> threshold(type("Binary", (), {"task": "binary", "weight": 3.0})(), 1.0)
    0.25
    """
    if stake.task == "ranking" or not stake.weight:
        return None
    return alert_cost / (alert_cost + stake.weight) if stake.task == "binary" else alert_cost / stake.weight


def alerts(
    scores: Mapping[str, Array], stakes: Mapping[str, Stake], period: NDArray[Any], capacity: int, alert_cost: float,
    open_to: Flags | None = None,
) -> Flags:  # fmt: skip
    """Which events to warn of: in each period the riskiest that are worth it, ``capacity`` at most; ties in order.

    ``open_to`` are the events that may be acted on at all; None: every one.
    """
    silence = risk(scores, {name: stakes[name].weight for name in scores})
    eligible = worth(scores, stakes, alert_cost)
    return largest(silence, eligible if open_to is None else eligible & open_to, period, capacity)


def oracle(
    labels: Mapping[str, Array], stakes: Mapping[str, Stake], period: NDArray[Any], capacity: int, alert_cost: float
) -> Flags:
    """Whom somebody would warn who knew the outcomes: of what an alert saves, in each period the most, within capacity.

    ``labels`` are as ``money`` takes them.
    """
    everyone = np.ones(len(period), dtype=bool)
    acting, _, silence = _outcomes(labels, everyone, stakes, alert_cost)
    return largest(silence - acting, silence > acting, period, capacity)


def largest(value: Array, eligible: Flags, period: NDArray[Any], capacity: int) -> Flags:
    """Of the eligible rows, in each period those of the largest values, ``capacity`` at most; ties in order."""
    chosen = np.zeros(len(value), dtype=bool)
    places = np.flatnonzero(eligible)
    if len(places) == 0:
        return chosen
    _, ids = np.unique(period[places], return_inverse=True)
    order = np.lexsort((-value[places], ids))  # stable: ties keep the order of the rows
    starts = np.searchsorted(ids[order], np.arange(np.max(ids) + 1))
    place = np.arange(len(order)) - starts[ids[order]]
    chosen[places[order[place < capacity]]] = True
    return chosen


def money(
    labels: Mapping[str, Array],
    alert: Flags,
    stakes: Mapping[str, Stake],
    alert_cost: float,
    block: NDArray[Any],
    settings: Settings,
) -> Money:
    """The cost of ``alert`` on events with ``labels``; NaN: the objective is not defined for that event.

    An event without any label counts for nothing.
    """
    labelled = is_labelled(labels)
    cost, needless, silence = _outcomes(labels, alert, stakes, alert_cost)
    missed = {name: int(np.count_nonzero(~alert & (_amount(label) > 0))) for name, label in labels.items()}
    return Money(
        int(labelled.sum()), int((alert & labelled).sum()), int(needless.sum()), missed,
        _total(cost[labelled], block[labelled], settings), float(silence.sum()),
    )  # fmt: skip


def cost_of_each(labels: Mapping[str, Array], alert: Flags, stakes: Mapping[str, Stake], alert_cost: float) -> Array:
    """What each event cost, (n,)."""
    return _outcomes(labels, alert, stakes, alert_cost)[0]


def is_labelled(labels: Mapping[str, Array]) -> Flags:
    """Which events have a label of any objective."""
    flags: Flags = np.any([~np.isnan(label) for label in labels.values()], axis=0)
    return flags


def happened(labels: Mapping[str, Array]) -> Flags:
    """Which events have a label that silence costs something of."""
    flags: Flags = np.any([_amount(label) > 0 for label in labels.values()], axis=0)
    return flags


def _outcomes(
    labels: Mapping[str, Array], alert: Flags, stakes: Mapping[str, Stake], alert_cost: float
) -> tuple[Array, Flags, Array]:
    """What each event cost, which alerts were false, and what silence would have cost, each (n,)."""
    happened, amounts, silence = np.zeros(len(alert), dtype=bool), np.zeros(len(alert)), np.zeros(len(alert))
    for name, label in labels.items():
        amount = _amount(label)
        silence += stakes[name].weight * amount
        if stakes[name].task == "binary":
            happened |= amount > 0
        else:
            amounts += stakes[name].weight * amount
    needless = alert & is_labelled(labels) & ~happened & (amounts <= alert_cost)
    return np.where(alert, alert_cost * needless, silence), needless, silence


def _amount(label: Array) -> Array:
    """What of a label costs something; none where there is no label."""
    return np.maximum(np.nan_to_num(label), 0.0)


def _total(cost: Array, block: NDArray[Any], settings: Settings) -> Measure:
    """The sum, with the interval of the mean times the rows."""
    if len(cost) == 0:
        return Measure(None)
    drawn = Resamples.draw(block, settings)
    sums = block_sums(np.stack([cost, np.ones(len(cost))]), drawn)
    total, rows = resampled_sums(sums, drawn)
    return summary(cost.sum(), len(cost) * total / rows, drawn, settings)
