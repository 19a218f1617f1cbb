"""Fairness between groups of events: who is chosen for an alert, and who is so rightly and wrongly.

Demographic parity: the rate of alerts is alike (Dwork et al., 2012, ITCS). Equalized odds: so are the true and the
false positive rate (Hardt et al., 2016, NeurIPS). Differences are between the highest and the lowest group, as
fairlearn's ``demographic_parity_difference`` and ``equalized_odds_difference`` have them; fairlearn itself would have
each evaluation import pandas and scikit-learn for three ratios, and has no interval by blocks of time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeostat.core.costs import Flags
from homeostat.core.evaluation import parts_of
from homeostat.core.intervals import Measure, Resamples, Settings, block_sums, resampled_sums, summary

PARITY = ("alerted",)
ODDS = ("caught", "disturbed")


@dataclass(frozen=True)
class Group:
    """Labelled events of one group: the share with an alert, of those that happened, and of those that did not."""

    rows: int
    alerted: Measure
    caught: Measure
    disturbed: Measure

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Group:
        rates = {name: Measure.from_dict(raw[name]) for name in (*PARITY, *ODDS)}
        return cls(raw["rows"], **rates)


@dataclass(frozen=True)
class Gap:
    """The largest difference of a rate between two groups; ``apart`` if their intervals do not touch."""

    value: float
    rate: str
    high: str
    low: str
    apart: bool


def groups_of(
    alert: Flags, happened: Flags, values: NDArray[Any], block: NDArray[Any], settings: Settings
) -> dict[str, Group]:
    """By value the rates of its events, (n,) each; of groups with ``settings.min_slice`` events."""
    return {
        value: _group(alert[part], happened[part], block[part], settings)
        for value, part in parts_of(values)
        if len(part) >= settings.min_slice
    }


def gap(groups: Mapping[str, Group], rates: tuple[str, ...]) -> Gap | None:
    """The largest difference in any of the ``rates``; None where fewer than two groups have one."""
    gaps = [one for rate in rates if (one := _gap(groups, rate)) is not None]
    return max(gaps, key=lambda one: one.value, default=None)


def _gap(groups: Mapping[str, Group], rate: str) -> Gap | None:
    measured: dict[str, Measure] = {value: getattr(group, rate) for value, group in groups.items()}
    known = {value: one.value for value, one in measured.items() if one.value is not None}
    if len(known) < 2:
        return None
    high, low = max(known, key=known.__getitem__), min(known, key=known.__getitem__)
    ends = (measured[high].low, measured[low].high)
    apart = ends[0] is not None and ends[1] is not None and ends[0] > ends[1]
    return Gap(known[high] - known[low], rate, high, low, apart)


def _group(alert: Flags, happened: Flags, block: NDArray[Any], settings: Settings) -> Group:
    drawn = Resamples.draw(block, settings)
    every = np.ones(len(alert), dtype=bool)

    def rate(among: Flags) -> Measure:
        sums = block_sums(np.stack([alert & among, among]).astype(np.float64), drawn)
        (hits, all_of), (drawn_hits, drawn_all) = sums.sum(axis=1), resampled_sums(sums, drawn)
        with np.errstate(invalid="ignore", divide="ignore"):
            return summary(np.divide(hits, all_of), drawn_hits / drawn_all, drawn, settings)

    return Group(len(alert), rate(every), rate(happened), rate(~happened))
