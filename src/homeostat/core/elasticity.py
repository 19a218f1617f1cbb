"""When a service takes one more worker, and when it lets one go.

A worker runs one query at a time, and the requests that arrive meanwhile share the next. So the requests in progress
say how far the workers are behind: with three for each of them a request waits for a whole query before its own, and
with less than one nobody waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

CROWDED = 3.0  # requests in progress for each worker, mean, from which another helps
SLOW = 0.25  # seconds: a 99th percentile above this is too much, where each worker has a request at all
SLOW_SHARE = 0.01  # of the answers, which is what a 99th percentile means
IDLE = 1.0  # requests in progress for each worker that would be left, below which one is not needed
RISE = 2.0  # seconds over which requests are crowded or slow
CALM = 15.0  # seconds over which they are few, at every moment: a start costs seconds of a processor


@dataclass(frozen=True)
class Reading:
    """The figures of all workers together at one moment; the last two are sums since the service began."""

    at: float  # seconds of any clock
    in_progress: float
    answers: float
    slow: float  # answers that took more than ``SLOW``


def advised(readings: Sequence[Reading], workers: int, least: int, most: int) -> int:
    """How many workers there should be, by what was read since there have been so many; one more or less at a time.

    >>> crowded = [Reading(0.5 * n, in_progress=8.0, answers=20.0 * n, slow=0.0) for n in range(5)]
    >>> advised(crowded, 2, 1, 4), advised(crowded, 2, 1, 2), advised(crowded[:2], 2, 1, 4)
    (3, 2, 2)
    """
    if workers < most and _short(_last(readings, RISE), workers):
        return workers + 1
    if workers > least and _idle(_last(readings, CALM), workers - 1):
        return workers - 1
    return workers


def _last(readings: Sequence[Reading], seconds: float) -> Sequence[Reading]:
    """The readings of the last seconds; none where they do not go back so far."""
    if not readings or readings[-1].at - readings[0].at < seconds:
        return ()
    return [one for one in readings if one.at >= readings[-1].at - seconds]


def _short(readings: Sequence[Reading], workers: int) -> bool:
    if not readings:
        return False
    each = sum(one.in_progress for one in readings) / len(readings) / workers
    answers = readings[-1].answers - readings[0].answers
    slow = readings[-1].slow - readings[0].slow
    return each >= CROWDED or (each >= IDLE and slow > SLOW_SHARE * answers)


def _idle(readings: Sequence[Reading], left: int) -> bool:
    """Whether requests were few in each of the parts of ``RISE``: one that was not would bring the worker back."""
    if not readings:
        return False
    starts = [readings[0]]
    for one in readings:
        if one.at - starts[-1].at >= RISE:
            starts.append(one)
    parts = [[r for r in readings if begin.at <= r.at < end.at] for begin, end in pairwise(starts)]
    return all(sum(one.in_progress for one in part) / len(part) < IDLE * left for part in parts)
