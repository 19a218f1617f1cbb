"""Two columns that lie alike and have changed places are told by how they differ."""

from __future__ import annotations

import numpy as np
import pytest

from homeostat.core.column_swap import Likeness, likenesses
from homeostat.core.profile_limits import compare
from homeostat.core.profiles import QUANTILES, Profile, trusted
from homeostat.core.profiles import Past as Before

DRAW = np.random.default_rng(7)
NAMES = ("load", "size", "late")


def batch(levels: tuple[float, float], follows: tuple[float, float], swapped: bool = False) -> Profile:
    """A batch of 300 rows of two columns of mean ``levels`` and spread 10, whose rank correlations with a third are
    ``follows``, each as far off as chance has it.
    """
    means = [level + DRAW.normal(0, 10 / 300**0.5) for level in levels]
    a, b = (r + DRAW.normal(0, 300**-0.5) for r in follows)
    if swapped:
        means, (a, b) = means[::-1], (b, a)
    order = np.array([[1.0, 0.0, a], [0.0, 1.0, b], [a, b, 1.0]])
    values = {name: means[i] + 10 * np.linspace(-2, 2, len(QUANTILES)) for i, name in enumerate(NAMES[:2])}
    stats = {(name, level): means[i] + 10 * off for i, name in enumerate(NAMES[:2])
             for level, off in zip(("low", "middle", "high"), (-1, 0, 1), strict=True)}  # fmt: skip
    stats |= {(name, "same"): 0.01 for name in NAMES[:2]}
    return Profile(300, stats, values, dict.fromkeys(NAMES[:2], 10.0), clock=np.full(24, 12.5),
                   ranked=NAMES, by_part=np.full((3, 24), np.nan), order=order)  # fmt: skip


def likeness(now: Profile, before: list[Profile]) -> Likeness | None:
    return next(likenesses(now, before, ["load", "size"]), None)


@pytest.mark.parametrize(
    ("levels", "follows", "tells"),
    [((20, 20), (0.0, 0.6), True), ((20, 18.5), (0.1, 0.6), True), ((20, 20), (0.3, 0.3), False)],
    ids=["by what follows them", "by that and their levels", "nothing tells"],
)  # fmt: skip
def test_a_swap_is_told_where_anything_tells_it(
    levels: tuple[float, float], follows: tuple[float, float], tells: bool
) -> None:
    before = [batch(levels, follows) for _ in range(40)]
    usual, swapped = (batch(levels, follows, turned) for turned in (False, True))
    for now, away in ((usual, False), (swapped, True)):
        compared = [c for c in compare(now, trusted([Before(p) for p in before])) if c.statistic == "swap"]
        assert any(c.value > c.high for c in compared) == (away and tells), (away, compared)
    if tells:
        one, other = likeness(usual, before), likeness(swapped, before)
        assert one is not None and other is not None and one.now > 0.5 and other.now < -0.5


def test_columns_that_lie_elsewhere_are_told_by_their_values() -> None:
    before = [batch((20, 200), (0.0, 0.0)) for _ in range(40)]
    assert likeness(batch((20, 200), (0.0, 0.0), True), before) is None
