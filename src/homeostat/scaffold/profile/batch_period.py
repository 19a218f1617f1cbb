"""How long a batch is and how often decisions are made, from the density of events: no batch is tiny or huge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
PERIODS = (10 * MINUTE, HOUR, DAY, 7 * DAY, 28 * DAY, 91 * DAY, 365 * DAY)
ENOUGH, LEAST, MOST = 100, 8, 420  # rows of a usual batch; batches of the history, at least and at most
DECISIONS, RETRAINS = 60, 14  # in the history, at most
FRESH, FRESH_RETRAINS = 28 * DAY, 40  # where so few candidates would be further apart than that: as many at most
COVERED = 0.95  # share of the periods that hold an event
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

OTHER_STEPS = (1, 2, 4, 8, 24, 48, 168, 672)  # of a period that a person names


@dataclass(frozen=True)
class Rhythm:
    """``rows`` are those of a usual batch; ``batches`` is their number in the history."""

    period: timedelta
    decide: timedelta
    retrain: timedelta
    rows: int
    batches: int


def choose_rhythm(counts: Mapping[timedelta, Sequence[int]]) -> Rhythm:
    """The rhythm, from the number of events in each period of the history, by length of period.

    >>> rhythm = choose_rhythm({DAY: [24] * 700, 7 * DAY: [168] * 100})
    >>> rhythm.period.days, rhythm.decide.days, rhythm.retrain.days
    (7, 14, 28)
    """
    period = _choose_period(counts)
    batches = len(counts[period])
    steps = STEPS.get(period, OTHER_STEPS)
    decide = next((s for s in steps if batches / s <= DECISIONS), steps[-1])
    fitting = [s for s in steps if s >= decide and s % decide == 0]
    retrain = next((s for s in fitting if batches / s <= RETRAINS), decide)
    fresh = (s for s in fitting if s * period >= FRESH and batches / s <= FRESH_RETRAINS)
    retrain = min(retrain, next(fresh, retrain))
    rows = int(median(n for n in counts[period] if n)) if any(counts[period]) else 0
    return Rhythm(period, decide * period, retrain * period, rows, batches)


def _choose_period(counts: Mapping[timedelta, Sequence[int]]) -> timedelta:
    for covered in (COVERED, EMPTY_ALLOWED, 0.0):
        usable = {p: c for p, c in counts.items() if c and _covered(c) >= covered}
        period = _dense(usable) or _sparse(usable)
        if period is not None:
            return period
    return max(counts, key=lambda p: len(counts[p]))


def _covered(counts: Sequence[int]) -> float:
    """The share of periods that hold an event; a gap counts once, however long.

    >>> _covered([5, 5, 0, 0, 0, 0, 5, 5])
    0.8
    """
    filled = sum(n > 0 for n in counts)
    gaps = sum(n == 0 and before > 0 for before, n in zip(counts, counts[1:], strict=False))
    return filled / max(filled + gaps, 1)


def _dense(counts: Mapping[timedelta, Sequence[int]]) -> timedelta | None:
    """The shortest period whose batches are large enough and not too many."""
    return next(
        (p for p in sorted(counts) if LEAST <= len(counts[p]) <= MOST and median(n for n in counts[p] if n) >= ENOUGH),
        None,
    )


def _sparse(counts: Mapping[timedelta, Sequence[int]]) -> timedelta | None:
    """The longest period that leaves enough batches; of a short history the one with most of them."""
    enough = [p for p, c in counts.items() if 12 <= len(c) <= MOST]
    if enough:
        return max(enough)
    fewer = [p for p, c in counts.items() if 3 <= len(c) <= MOST]
    return min(fewer, key=lambda p: abs(len(counts[p]) - LEAST)) if fewer else None


def rounded_up(length: timedelta, unit: timedelta) -> timedelta:
    """The next whole number of units.

    >>> rounded_up(timedelta(days=10), timedelta(days=7)).days
    14
    """
    return -(-length // unit) * unit


def interval(length: timedelta) -> str:
    """A length as SQL writes it.

    >>> interval(timedelta(hours=36)), interval(timedelta(0))
    ('INTERVAL 36 HOUR', 'INTERVAL 0 SECOND')
    """
    seconds = int(length.total_seconds())
    for unit, size in (("DAY", 86400), ("HOUR", 3600), ("MINUTE", 60)):
        if seconds % size == 0 and seconds:
            return f"INTERVAL {seconds // size} {unit}"
    return f"INTERVAL {seconds} SECOND"
