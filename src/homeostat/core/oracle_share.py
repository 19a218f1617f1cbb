"""What decisions save, as a share of what an oracle that knew the outcomes would save within the same capacity.

Beside the scope's own decisions, by the costs of all objectives, stand the two that teams begin with: a score above
0.5, and the order of one objective alone. All are priced alike, on the same events, in the same resamples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeostat.core import costs
from homeostat.core.costs import Flags, Stake
from homeostat.core.intervals import Measure, Resamples, Settings, block_sums, resampled_sums, summary
from homeostat.core.metrics import Array

BY_COSTS, HALF, ORACLE = "costs of all objectives", "a score above 0.5", "an oracle"


@dataclass(frozen=True)
class Saved:
    """One way to decide over ``rows`` events. ``share`` is of what the oracle saves.

    ``behind`` is by how much the share of the decisions by costs is larger than this one's.
    """

    rows: int
    alerts: int
    cost: float
    share: Measure
    behind: Measure

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Saved:
        return cls(**{**raw, "share": Measure.from_dict(raw["share"]), "behind": Measure.from_dict(raw["behind"])})


def ways(
    scores: Mapping[str, Array], stakes: Mapping[str, Stake], period: NDArray[Any], capacity: int, alert_cost: float,
    open_to: Flags | None = None,
) -> dict[str, Flags]:  # fmt: skip
    """Each way to decide: whom it warns of; the scope's own comes first."""
    every = np.ones(len(period), dtype=bool) if open_to is None else open_to
    chosen = {BY_COSTS: costs.alerts(scores, stakes, period, capacity, alert_cost, every)}
    binary = [score for name, score in scores.items() if stakes[name].task == "binary"]
    if binary:
        silence = costs.risk(scores, {name: stakes[name].weight for name in scores})
        likely = np.any([score > 0.5 for score in binary], axis=0)
        chosen[HALF] = costs.largest(silence, likely & every, period, capacity)
    for name in scores if len(scores) > 1 else ():
        chosen[f"{name} alone"] = costs.alerts({name: scores[name]}, stakes, period, capacity, alert_cost, every)
    return chosen


def saved(
    labels: Mapping[str, Array], chosen: Mapping[str, Flags], stakes: Mapping[str, Stake], period: NDArray[Any],
    capacity: int, alert_cost: float, block: NDArray[Any], settings: Settings,
) -> dict[str, Saved]:  # fmt: skip
    """What each way to decide saves on the labelled events, and the oracle at last; the first of ``chosen`` compares.

    Nothing where no event has a label, or where there is nothing to save.
    """
    where = costs.is_labelled(labels)
    chosen = {**chosen, ORACLE: costs.oracle(labels, stakes, period, capacity, alert_cost)}
    spent = {name: costs.cost_of_each(labels, alert, stakes, alert_cost)[where] for name, alert in chosen.items()}
    silence = costs.cost_of_each(labels, np.zeros(len(where), dtype=bool), stakes, alert_cost)[where]
    if silence.sum() - spent[ORACLE].sum() <= 0:
        return {}
    drawn = Resamples.draw(block[where], settings)
    sums = block_sums(np.stack([silence, *spent.values()]), drawn)
    values = np.column_stack([sums.sum(axis=1), resampled_sums(sums, drawn)])  # all rows first, then each resample
    shares = _shares(values)

    def measure(resampled: Array) -> Measure:
        return summary(resampled[0], resampled[1:], drawn, settings)

    return {
        name: Saved(
            int(where.sum()), int((alert & where).sum()), float(spent[name].sum()),
            measure(shares[place]), measure(shares[0] - shares[place]),
        )
        for place, (name, alert) in enumerate(chosen.items())
    }  # fmt: skip


def _shares(sums: Array) -> Array:
    """Of sums (1 + ways, r) of silence and of each way, the oracle last: the share that each way saves, (ways, r)."""
    silence, spent = sums[0], sums[1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(silence > spent[-1], (silence - spent) / (silence - spent[-1]), np.nan)
