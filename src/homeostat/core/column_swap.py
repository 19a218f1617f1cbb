"""Whether two columns of numbers that lie alike have changed places, by how they differ from one another.

The difference of two columns, of their levels and of their rank correlations with each other column, changes its sign
where they change places. Its likeness to the usual difference, each part weighed by how steady it was (the logarithm of
the likelihood ratio of normal parts), is 1 as usual, -1 where they changed places, 0 where nothing tells them apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from homeostat.core.repairs import CLOSE, Array, Band

if TYPE_CHECKING:
    from homeostat.core.profiles import Profile

LEVELS = ("low", "middle", "high")
MOST = 0.95  # a rank correlation beyond which it counts as this


@dataclass(frozen=True)
class Likeness:
    """Of the difference of two columns, ``now`` and in each batch ``before`` (K,); ``noise``: its standard error."""

    one: str
    other: str
    now: float
    before: Array
    noise: float


def likenesses(profile: Profile, history: Sequence[Profile], columns: Sequence[str]) -> Iterator[Likeness]:
    """One of each pair of ``columns`` whose usual values each lie within the range of the other."""
    batches = [profile, *history]
    columns = [c for c in columns if all(c in p.quantiles for p in batches)]
    if len(columns) < 2 or any(p.ranked != profile.ranked for p in history):
        return
    levels = {c: np.array([[p.stats.get((c, name), np.nan) for name in LEVELS] for p in batches]) for c in columns}
    order = np.arctanh(np.clip([p.order for p in batches], -MOST, MOST))
    bands = {c: Band.of([p.quantiles[c] for p in history]) for c in columns}
    rows = float(np.median([p.rows for p in history]))
    for one, other in combinations(columns, 2):
        if not (_lies_in(bands[one], bands[other]) and _lies_in(bands[other], bands[one])):
            continue
        i, j = profile.ranked.index(one), profile.ranked.index(other)
        others = [k for k in range(len(profile.ranked)) if k not in (i, j)]
        apart = np.hstack([levels[one] - levels[other], order[:, i, others] - order[:, j, others]])
        least = np.repeat([(bands[one].spread + bands[other].spread) / 2, 1.0], [len(LEVELS), len(others)]) / rows**0.5
        likeness = _likeness(one, other, apart, least)
        if likeness is not None:
            yield likeness


def _likeness(one: str, other: str, apart: Array, least: Array) -> Likeness | None:
    """Of the differences (1 + K, m); ``least`` (m,): the sampling noise of each."""
    there = ~np.isnan(apart).any(axis=0)
    before = apart[1:, there]
    usual = np.median(before, axis=0) if before.size else np.empty(0)
    weight = usual / np.maximum(before.std(axis=0), least[there]) ** 2 if before.size else usual
    size = float((weight * usual).sum())
    if size <= 0:
        return None
    values = apart[:, there] @ weight / size
    return Likeness(one, other, float(values[0]), values[1:], size**-0.5)


def _lies_in(one: Band, other: Band) -> bool:
    """Whether the usual quantiles of one column lie where those of the other ever did, or close by."""
    outside = np.maximum(np.maximum(other.low - one.usual, one.usual - other.high), 0) / other.width
    return float(outside.max(initial=0)) <= CLOSE
