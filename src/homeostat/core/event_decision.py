"""What is done about one event, and why: the decision that an answer of the service carries.

An event is acted on where not acting is expected to cost more than acting; both are in the unit of costs.
"""

from __future__ import annotations

from enum import StrEnum


class EventDecision(StrEnum):
    """What is done about an event."""

    ACT = "act"
    LEAVE = "do not act"


def decided(alert: bool) -> EventDecision:
    """The decision on an event that is worth an alert, or is not."""
    return EventDecision.ACT if alert else EventDecision.LEAVE


def reason(decision: EventDecision, risk: float, acting: float, ranked: bool) -> str:
    """Why, in words; ``risk`` and ``acting`` are the expected costs of not acting and of acting.

    ``ranked``: a score of the release only orders, so that there are no expected costs.

    >>> reason(EventDecision.ACT, 2.5, 0.5, False)
    'not acting is expected to cost 2.5, acting 0.5'
    """
    if ranked:
        return "its scores order events: /rank says which of a period can be acted on"
    return f"not acting is expected to cost {risk:.4g}, acting {acting:.4g}"


def out_of_capacity(why: str, capacity: int) -> str:
    """Why an event that was to be acted on is not: riskier ones of its period take the whole capacity."""
    return f"{why}; the {capacity} riskiest of its period take the capacity"
