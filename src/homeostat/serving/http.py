"""The HTTP service. What serves is the ledger's word: nothing here promotes, rolls back or trains."""

from __future__ import annotations

import gc
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from homeostat.core.errors import HomeostatError
from homeostat.project.layout import Project
from homeostat.serving import description, sync
from homeostat.serving import metrics as measures
from homeostat.serving.auth import LARGEST, Guard
from homeostat.serving.batching import Together
from homeostat.serving.precomputed import Answer
from homeostat.serving.requests import Refused, refusal
from homeostat.serving.settings import FRESH, PROJECT
from homeostat.serving.shadow import Unseen, at_hand, finite
from homeostat.serving.worker import State, Worker

if TYPE_CHECKING:
    from homeostat.core.ledger import ReleaseEvent

SWITCH = 0.0005  # seconds that a request waits for another thread at its work, at most
OPEN = ("/live", "/ready")  # answered without the token
log = logging.getLogger("homeostat.serving")


def make() -> Guard:
    """The application of one worker, for the project that the environment names."""
    fresh = os.environ.get(FRESH)
    return application(
        Project.find(Path(os.environ[PROJECT])), None if fresh is None else timedelta(seconds=float(fresh))
    )


def application(project: Project, fresh: timedelta | None = None) -> Guard:
    """The service of a project; ``fresh`` is how old a precomputed answer may be, a tick if not given."""
    from homeostat.serving.token import read_or_make

    desk = Desk(Worker(project, fresh))
    routes = [
        Route("/predict", _answered(desk.predict), methods=["POST"]),
        Route("/rank", _answered(desk.rank), methods=["POST"]),
        Route("/labels", _answered(desk.labels), methods=["POST"]),
        Route("/release", _answered(desk.release), methods=["GET"]),
        Route("/metrics", desk.metrics, methods=["GET"]),
        Route("/live", _answered(desk.live), methods=["GET"]),
        Route("/ready", _answered(desk.ready), methods=["GET"]),
        Route("/openapi.json", _answered(desk.openapi), methods=["GET"]),
        Route("/docs", desk.docs, methods=["GET"]),
    ]
    app = Starlette(routes=routes, lifespan=desk.lifespan, exception_handlers={HTTPException: _no_such})
    app.state.desk = desk
    return Guard(app, read_or_make(project), OPEN)


class Desk:
    """Answers the requests of one worker."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.together = Together(worker.now, _round)
        self.unseen = Unseen(worker)

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        self.worker.start()
        sys.setswitchinterval(SWITCH)
        gc.freeze()  # what is loaded by now stays: looking through it for garbage would make requests wait
        yield
        self.unseen.close()
        self.together.close()
        self.worker.stop()

    async def predict(self, request: Request) -> dict[str, Any]:
        """Predict the events of the body, in their order."""
        state, answers, ids = await self._answers(request)
        return _answer(state, answers, ids)

    async def rank(self, request: Request) -> dict[str, Any]:
        """Predict the events of the body, the riskiest first; an alert for as many as can be acted on."""
        state, answers, ids = await self._answers(request)
        order = sorted(range(len(answers)), key=lambda n: -answers[n].risk)
        capacity = state.live.bundle.scope.costs.capacity
        taken: dict[str, int] = {}
        for n in order:
            period = state.context.period(answers[n].event_time).label
            taken[period] = taken.get(period, 0) + answers[n].alert
            if answers[n].alert and taken[period] > capacity:
                answers[n] = _without_alert(answers[n])
        return _answer(state, [answers[n] for n in order], [ids[n] for n in order])

    async def labels(self, request: Request) -> dict[str, Any]:
        """Take labels that came back; each is on the disk before this is answered."""
        state = self._state()
        labels = state.shapes.received(await _body(request))
        found = await run_in_threadpool(self.worker.labels.keep, state.context.scope, labels, self.worker.now())
        for one in found:
            measures.LABELS.labels(one["status"]).inc()
        return {"labels": found}

    async def release(self, request: Request) -> dict[str, Any]:
        """What serves in this worker, and what should and does not."""
        worker, state = self.worker, self.worker.state
        failure = worker.failure
        found: dict[str, Any] = {"now": worker.now(), "worker": os.getpid(), "serves": None, "failed": None}
        if state is not None:
            event = state.live.event
            found["serves"] = {
                "release": event.version, "bundle": event.bundle, "event": event.number, "action": event.action,
                "since": event.at, "who": event.who, "why": event.why,
            }  # fmt: skip
            found["data"] = {"as_of": state.context.now, "stale": worker.stale or None}
            found["precomputed"] = len(state.ready.answers)
            found["tried"] = _tried(state.challenger.live.event) if state.challenger else None
        for failed in (worker.unloaded, failure):
            if failed is not None:
                found["failed"] = {"release": failed.event.version, "event": failed.event.number, "why": failed.why}
        if worker.project.scope.remote is not None:
            found["remote"] = {"failed": sync.failure(worker.project) or None}
        return found

    async def live(self, request: Request) -> dict[str, Any]:
        """That the process answers."""
        return {"live": True}

    async def ready(self, request: Request) -> dict[str, Any]:
        """That a release is loaded and rehearsed, with the data it needs."""
        self._state()
        return {"ready": True}

    async def metrics(self, request: Request) -> Response:
        """Figures for Prometheus."""
        state = self.worker.state
        measures.SERVING.set(state.live.event.number if state else 0)
        measures.CHALLENGER.set(state.challenger.live.event.number if state and state.challenger else 0)
        measures.FAILED.set(self.worker.failure is not None or self.worker.unloaded is not None)
        measures.STALE.set(bool(self.worker.stale))
        measures.UNHEARD.set(bool(sync.failure(self.worker.project)))
        return Response(measures.text(), media_type=measures.TYPE)

    async def openapi(self, request: Request) -> dict[str, Any]:
        """This description."""
        return description.openapi(self._state())

    async def docs(self, request: Request) -> Response:
        """The description, for a reader."""
        try:
            return HTMLResponse(description.page(description.openapi(self._state())))
        except Refused as refused:
            return _refused(refused)

    def _state(self) -> State:
        state = self.worker.state
        if state is None:
            failure = self.worker.failure
            said = f"{failure.event.version} does not serve: {failure.why}" if failure else "nothing is released yet"
            raise refusal("service", said, "release a version, or fix it, and ask again", 503)
        return state

    async def _answers(self, request: Request) -> tuple[State, list[Answer], list[str]]:
        """Answers to the events of the body, by one state throughout; they are kept before they are given."""
        whole = self._state()  # taken once: a switch in between changes nothing for this request
        events = whole.shapes.events(await _body(request))
        keyed = _keyed(whole, events)
        ready = request.query_params.get("how") != "computed"
        began = time.perf_counter()
        state, answers, failure = await self._by_one(whole, keyed, ready)
        seconds = time.perf_counter() - began
        ids = self._kept(state, answers, events, seconds)
        if failure is not None and whole.challenger is not None:
            with suppress(OSError):  # the answer itself is kept
                self.worker.predictions.note_failure(whole.challenger.live.event, ids[0], failure, self.worker.now())
        elif whole.challenger is not None and state is whole:
            self.unseen.score(whole.challenger, keyed, ids, ready)
        return state, answers, ids

    async def _by_one(
        self, whole: State, keyed: dict[tuple[Any, ...], tuple[Any, ...]], ready: bool
    ) -> tuple[State, list[Answer], str | None]:
        """Answers by one release throughout, and why the challenger whose turn it was could not give them."""
        chosen, failure = whole.answering(list(keyed)), None
        if chosen is not whole:
            try:
                return chosen, finite(await self._found(chosen, keyed, ready)), None
            except Exception as error:  # whatever it is, the request is answered by what serves
                failure = str(error) or type(error).__name__
        answers = await self._found(whole, keyed, ready)
        if failure is not None:  # of a request that can be answered: it is the challenger's own
            log.error("%s could not answer, %s did: %s", chosen.live.event.version, whole.live.event.version, failure)
            measures.CHALLENGER_FAILURES.labels(chosen.live.event.version).inc()
        return whole, answers, failure

    async def _found(self, state: State, keyed: dict[tuple[Any, ...], tuple[Any, ...]], ready: bool) -> list[Answer]:
        """Answers in the order of the events: those that are there already, if they are wanted, and the rest made."""
        found = at_hand(state, keyed, self.worker.now()) if ready else {}
        missing = {key: event for key, event in keyed.items() if key not in found}
        if missing:
            computed = await self.together.compute(state, list(missing.values()))
            found |= dict(zip(missing, computed, strict=True))
        return [found[key] for key in keyed]

    def _kept(self, state: State, answers: list[Answer], events: list[tuple[Any, ...]], seconds: float) -> list[str]:
        version = state.live.event.version
        try:
            ids = self.worker.predictions.keep(state.live.event, answers, events, self.worker.now(), seconds)
        except OSError as error:
            why = f"the prediction log cannot be written: {error.strerror}"
            raise refusal("service", why, "free the disk and ask again", 503) from error
        measures.ANSWER_SECONDS.labels(version).observe(seconds)
        for answer in answers:
            measures.PREDICTIONS.labels(version, answer.how).inc()
        return ids


def _keyed(state: State, events: Sequence[tuple[Any, ...]]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """The events by key.

    Raises:
        Refused: two have the same.
    """
    found: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for number, event in enumerate(events):
        key = tuple(event[n] for n in state.shapes.key_at)
        if key in found:
            raise refusal(f"events.{number}", f"events.{number}: has the key of an event before it", "ask for it once")
        found[key] = event
    return found


def _answer(state: State, answers: Sequence[Answer], ids: Sequence[str]) -> dict[str, Any]:
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
                "how": answer.how,
            }
            for name, answer in zip(ids, answers, strict=True)
        ],
    }


def _tried(event: ReleaseEvent) -> dict[str, Any]:
    return {
        "release": event.version, "bundle": event.bundle, "event": event.number, "action": event.action,
        "share": event.share, "since": event.at, "who": event.who, "why": event.why,
    }  # fmt: skip


def _without_alert(answer: Answer) -> Answer:
    return replace(answer, alert=False)


def _round(events: int, seconds: float) -> None:
    measures.ROUND_EVENTS.observe(events)
    measures.ROUND_SECONDS.observe(seconds)


async def _body(request: Request) -> bytes:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise refusal("content-type", f"is {kind or 'not said'}", "send application/json", 415)
    body = bytearray()
    async for part in request.stream():  # which may not have told its length
        body += part
        if len(body) > LARGEST:
            raise refusal("body", f"is larger than {LARGEST} bytes", "send fewer events in one request", 413)
    return bytes(body)


def _answered(handler: Callable[[Request], Awaitable[dict[str, Any]]]) -> Callable[[Request], Awaitable[Response]]:
    """The handler's answer as JSON; what it refuses, and what stands in its way, with the fix."""

    async def endpoint(request: Request) -> Response:
        began = time.perf_counter()
        try:
            response = Response(to_json(await handler(request)), media_type="application/json")
        except Refused as refused:
            response = _refused(refused)
        except ClientDisconnect:
            response = Response(status_code=499)  # nobody reads it
        except HomeostatError as error:
            log.error("%s", error)
            response = _refused(refusal("service", str(error), "fix that and ask again", 503))
        path = request.url.path
        measures.REQUESTS.labels(path, response.status_code).inc()
        measures.SECONDS.labels(path).observe(time.perf_counter() - began)
        return response

    endpoint.__doc__ = handler.__doc__
    return endpoint


def _refused(refused: Refused) -> Response:
    headers = {"retry-after": "1"} if refused.status == 503 else None
    return Response(to_json({"problems": refused.problems}), refused.status, headers, "application/json")


async def _no_such(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    fix = {404: "see /docs for what there is", 405: "see /docs for how to ask"}.get(error.status_code, "correct it")
    refused = refusal("path", f"{request.url.path}: {error.detail}", fix, error.status_code)
    response = _refused(refused)
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response
