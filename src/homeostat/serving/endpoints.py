"""The paths of the service: predictions, ranking, labels, and the state of the worker.

Nothing here promotes, rolls back or trains: the ledger says which release answers.
"""

from __future__ import annotations

import errno
import gc
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool

from homeostat.core.event_decision import EventDecision, out_of_capacity
from homeostat.serving import description, metrics, sync
from homeostat.serving.answer import Answer
from homeostat.serving.answering import answer_all, require_finite
from homeostat.serving.batching import Batcher
from homeostat.serving.requests import Refused, refusal
from homeostat.serving.shadow import Shadow
from homeostat.serving.state import State
from homeostat.serving.worker import Worker

if TYPE_CHECKING:
    from homeostat.core.ledger import ReleaseEvent

FULL = (errno.ENOSPC, errno.EDQUOT)
SWITCH = 0.0005  # seconds that a request waits at most for another thread at work
Columns = tuple[Any, ...]
log = logging.getLogger("homeostat.serving")


class Endpoints:
    """Answers the requests of one worker; each raises ``Refused`` where it cannot."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.batcher = Batcher(worker.now, _observe_batch)
        self.shadow = Shadow(worker)

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        self.worker.start()
        sys.setswitchinterval(SWITCH)
        gc.freeze()  # objects loaded by now stay: looking through them for garbage would make requests wait
        yield
        self.shadow.close()
        self.batcher.close()
        self.worker.stop()

    async def predict(self, body: bytes, precomputed: bool) -> dict[str, Any]:
        """The predictions of the events in the body, in their order; ``precomputed`` answers may be used."""
        state, answers, ids = await self._answers(body, precomputed)
        return _predictions(state, answers, ids)

    async def rank(self, body: bytes, precomputed: bool) -> dict[str, Any]:
        """The same, the riskiest first; an alert for as many of a period as the costs' capacity allows."""
        state, answers, ids = await self._answers(body, precomputed)
        order = sorted(range(len(answers)), key=lambda n: -answers[n].risk)
        capacity = state.live.bundle.scope.costs.capacity
        alerts: dict[str, int] = {}
        for n in order:
            period = state.context.period(answers[n].event_time).label
            alerts[period] = alerts.get(period, 0) + answers[n].alert
            if answers[n].alert and alerts[period] > capacity:
                why = out_of_capacity(answers[n].reason, capacity)
                answers[n] = replace(answers[n], decision=EventDecision.LEAVE, reason=why)
        return _predictions(state, [answers[n] for n in order], [ids[n] for n in order])

    async def labels(self, body: bytes) -> dict[str, Any]:
        """Keep labels that are sent back; each is on the disk before this is answered."""
        state = self._state()
        labels = state.shapes.received(body)
        try:
            results = await run_in_threadpool(self.worker.labels.keep, state.context.scope, labels, self.worker.now())
        except OSError as error:
            raise _unwritable("the received labels", error) from error
        for result in results:
            metrics.LABELS.labels(result["status"]).inc()
        return {"labels": results}

    def release(self) -> dict[str, Any]:
        """The release in service in this worker, and one that should be and is not."""
        worker, state = self.worker, self.worker.state
        body: dict[str, Any] = {"now": worker.now(), "worker": os.getpid(), "serves": None, "failed": None}
        if state is not None:
            body["serves"] = _in_service(state.live.event)
            body["data"] = {"as_of": state.context.now, "stale": worker.stale or None}
            body["precomputed"] = len(state.precomputed.answers)
            tried = state.challenger.live.event if state.challenger else None
            body["tried"] = _in_service(tried) | {"share": tried.share} if tried else None
        for failure in (worker.unloaded, worker.failure):
            if failure is not None:
                body["failed"] = {"release": failure.event.version, "event": failure.event.number, "why": failure.why}
        if worker.project.scope.remote is not None:
            body["remote"] = {"failed": sync.failure(worker.project) or None}
        return body

    def live(self) -> dict[str, Any]:
        """Whether the process answers."""
        return {"live": True}

    def ready(self) -> dict[str, Any]:
        """Whether a release is loaded and rehearsed, with the data it needs, and its answers can be kept."""
        self._state()
        try:
            self.worker.predictions.require_writable()
        except OSError as error:
            raise _unwritable("the prediction log", error) from error
        return {"ready": True}

    def metrics(self) -> bytes:
        """Metrics for Prometheus."""
        self.worker.report()
        return metrics.text()

    def openapi(self) -> dict[str, Any]:
        """The description of the service."""
        return description.openapi(self._state())

    def _state(self) -> State:
        state = self.worker.state
        if state is None:
            failure = self.worker.failure
            problem = f"{failure.event.version} is not in service: {failure.why}" if failure else "no release yet"
            raise refusal("service", problem, "release a version, or fix it, and send it again", 503)
        return state

    async def _answers(self, body: bytes, precomputed: bool) -> tuple[State, list[Answer], list[str]]:
        """Answers to the events of the body by one state, and their ids; they are logged before they are given."""
        state = self._state()  # taken once: a switch in between changes nothing for this request
        events = state.shapes.events(body)
        keyed = _keyed(state, events)
        began = time.perf_counter()
        with metrics.IN_PROGRESS.track_inprogress():
            by, answers, failure = await self._by_one_release(state, keyed, precomputed)
        ids = self._log(by, answers, events, time.perf_counter() - began)
        challenger = state.challenger
        if failure is not None and challenger is not None:
            with suppress(OSError):  # the answer itself is logged
                self.worker.predictions.note_failure(challenger.live.event, ids[0], failure, self.worker.now())
        elif challenger is not None and by is state:
            self.shadow.score(challenger, keyed, ids, precomputed)
        return by, answers, ids

    async def _by_one_release(
        self, state: State, keyed: Mapping[Columns, Columns], precomputed: bool
    ) -> tuple[State, list[Answer], str | None]:
        """The state that answered, its answers, and why the challenger could not give them where it was its turn."""
        chosen, failure = state.answering(list(keyed)), None
        if chosen is not state:
            try:
                answers = await answer_all(chosen, keyed, self.worker.now(), precomputed, self.batcher)
                return chosen, require_finite(answers), None
            except Exception as error:  # whatever it is, the champion answers the request
                failure = str(error) or type(error).__name__
        answers = await answer_all(state, keyed, self.worker.now(), precomputed, self.batcher)
        if failure is not None:  # the champion could answer, so the request is not the cause
            log.error("%s could not answer, %s did: %s", chosen.live.event.version, state.live.event.version, failure)
            metrics.CHALLENGER_FAILURES.labels(chosen.live.event.version).inc()
        return state, answers, failure

    def _log(self, state: State, answers: list[Answer], events: list[Columns], seconds: float) -> list[str]:
        """Write the answers to the prediction log and count them; their ids."""
        version = state.live.event.version
        try:
            ids = self.worker.predictions.keep(state.live.event, answers, events, self.worker.now(), seconds)
        except OSError as error:
            raise _unwritable("the prediction log", error) from error
        metrics.ANSWER_SECONDS.labels(version).observe(seconds)
        for answer in answers:
            metrics.PREDICTIONS.labels(version, answer.how).inc()
        return ids


def _unwritable(what: str, error: OSError) -> Refused:
    why = f"{what} cannot be written: {error.strerror}"
    fix = "free space on the disk" if error.errno in FULL else "let the service write to data/served"
    return refusal("service", why, f"{fix} and send it again", 503)


def _keyed(state: State, events: Sequence[Columns]) -> dict[Columns, Columns]:
    """The events by key.

    Raises:
        Refused: two have the same.
    """
    by_key: dict[Columns, Columns] = {}
    for number, event in enumerate(events):
        key = tuple(event[n] for n in state.shapes.key_at)
        if key in by_key:
            raise refusal(f"events.{number}", f"events.{number}: has the key of an event before it", "send it once")
        by_key[key] = event
    return by_key


def _predictions(state: State, answers: Sequence[Answer], ids: Sequence[str]) -> dict[str, Any]:
    event, scope = state.live.event, state.live.bundle.scope
    return {
        "release": event.version,
        "bundle": event.bundle,
        "event": event.number,
        "worker": os.getpid(),
        "predictions": [
            {
                "id": name,
                "key": dict(zip(scope.key, answer.key, strict=True)),
                "event_time": answer.event_time,
                "predict_at": answer.predict_at,
                "as_of": answer.as_of,
                "scores": dict(zip(scope.objectives, answer.scores, strict=True)),
                "risk": answer.risk,
                "alert": answer.alert,
                "decision": answer.decision,
                "reason": answer.reason,
                "how": answer.how,
            }
            for name, answer in zip(ids, answers, strict=True)
        ],
    }


def _in_service(event: ReleaseEvent) -> dict[str, Any]:
    return {
        "release": event.version, "bundle": event.bundle, "event": event.number, "action": event.action,
        "since": event.at, "who": event.who, "why": event.why,
    }  # fmt: skip


def _observe_batch(events: int, seconds: float) -> None:
    metrics.COMPUTE_EVENTS.observe(events)
    metrics.COMPUTE_SECONDS.observe(seconds)
