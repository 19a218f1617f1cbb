"""The answer for one event, and those that are there before anybody asks.

A precomputed answer is used for a request where the source says the same of the event as the request does, and where it
was made recently enough; nothing else of the request matters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from homeostat.core.event_decision import EventDecision

Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """The prediction of one event; ``how`` it was made: prediction, features, ahead or computed."""

    key: Key
    event_time: datetime
    predict_at: datetime
    as_of: datetime
    scores: tuple[float, ...]  # in the order of the release's objectives
    risk: float
    acting: float  # expected cost of acting; of not acting it is the risk
    decision: EventDecision
    reason: str
    how: str
    context: str  # id of the tables, or label of the batch, that it was made from

    @property
    def alert(self) -> bool:
        """Whether it is to be acted on."""
        return self.decision == EventDecision.ACT


@dataclass(frozen=True)
class Precomputed:
    """Answers by key, and for each event the columns that make it visible as the source gives them."""

    answers: Mapping[Key, Answer]
    visible: Mapping[Key, tuple[Any, ...]]
    fresh: timedelta  # maximum age of an answer

    def find(self, key: Key, visible: tuple[Any, ...], now: datetime) -> Answer | None:
        """The answer for an event with just these visible columns, if there is one that is fresh at ``now``."""
        answer = self.answers.get(key)
        if answer is None or self.visible[key] != visible:
            return None
        needed = min(answer.predict_at, now)
        return answer if answer.as_of <= needed and needed - answer.as_of <= self.fresh else None
