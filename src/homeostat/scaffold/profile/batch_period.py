"""How often batches come and decisions are made, from how dense the events lie: a batch is never tiny or huge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
PERIODS = (10 * MINUTE, HOUR, DAY, 7 * DAY, 28 * DAY, 91 * DAY, 365 * DAY)
ENOUGH, FULL, MANY = 100, 8, 420  # rows of a usual batch; batches of the history, at least and at most
DECISIONS, RETRAINS = 60, 14  # in the history, at most
COVERED = 0.95  # share of the periods that hold any event
EMPTY_ALLOWED = 0.6
STEPS = {
    10 * MINUTE: (1, 6, 36, 144, 1008),
    HOUR: (1, 6, 24, 168, 672),
    DAY: (1, 7, 28, 56, 91),
    7 * DAY: (1, 2, 4, 8, 12, 26),
    28 * DAY: (1, 2, 3, 6, 13),
    91 * DAY: (1, 2, 4),
    365 * DAY: (1,),
}


@dataclass(frozen=True)
class Rhythm:
    """``rows`` are of a usual batch; ``batches`` is how many the history has."""

    period: timedelta
    decide: timedelta
    retrain: timedelta
    rows: int
    batches: int


def choose(counts: Mapping[timedelta, Sequence[int]]) -> Rhythm:
    """The rhythm, from the number of events in each period of the history, by length of period.

    >>> choose({DAY: [24] * 700, 7 * DAY: [168] * 100}).period.days
    7
    """
    for covered in (COVERED, EMPTY_ALLOWED, 0.0):
        usable = {p: c for p, c in counts.items() if c and _covered(c) >= covered}
        found = _dense(usable) or (_sparse(usable) if usable else None)
        if found is not None:
            break
    else:
        found = max(counts, key=lambda p: len(counts[p]))
    many = len(counts[found])
    decide = _multiple(found, many, DECISIONS)
    retrain = next((s for s in STEPS[found] if s >= decide and s % decide == 0 and many / s <= RETRAINS), decide)
    rows = int(median(n for n in counts[found] if n)) if any(counts[found]) else 0
    return Rhythm(found, decide * found, retrain * found, rows, many)


def _covered(counts: Sequence[int]) -> float:
    """The share of periods that hold an event; a gap counts once, however long.

    >>> _covered([5, 5, 0, 0, 0, 0, 5, 5])
    0.8
    """
    held = sum(n > 0 for n in counts)
    gaps = sum(n == 0 and before > 0 for before, n in zip(counts, counts[1:], strict=False))
    return held / max(held + gaps, 1)


def _dense(counts: Mapping[timedelta, Sequence[int]]) -> timedelta | None:
    """The shortest period whose batches are large enough and not too many."""
    return next(
        (p for p in sorted(counts) if FULL <= len(counts[p]) <= MANY and median(n for n in counts[p] if n) >= ENOUGH),
        None,
    )


def _sparse(counts: Mapping[timedelta, Sequence[int]]) -> timedelta | None:
    """The longest period that leaves enough batches; of a short history the one with most of them."""
    enough = [p for p, c in counts.items() if 12 <= len(c) <= MANY]
    if enough:
        return max(enough)
    fewer = [p for p, c in counts.items() if 3 <= len(c) <= MANY]
    return min(fewer, key=lambda p: abs(len(counts[p]) - FULL)) if fewer else None


def _multiple(period: timedelta, batches: int, most: int) -> int:
    return next((s for s in STEPS[period] if batches / s <= most), STEPS[period][-1])


def rounded_up(length: timedelta, unit: timedelta) -> timedelta:
    """The next whole number of units.

    >>> rounded_up(timedelta(days=10), timedelta(days=7)).days
    14
    """
    return -(-length // unit) * unit
