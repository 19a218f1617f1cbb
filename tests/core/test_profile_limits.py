"""Limits of a statistic from the batches before."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from homeostat.core.profile_limits import Compared, compare
from homeostat.core.profiles import ENOUGH, NORMAL, Past, Profile, trusted

DRAW = np.random.default_rng(1)


def batch(missing: float, rows: int = 500) -> Profile:
    return Profile(rows, stats={("load", "missing"): missing}, clock=np.full(24, rows / 24))


def usual(many: int) -> list[Past]:
    return [Past(batch(float(share))) for share in DRAW.uniform(0, 0.02, many)]


def judged(share: float, past: list[Past], rows: int = 500) -> Compared | None:
    """The share that is missing beside its limits."""
    of = [c for c in compare(batch(share, rows), trusted(past)) if (c.column, c.statistic) == ("load", "missing")]
    return of[0] if of else None


def suspect(share: float, many: int, released: bool = False) -> list[Past]:
    return [Past(batch(share), frozenset({"load"}), released)] * many


@pytest.mark.parametrize(
    ("share", "past", "rows", "fails"),
    [
        (0.02, usual(50), 500, False),
        (0.3, usual(50), 500, True),
        (0.3, usual(50), 8, False),
        (0.6, [*usual(50), *suspect(0.6, 5)], 500, True),
        (0.6, [*usual(50), *suspect(0.6, NORMAL)], 500, False),
        (0.6, [*usual(50), *suspect(0.6, 1, released=True)], 500, False),
        (0.61, [*usual(50), *suspect(0.6, 1, released=True)], 500, False),
    ],
    ids=["as usual", "a surge", "a small batch", "again, and nobody said that it is right", "so often that it is usual",
         "a person said that it is right", "like one that a person released"],
)  # fmt: skip
def test_a_share_is_held_to_its_history(share: float, past: list[Past], rows: int, fails: bool) -> None:
    compared = judged(share, past, rows)
    assert compared is not None and (compared.value > compared.high) == fails


def test_a_short_history_says_nothing() -> None:
    assert compare(batch(0.9), trusted(usual(ENOUGH - 1))) == []
    assert judged(0.9, [*usual(ENOUGH - 1), *suspect(0.9, 3)]) is None


@pytest.mark.parametrize("weekly", [0.0, 0.3])
def test_what_varies_by_construction_is_no_alarm(weekly: float) -> None:
    """A trend, and a rhythm of weeks: the next batch of each lies within its limits."""
    shares = [0.001 * day + weekly * (day % 7 > 4) for day in range(57)]
    past = [Past(batch(share)) for share in shares[:-1]]
    compared = judged(shares[-1], past)
    assert compared is not None and compared.low <= compared.value <= compared.high


def filled(parts: int, rows: int = 500) -> Profile:
    """Rows spread evenly over the first parts of the period."""
    return Profile(rows * parts // 24, clock=np.where(np.arange(24) < parts, rows / 24, 0.0))


@pytest.mark.parametrize(
    ("parts", "rows", "fails"),
    [(24, 500, False), (23, 500, False), (21, 500, True), (21, 60, False)],
    ids=["whole", "without its last hour", "without its last three", "too few rows to be sure"],
)
def test_an_end_that_does_not_come_is_missed(parts: int, rows: int, fails: bool) -> None:
    past = [Past(filled(24, rows))] * 50
    cut = [c for c in compare(filled(parts, rows), past) if c.statistic == "cut"]
    assert bool(cut) == (rows > 60) and any(c.value > c.high for c in cut) == fails


def related(order: float, rows: int = 500) -> Profile:
    return Profile(rows, ranked=("load", "temp"), order=np.array([[1.0, order], [order, 1.0]]),
                   by_part=np.full((2, 24), np.nan), clock=np.full(24, rows / 24))  # fmt: skip


WEAK, CLOSE = DRAW.uniform(0.1, 0.9, 50), DRAW.uniform(0.8, 0.95, 50)


@pytest.mark.parametrize(
    ("order", "before", "rows", "fails"),
    [
        (0.2, WEAK, 500, False), (-0.1, WEAK, 500, False), (-0.5, WEAK, 500, True), (-0.5, WEAK, 60, False),
        (-0.2, CLOSE, 500, True), (0.5, -CLOSE, 500, True), (-0.5, np.append(WEAK, -0.3), 500, False),
    ],
    ids=["weaker", "none", "turned", "turned in few rows", "turned, though weak now", "turned from below",
         "turned as once before"],
)  # fmt: skip
def test_a_relation_that_never_turned_may_not(
    order: float, before: NDArray[np.float64], rows: int, fails: bool
) -> None:
    past = [Past(related(float(r), rows)) for r in before]
    pair = next(c for c in compare(related(order, rows), past) if c.statistic == "order")
    assert (not pair.low <= pair.value <= pair.high) == fails, pair


def counts(*rows: int) -> list[Past]:
    return [Past(batch(0.01, many)) for many in rows]


STEADY = [int(DRAW.integers(950, 1050)) for _ in range(56)]
WEEKLY = [*[1000, 1000, 1000, 1000, 1000, 500, 300] * 8]


@pytest.mark.parametrize(
    ("before", "rows", "fails"),
    [
        (STEADY, 960, False),
        (STEADY, 500, True),
        ([*STEADY[:30], 500, *STEADY[31:]], 500, True),  # one odd batch before is no rule
        ([*STEADY[:30], *[500] * 3, *STEADY[33:]], 500, False),
        (WEEKLY, 500, True),  # a Monday
        (WEEKLY[:-1], 290, False),  # a Sunday
        (WEEKLY[:-1], 140, True),
        ([*DRAW.integers(20, 2000, 56)], 300, False),  # numbers that say nothing
    ],
)
def test_rows_that_are_lost_are_missed(before: list[int], rows: int, fails: bool) -> None:
    (own,) = [c for c in compare(batch(0.01, rows), counts(*before)) if c.statistic == "rows"]
    assert (own.value < own.low) == fails
