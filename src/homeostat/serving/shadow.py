"""A challenger in shadow: it scores the events of requests after they were answered, on a thread of its own.

Its scores go to the prediction log alone. Where requests come faster than both releases can score, it skips some.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from homeostat.serving import metrics
from homeostat.serving.answering import answer_all, require_finite
from homeostat.serving.batching import Batcher
from homeostat.serving.requests import Refused

if TYPE_CHECKING:
    from homeostat.serving.state import State
    from homeostat.serving.worker import Worker

MAX_WAITING = 200  # requests; more are skipped until some are scored
Key = tuple[Any, ...]
log = logging.getLogger("homeostat.serving")


class Shadow:
    """The requests that the challenger still has to score."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._batcher = Batcher(worker.now, lambda *_: None)
        self._tasks: set[asyncio.Task[None]] = set()

    def score(self, challenger: State, keyed: Mapping[Key, tuple[Any, ...]], ids: Sequence[str], ready: bool) -> None:
        """Have a challenger in shadow score, some time soon, events by key that were answered as ``ids``.

        ``ready``: precomputed answers may be used. A canary scores nothing here.
        """
        event = challenger.live.event
        if event.action != "shadow":
            return
        new = self._worker.predictions.without_line(event, ids)
        todo = {key: (name, given) for (key, given), name in zip(keyed.items(), ids, strict=True) if name in new}
        if len(self._tasks) >= MAX_WAITING:
            metrics.SHADOW_EVENTS.labels(event.version, "skipped").inc(len(todo))
        elif todo:
            task = asyncio.create_task(self._score(challenger, todo, ready))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._batcher.close()

    async def _score(self, challenger: State, todo: Mapping[Key, tuple[str, tuple[Any, ...]]], ready: bool) -> None:
        event, now = challenger.live.event, self._worker.now()
        keyed = {key: given for key, (_, given) in todo.items()}
        names = [name for name, _ in todo.values()]
        try:
            began = time.perf_counter()
            answers = require_finite(await answer_all(challenger, keyed, now, ready, self._batcher))
            seconds = time.perf_counter() - began
            scores = {name: answer.scores for name, answer in zip(names, answers, strict=True)}
            self._worker.predictions.keep_shadow(event, scores, now, seconds)
            metrics.SHADOW_EVENTS.labels(event.version, "scored").inc(len(scores))
        except Exception as error:
            overloaded = isinstance(error, Refused) and error.status == 503
            metrics.SHADOW_EVENTS.labels(event.version, "skipped" if overloaded else "failed").inc(len(names))
            if not overloaded:
                self._note(challenger, names[0], error)

    def _note(self, challenger: State, name: str, error: Exception) -> None:
        event = challenger.live.event
        log.error("%s could not score in shadow: %s", event.version, error)
        try:
            self._worker.predictions.note_failure(event, name, str(error) or type(error).__name__, self._worker.now())
        except OSError as full:
            log.error("nor could that be written to the prediction log: %s", full)
