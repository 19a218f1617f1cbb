"""The events of one request answered by one release: from precomputed answers, and where there is none by computing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from homeostat.core.errors import DataError

if TYPE_CHECKING:
    from homeostat.serving.answer import Answer
    from homeostat.serving.batching import Batcher
    from homeostat.serving.state import State

Key = tuple[Any, ...]


async def answer_all(
    state: State, keyed: Mapping[Key, tuple[Any, ...]], now: datetime, ready: bool, batcher: Batcher
) -> list[Answer]:
    """Answers by one release in the order of the events: precomputed ones if ``ready``, the others computed."""
    by_key = precomputed_answers(state, keyed, now) if ready else {}
    missing = {key: event for key, event in keyed.items() if key not in by_key}
    if missing:
        computed = await batcher.compute(state, list(missing.values()))
        by_key |= dict(zip(missing, computed, strict=True))
    return [by_key[key] for key in keyed]


def precomputed_answers(state: State, keyed: Mapping[Key, tuple[Any, ...]], now: datetime) -> dict[Key, Answer]:
    """The precomputed answers, for those of the events that have one."""
    by_key: dict[Key, Answer] = {}
    for key, event in keyed.items():
        visible = tuple(event[n] for n in state.shapes.visible_at)
        answer = state.precomputed.find(key, visible, now)
        if answer is not None:
            by_key[key] = answer
    return by_key


def require_finite(answers: list[Answer]) -> list[Answer]:
    """The answers, checked to be numbers.

    Raises:
        DataError: one is not.
    """
    for answer in answers:
        if not all(math.isfinite(score) for score in (*answer.scores, answer.risk)):
            raise DataError(f"the scores of {answer.key} are {answer.scores}, not numbers")
    return answers
