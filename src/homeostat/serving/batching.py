"""Events that have to be computed: requests that arrive while one query runs share the next.

A single request never waits for others. An error in one request concerns it alone: where a shared query fails, each
request is tried by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl

from homeostat.core.errors import ScopeError
from homeostat.core.text import count
from homeostat.serving.answer import Answer
from homeostat.serving.precomputed import answers
from homeostat.serving.requests import YEARS, in_range, refusal
from homeostat.training import bundle as bundles

if TYPE_CHECKING:
    from homeostat.serving.state import State

MAX_WAITING = 20_000  # events; more are refused until some are done
MAX_BATCH = 5_000  # events of one query
OUT_OF_RANGE = (duckdb.OutOfRangeException, duckdb.ConversionException, duckdb.InvalidInputException)
Event = tuple[Any, ...]


@dataclass
class Job:
    """The events of one request that have to be computed; each key once."""

    state: State
    events: Sequence[Event]
    future: asyncio.Future[list[Answer]]


class Batcher:
    """One thread that computes, and the requests that wait for it.

    ``on_batch`` is called after each query with its events and its seconds.
    """

    def __init__(self, now: Callable[[], datetime], on_batch: Callable[[int, float], None]) -> None:
        self._now = now
        self._on_batch = on_batch
        self._thread = ThreadPoolExecutor(1, "compute")
        self._jobs: list[Job] = []
        self._waiting = 0
        self._task: asyncio.Task[None] | None = None

    async def compute(self, state: State, events: Sequence[Event]) -> list[Answer]:
        """The answers, in the order of the events.

        Raises:
            Refused: an event cannot be computed, or too many wait.
        """
        if self._waiting + len(events) > MAX_WAITING:
            raise refusal("body", f"{count(self._waiting, 'event', 'wait')} already", "send it again in a second", 503)
        job = Job(state, events, asyncio.get_running_loop().create_future())
        self._jobs.append(job)
        self._waiting += len(events)
        if self._task is None:
            self._task = asyncio.create_task(self._work())
        return await job.future

    def close(self) -> None:
        self._thread.shutdown()

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while self._jobs:
            jobs = self._next()
            began = loop.time()
            now = jobs[0].state.context.moment(self._now())
            results = await loop.run_in_executor(self._thread, outcomes, jobs, now)
            self._on_batch(sum(len(job.events) for job in jobs), loop.time() - began)
            for job, outcome in zip(jobs, results, strict=True):
                self._waiting -= len(job.events)
                if job.future.done():  # its client has disconnected
                    continue
                if isinstance(outcome, BaseException):
                    job.future.set_exception(outcome)
                else:
                    job.future.set_result(outcome)
        self._task = None

    def _next(self) -> list[Job]:
        """The jobs of the next query: all of one state, and no event given in two versions."""
        state = self._jobs[0].state
        by_key: dict[Event, Event] = {}
        taken: list[Job] = []
        left: list[Job] = []
        for job in self._jobs:
            keyed = dict(zip(keys(job), job.events, strict=True))
            fits = not taken or (len(by_key) + len(keyed) <= MAX_BATCH and job.state is state)
            if fits and all(by_key.get(key, event) == event for key, event in keyed.items()):
                by_key |= keyed
                taken.append(job)
            else:
                left.append(job)
        self._jobs = left
        return taken


def keys(job: Job) -> list[Event]:
    """The key of each event of a job."""
    return [tuple(event[n] for n in job.state.shapes.key_at) for event in job.events]


def outcomes(jobs: Sequence[Job], now: datetime) -> list[list[Answer] | BaseException]:
    """For each job its answers, or the error to raise in its request."""
    try:
        return list(_computed(jobs, now))
    except Exception as error:
        if len(jobs) == 1:
            return [_as_refusal(error)]
        return [outcome for job in jobs for outcome in outcomes([job], now)]


def _computed(jobs: Sequence[Job], now: datetime) -> list[list[Answer]]:
    by_key: dict[Event, Event] = {}
    for job in jobs:
        by_key |= dict(zip(keys(job), job.events, strict=True))
    answered = computed(jobs[0].state, list(by_key.values()), now)
    return [[answered[key] for key in keys(job)] for job in jobs]


def computed(state: State, events: Sequence[Event], now: datetime) -> dict[Event, Answer]:
    """The answers to events of different keys, by key, from the data of the state as of ``now``.

    Raises:
        Refused: an event has no time, or one too far from ``now``.
    """
    context, bundle = state.context, state.live.bundle
    columns = zip(*events, strict=True)
    rows = context.events_of_request(dict(zip(state.shapes.columns, map(list, columns), strict=True)))
    _check_times(state, rows, now)
    table, ids = context.features(bundle.sql, rows, now)
    scored = bundles.score(bundle, table, baselines=False)
    as_of = [min(time, now) for time in table["predict_at"]]
    return {a.key: a for a in answers(bundle, scored, as_of, "computed", ids.to_list())}


def _check_times(state: State, rows: pl.DataFrame, now: datetime) -> None:
    """Check that each event has its times, within the look-back of ``now``: further away no data bear on it.

    Raises:
        Refused: one has not.
    """
    scope = state.context.scope
    reach = scope.features.history
    near = pl.col("event_time").is_between(now - reach, now + reach) & in_range("predict_at")
    off = rows.filter(~near.fill_null(False)).head(1)
    if off.is_empty():
        return
    event = "the event of " + ", ".join(f"{n} {v}" for n, v in off.select(scope.key).row(0, named=True).items())
    if off["event_time"].null_count():
        raise refusal("events", f"{event} has no time: {scope.event_source.time}", "send the columns that give it")
    if off["predict_at"].null_count():
        no_predict_at = f"{event} has no predict_at: {scope.events.predict_at}"
        raise refusal("events", no_predict_at, "send the columns that give it")
    if off.filter(in_range("event_time"), in_range("predict_at")).is_empty():
        raise refusal("events", f"{event} lies outside {YEARS}", "correct the columns that give its time")
    far = f"{event} is at {off['event_time'][0]}, more than {reach} from now, {now}"
    raise refusal("events", far, "send events within that time")


def _as_refusal(error: Exception) -> BaseException:
    """The error of a request that failed by itself, with a fix where its values are the cause."""
    if isinstance(error, ScopeError) and isinstance(error.__cause__, OUT_OF_RANGE):
        return refusal("events", f"the values of an event cannot be computed with: {error}", "correct its values")
    return error
