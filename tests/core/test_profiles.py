"""Limits of a statistic from the batches before."""

from __future__ import annotations

import numpy as np
import pytest

from homeostat.core.profiles import ENOUGH, NORMAL, Compared, Past, Profile, compare, trusted

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
