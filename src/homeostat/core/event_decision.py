"""What is done about one event, and why: the decision that an answer of the service carries.

An event is acted on where not acting is expected to cost more than acting; both are in the unit of costs.
"""

from __future__ import annotations

from enum import StrEnum


class EventDecision(StrEnum):
    """What is done about an event."""

    ACT = "act"
    LEAVE = "do not act"
    FILTERED = "filtered"  # events.filters: it may not be acted on
    DROP = "drop"  # costs.abstain: the scores do not decide, and this is done about it
    ASK = "ask for more"
    PERSON = "person"


UNDECIDED = (EventDecision.DROP, EventDecision.ASK, EventDecision.PERSON)


def reason(decision: EventDecision, risk: float, acting: float, ranked: bool, filtered: str | None = None) -> str:
    """Why, in words; ``risk`` and ``acting`` are the expected costs of not acting and of acting.

    ``ranked``: a score of the release only orders, so that there are no expected costs; ``filtered``: the filter that
    holds for the event.

    >>> reason(EventDecision.ACT, 2.5, 0.5, False)
    'not acting is expected to cost 2.5, acting 0.5'
    >>> reason(EventDecision.FILTERED, 2.5, 0.5, False, "charter")
    'events.filters.charter holds: it is neither ranked nor acted on'
    """
    if filtered is not None:
        return f"events.filters.{filtered} holds: it is neither ranked nor acted on"
    if ranked:
        return "its scores order events: /rank says which of a period can be acted on"
    costs = f"not acting is expected to cost {risk:.4g}, acting {acting:.4g}"
    return f"{costs}: within costs.abstain, so the scores do not decide" if decision in UNDECIDED else costs


def out_of_capacity(why: str, capacity: int) -> str:
    """Why an event that was to be acted on is not: riskier ones of its period take the whole capacity."""
    return f"{why}; the {capacity} riskiest of its period take the capacity"
