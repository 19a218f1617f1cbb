"""A challenger in shadow: it scores what was answered, after the answer and on a thread of its own, and nobody is told.

Where requests come faster than both releases can score, it is the challenger that skips some.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from homeostat.core.errors import DataError
from homeostat.serving import metrics
from homeostat.serving.batching import Together
from homeostat.serving.requests import Refused

if TYPE_CHECKING:
    from homeostat.serving.precomputed import Answer
    from homeostat.serving.worker import State, Worker

WAITING = 200  # requests; more are skipped until some are scored
Key = tuple[Any, ...]
log = logging.getLogger("homeostat.serving")


class Unseen:
    """The requests that the challenger has still to score."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._together = Together(worker.now, lambda *_: None)
        self._tasks: set[asyncio.Task[None]] = set()

    def score(self, challenger: State, keyed: Mapping[Key, tuple[Any, ...]], ids: Sequence[str], ready: bool) -> None:
        """Have the challenger score events that were answered as ``ids``, some time soon; one in shadow alone does."""
        event = challenger.live.event
        if event.action != "shadow":
            return
        new = self._worker.predictions.unsaid(event, ids)
        todo = {key: (name, given) for (key, given), name in zip(keyed.items(), ids, strict=True) if name in new}
        if len(self._tasks) >= WAITING:
            metrics.UNSEEN.labels(event.version, "skipped").inc(len(todo))
        elif todo:
            task = asyncio.create_task(self._score(challenger, todo, ready))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._together.close()

    async def _score(self, challenger: State, todo: Mapping[Key, tuple[str, tuple[Any, ...]]], ready: bool) -> None:
        event, log_of, now = challenger.live.event, self._worker.predictions, self._worker.now()
        keyed = {key: given for key, (_, given) in todo.items()}
        names = [name for name, _ in todo.values()]
        try:
            began = time.perf_counter()
            found = at_hand(challenger, keyed, now) if ready else {}
            missing = {key: given for key, given in keyed.items() if key not in found}
            if missing:
                computed = await self._together.compute(challenger, list(missing.values()))
                found |= dict(zip(missing, computed, strict=True))
            answers = finite([found[key] for key in keyed])
            seconds = time.perf_counter() - began
            said = {name: answer.scores for name, answer in zip(names, answers, strict=True)}
            log_of.keep_unseen(event, said, now, seconds)
            metrics.UNSEEN.labels(event.version, "scored").inc(len(said))
        except Exception as error:
            busy = isinstance(error, Refused) and error.status == 503
            metrics.UNSEEN.labels(event.version, "skipped" if busy else "failed").inc(len(names))
            if not busy:
                self._note(challenger, names[0], error)

    def _note(self, challenger: State, name: str, error: Exception) -> None:
        event = challenger.live.event
        log.error("%s could not score unseen: %s", event.version, error)
        try:
            self._worker.predictions.note_failure(event, name, str(error) or type(error).__name__, self._worker.now())
        except OSError as full:
            log.error("nor could that be written down: %s", full)


def at_hand(state: State, keyed: Mapping[Key, tuple[Any, ...]], now: datetime) -> dict[Key, Answer]:
    """The answers that are there before anybody asks, for those of the events that have one."""
    found: dict[Key, Answer] = {}
    for key, event in keyed.items():
        answer = state.ready.find(key, tuple(event[n] for n in state.shapes.visible_at), now)
        if answer is not None:
            found[key] = answer
    return found


def finite(answers: list[Answer]) -> list[Answer]:
    """The answers, each of which is a number.

    Raises:
        DataError: one is not.
    """
    for answer in answers:
        if not all(math.isfinite(score) for score in (*answer.scores, answer.risk)):
            raise DataError(f"the scores of {answer.key} are {answer.scores}, not numbers")
    return answers
