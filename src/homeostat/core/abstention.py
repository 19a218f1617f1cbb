"""Events that scores do not decide: the reject option of Chow (1970), in the costs of the scope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

from homeostat.core.costs import Flags, Money, Stake, cost_of_acting, risk
from homeostat.core.metrics import Array


class Band(Protocol):
    """See ``costs.abstain`` of the scope."""

    @property
    def margin(self) -> float | None: ...

    @property
    def scores(self) -> Mapping[str, tuple[float, float]]: ...


@dataclass(frozen=True)
class Coverage:
    """Of ``rows`` labelled events, how many scores decide.

    ``filtered`` counts by filter those that nobody may act on, of all events; ``abstained`` are the labelled ones left
    to ``then``; ``rest`` is what the alerts on the others came to.
    """

    rows: int
    filtered: Mapping[str, int]
    abstained: int
    then: str
    rest: Money

    @property
    def share(self) -> float:
        """Share of the events that scores leave undecided."""
        return self.abstained / self.rows if self.rows else 0.0

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Coverage:
        return cls(**{**raw, "rest": Money.from_dict(raw["rest"])})


def abstained(scores: Mapping[str, Array], stakes: Mapping[str, Stake], alert_cost: float, band: Band) -> Flags:
    """Where acting and not acting are expected to cost about the same, or a score lies in its range; (n,).

    A score that is no number decides nothing either way.
    """
    silence = risk(scores, {name: stakes[name].weight for name in scores})
    close = np.zeros(len(silence), dtype=bool)
    if band.margin is not None:
        close |= np.abs(silence - cost_of_acting(scores, stakes, alert_cost)) < band.margin
    for name, (low, high) in band.scores.items():
        close |= (scores[name] >= low) & (scores[name] <= high)
    return close
