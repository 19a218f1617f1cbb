"""Rules on drift in use elsewhere, on the same histories: how often they alarm where nothing changed but by chance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from homeostat.adapters import evidently
from homeostat.checks.alarm_history import History
from homeostat.core.alarm_budget import Budget, episodes
from homeostat.core.looks import BEFORE, FIRST
from homeostat.core.text import count, percent, span


@dataclass(frozen=True)
class OtherRule:
    """A rule in use elsewhere: so large a share of the columns drifted, in ``times`` of the last ``of`` looks."""

    name: str
    share: float
    times: int = 1
    of: int = 1

    def alarms(self, shares: Sequence[float]) -> list[bool]:
        """Look by look."""
        over = [share >= self.share and share > 0 for share in shares]
        return [sum(over[max(n + 1 - self.of, 0) : n + 1]) >= self.times for n in range(len(over))]


OTHERS = (
    OtherRule("stock Evidently, half of the columns", 0.5),
    OtherRule("stock Evidently, any column", 0.0),
    OtherRule("stock Evidently, any column in 2 of 5 evaluations", 0.0, 2, 5),
)


def beside_lines(
    features: Sequence[pl.DataFrame], history: History, chosen: Sequence[NDArray[np.intp]], budget: Budget
) -> Iterator[str]:
    """What other rules page about on the same histories, each window held to the same windows before it.

    ``features``: the rows of each day of ``history``; ``chosen``: the places of the days of each history of chance.
    """
    every = history.ends[1] - history.ends[0]
    shares = [list(drifted_shares(history, features, places)) for places in chosen]
    yield f"beside it, on {count(len(chosen), 'history')} of them:"
    for rule in OTHERS:
        alarms = [rule.alarms(one) for one in shares]
        opened, looks, over = (sum(map(of, alarms)) for of in (episodes, len, sum))
        rate = opened * (budget.length / every) / max(looks, 1)
        text = f"{count(opened, 'page')} in {count(looks, 'evaluation')}, {rate:.2f} in {span(budget.length)}"
        yield f"  {rule.name}: {text}, alarmed in {percent(over / max(looks, 1))} of them"


def drifted_shares(
    history: History, features: Sequence[pl.DataFrame], places: NDArray[np.intp]
) -> Iterator[float]:
    """At each look the share of columns that drifted by Evidently's defaults."""
    windows = [[int(places[day]) for day in np.flatnonzero(member)] for member in history.due]
    for number in range(FIRST, len(windows)):
        before = [day for window in windows[number - FIRST : number - FIRST + BEFORE] for day in window]
        if windows[number] and before:
            parts = (windows[number], before)
            sides = (pl.concat([features[day] for day in part], how="diagonal_relaxed") for part in parts)
            yield evidently.stock_drift(*sides)
