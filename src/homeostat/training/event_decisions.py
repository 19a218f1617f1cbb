"""The scope's decisions on events: which may be acted on, and what each comes to, capacity aside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from homeostat.core.abstention import abstained
from homeostat.core.costs import worth
from homeostat.core.event_decision import EventDecision
from homeostat.features.filters import FILTERED

if TYPE_CHECKING:
    import polars as pl

    from homeostat.project.scope import Scope

DECIDED = "decided__as"  # the decision of a prediction row, where the scope has filters or abstains
Scores = Mapping[str, np.ndarray]


def filtered(table: pl.DataFrame) -> np.ndarray:
    """The events that a filter holds for, (n,)."""
    if FILTERED not in table.columns:
        return np.zeros(len(table), dtype=bool)
    return np.asarray(table[FILTERED].is_not_null().to_numpy())


def undecided(scope: Scope, scores: Scores) -> np.ndarray:
    """The events that the scores leave to somebody else, (n,)."""
    band = scope.costs.abstain
    if band is None:
        return np.zeros(len(next(iter(scores.values()))), dtype=bool)
    return abstained(scores, scope.objectives, scope.costs.alert, band)


def open_events(scope: Scope, table: pl.DataFrame, scores: Scores) -> np.ndarray:
    """The events that may be acted on, (n,)."""
    return ~filtered(table) & ~undecided(scope, scores)


def decide(scope: Scope, table: pl.DataFrame, scores: Scores, alert: np.ndarray | None = None) -> list[EventDecision]:
    """The decision on each event; ``alert`` (n,) are those to act on, of which all that are worth it if not given."""
    act = worth(scores, scope.objectives, scope.costs.alert) if alert is None else alert
    made = [EventDecision.ACT if one else EventDecision.LEAVE for one in act]
    for place in np.flatnonzero(undecided(scope, scores)):
        assert scope.costs.abstain is not None, "a scope without it leaves nothing undecided"
        made[place] = EventDecision(scope.costs.abstain.then)
    for place in np.flatnonzero(filtered(table)):
        made[place] = EventDecision.FILTERED
    return made
