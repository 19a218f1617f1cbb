"""What each action is expected to cost, by its version's alerts on the same mature events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from homeostat.core.findings import Action, Interval, Option
from homeostat.core.intervals import Measure, Resamples, Settings, block_sums, resampled_sums, summary
from homeostat.core.paired_losses import pair_costs

if TYPE_CHECKING:
    from homeostat.core.metrics import Array


@dataclass(frozen=True)
class Costs:
    """What each event cost, (n,), under the alerts of the version that an action would put in service."""

    action: Action
    version: str
    cost: Array


def weigh_options(keep: Costs, others: Iterable[Costs], block: NDArray[Any], settings: Settings) -> tuple[Option, ...]:
    """Keeping the champion and the other actions; ``block`` (n,) numbers the blocks of the events, the same for all.

    ``share`` is paired: what all have in common cancels out of it, so it is surer than the costs themselves.
    """
    options = [_option(keep, block, settings)]
    for other in others:
        option, paired = _option(other, block, settings), pair_costs(other.cost, keep.cost, block, settings)
        options.append(option.beside(paired.share, Interval.one_sided(paired, settings.confidence)))
    return tuple(options)


def _option(costs: Costs, block: NDArray[Any], settings: Settings) -> Option:
    rows = len(costs.cost)
    if rows < settings.min_slice:
        return Option(costs.action, costs.version, rows)
    drawn = Resamples.draw(block, settings)
    sums = block_sums(np.stack([costs.cost, np.ones(rows)]), drawn)
    total, drawn_rows = resampled_sums(sums, drawn)
    cost: Measure = summary(1000 * costs.cost.mean(), 1000 * total / drawn_rows, drawn, settings)
    return Option(costs.action, costs.version, rows, cost.value, Interval.of(cost, settings.confidence))


def option_of(options: Iterable[Option], action: Action) -> Option | None:
    """That of an action, if it is among them."""
    return next((option for option in options if option.action == action), None)
