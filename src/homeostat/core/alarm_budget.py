"""The alarm budget: from which statistic on a look pages, so that chance alone pages at most so often.

The limit is that quantile of the looks of history, in the order in which they came, that would have opened no more
incidents than the budget allows; a look more counts as if it had, as the next may be the highest (Vovk, Gammerman and
Shafer, 2005, "Algorithmic learning in a random world"). Where the looks are too few for that the tail is
drawn out by peaks over threshold (Siffer et al., 2017, "Anomaly detection in streams with extreme value theory", KDD):
a generalised Pareto distribution, fitted to the excesses by probability-weighted moments (Hosking and Wallis, 1987,
Technometrics 29). Where they are too few for that too, nothing is promised, and nobody is paged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from math import ceil
from typing import Literal

import numpy as np

from homeostat.core.incidents import ENDS
from homeostat.core.looks import FIRST, LASTS, OF, Array, Series, Sums, distances, largest, lasting, ratios

TO_BASELINE = 0.1  # share of the budget that is for pages on a loss to the baseline
PEAKS = 0.8  # share of the looks below the threshold over which a peak lies
OVERLAP = OF - 1
FEWEST = 50  # looks that a tail is drawn from: ten peaks
REACH = 10  # times as rare as the rarest look on record: so far the tail is drawn out, and no further
LAST = 400  # windows of history that count
UNUSED = FIRST + LASTS - 1 + OF  # windows that give no look of history: the first, and those beside the latest
FALSE_SHARE = 0.1  # of the columns that an incident blames


@dataclass(frozen=True)
class Budget:
    """At most ``pages`` false pages in ``length``."""

    pages: int
    length: timedelta

    def a_look(self, every: timedelta) -> float:
        """The probability that it leaves to the statistic of one look.

        >>> round(Budget(1, timedelta(days=90)).a_look(timedelta(days=9)), 6)
        0.09
        """
        return min(self.pages * (every / self.length), 1.0) * (1 - TO_BASELINE)

    def to_baseline(self, every: timedelta) -> float:
        """And to a loss to the baseline, of which the interval says itself how sure it is."""
        return min(self.pages * (every / self.length), 1.0) * TO_BASELINE


@dataclass(frozen=True)
class Limit:
    """Drawn from ``looks``; ``value`` is None where the budget cannot be promised for another ``wait`` of them."""

    value: float | None
    looks: int
    method: Literal["history", "peaks over threshold", "too few"]
    wait: int = 0


@dataclass(frozen=True)
class Blame:
    """A subject that moved: by which aspect, how many times its usual distance, and the share of others that do so."""

    subject: str
    aspect: str
    ratio: float
    p: float


@dataclass(frozen=True)
class Look:
    """What one look says; ``statistic`` is None where no series has enough behind it."""

    statistic: float | None
    limit: Limit
    blamed: tuple[Blame, ...] = ()

    @property
    def pages(self) -> bool:
        return self.statistic is not None and self.limit.value is not None and self.statistic > self.limit.value


def latest_look(windows: Sums, probability: float, importance: Mapping[str, float] | None = None) -> Look:
    """The look at the last of ``windows``, which are in order of time, by those before it.

    ``probability``: what the budget leaves to one look. ``importance``: of columns, in any unit, for the blame.
    """
    windows = windows.take(slice(-LAST, None))
    ratio = ratios(*distances(windows))
    held = lasting(ratio)
    statistics = largest(held)
    history = statistics[:-OF]  # the last looks share in what the latest shows
    limit = limit_of(history[np.isfinite(history)], probability)
    if limit.value is None:
        limit = replace(limit, wait=max(UNUSED + limit.looks + limit.wait - len(windows.top), 1))
    if not len(statistics) or not np.isfinite(statistics[-1]):
        return Look(None, limit)
    look = Look(float(statistics[-1]), limit)
    if not look.pages:
        return look
    return Look(look.statistic, limit, blame(windows.series, held, importance or {}))


def look_by_look(windows: Sums, probability: float) -> list[Look]:
    """The look at each window in order of time, by what was on record then."""
    return [latest_look(windows.take(slice(0, many)), probability) for many in range(1, len(windows.top) + 1)]


def limit_of(statistics: Array, probability: float) -> Limit:
    """The lowest limit that keeps the budget, from the statistics of past looks in order of time.

    Looks that follow each other share ``OF - 1`` of their windows: so many count for none.

    >>> limit_of(np.arange(21.0), 0.1).value
    17.0
    >>> limit_of(np.arange(5.0), 0.1).wait
    6
    """
    many, count = len(statistics), len(statistics) - OVERLAP
    needed = ceil(1 / probability - 1e-9) - 1
    if count >= needed:
        return Limit(_within_budget(statistics, probability * (count + 1)), many, "history")
    if count >= FEWEST and probability * count * REACH >= 1:
        return Limit(tail_quantile(statistics, probability), many, "peaks over threshold")
    wait = min(needed, max(FEWEST, ceil(1 / (probability * REACH)))) - count
    return Limit(None, many, "too few", wait)


def _within_budget(statistics: Array, allowed: float) -> float:
    """The lowest of the statistics over which history is charged with fewer pages than ``allowed``, by one at least."""
    lowest = float(statistics.max()) if len(statistics) else 0.0
    for value in np.unique(statistics)[::-1]:
        if _charged(statistics > value) + 1 > allowed + 1e-9:
            break
        lowest = float(value)
    return lowest


def episodes(over: Sequence[bool] | np.ndarray) -> int:
    """How many incidents looks in order open: each ends after ``ENDS`` quiet looks.

    >>> episodes([True, False, True, False, False, True])
    2
    """
    return len(openings(over))


def openings(over: Sequence[bool] | np.ndarray) -> list[int]:
    """The looks at which an incident opens."""
    opened, quiet = [], ENDS
    for number, one in enumerate(over):
        if one and quiet >= ENDS:
            opened.append(number)
        quiet = 0 if one else quiet + 1
    return opened


def _charged(over: np.ndarray) -> int:
    """Pages that looks in order are charged with: one an incident, and one more whenever it lasts longer than looks
    overlap: a limit that is passed all the time is no limit, though it opens one incident.
    """
    opened = openings(over)
    looks = np.diff([*np.searchsorted(np.flatnonzero(over), opened), np.count_nonzero(over)])
    return int(np.ceil(looks / OF).sum())


def tail_quantile(statistics: Array, probability: float) -> float:
    """The value that one look passes with that probability, below ``1 - PEAKS``.

    No tail is taken to end, and none to be heavier than one with a variance. That its scale is known from ``k`` peaks
    alone makes what is to be expected heavier: of an exponential tail a Pareto one of shape 1 / k.
    """
    threshold = float(np.quantile(statistics, PEAKS))
    excess = np.sort(statistics[statistics > threshold] - threshold)
    if not len(excess) or excess[-1] <= 0:
        return float(statistics.max())
    many = len(excess)
    mean = float(excess.mean())
    low = float((excess * (many - np.arange(1, many + 1) + 0.35)).mean() / many)
    shape = float(np.clip(2 - mean / max(mean - 2 * low, 1e-12), 0.0, 0.5))
    heavier, scale = shape + 1 / many, mean * (1 - shape)
    rare = probability * len(statistics) / many
    return max(threshold + scale * float((rare**-heavier - 1) / heavier), float(statistics.max()))


def blame(series: Sequence[Series], held: Array, importance: Mapping[str, float]) -> tuple[Blame, ...]:
    """The subjects that moved at the last look, the first to blame first.

    The p-value of a series is the share of all series and looks before that were as far off. Benjamini and Hochberg
    (1995) bound the share of wrong names, weighted by importance (Genovese, Roeder and Wasserman, 2006, Biometrika 93).
    The one furthest off is always named.
    """
    before = np.sort(held[:-OF][np.isfinite(held[:-OF])])
    now = held[-1]
    names = dict.fromkeys(one.subject for one in series)
    moved = []
    for name in names:
        places = [i for i, one in enumerate(series) if one.subject == name and np.isfinite(now[i])]
        if places:
            furthest = max(places, key=lambda i: now[i])
            above = len(before) - int(np.searchsorted(before, now[furthest], "left"))
            p = min((1 + above) / (1 + len(before)) * len(places), 1.0)
            moved.append(Blame(name, series[furthest].aspect, float(now[furthest]), p))
    weights = _weights([one.subject for one in moved], importance)
    order = sorted(moved, key=lambda one: (one.p / weights[one.subject], -one.ratio))
    passed = [n for n, one in enumerate(order, 1) if one.p / weights[one.subject] <= FALSE_SHARE * n / len(order)]
    named = order[: max(passed, default=0)]
    furthest_off = max(moved, key=lambda one: one.ratio)
    return tuple(named if furthest_off in named else [furthest_off, *named])


def _weights(subjects: Sequence[str], importance: Mapping[str, float]) -> dict[str, float]:
    """Half from the importance, half alike, with a mean of 1; what has no importance on record is as the mean."""
    given = [importance[s] for s in subjects if s in importance]
    mean = sum(given) / len(given) if given else 0.0
    return {s: 0.5 + 0.5 * importance[s] / mean if s in importance and mean > 0 else 1.0 for s in subjects}
