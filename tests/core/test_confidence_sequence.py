"""Confidence sequences: at any number of looks they are wrong as seldom as they say, and find what is there."""

from __future__ import annotations

import numpy as np
import pytest

from homeostat.core.confidence_sequence import (
    FEWEST_MEANS,
    FEWEST_ROWS,
    Moments,
    difference_bounds,
    mean_bounds,
)

LOOKS = range(FEWEST_ROWS, 3_001, 50)
SHARES = (0.1, 0.5)


def errors(random: np.random.Generator, rows: int, worse: float = 0.0) -> np.ndarray:
    """Squared errors of scores that are the true probabilities, or off by ``worse``."""
    score = random.beta(2, 6, rows)
    y = random.random(rows) < score
    return np.asarray((np.clip(score + worse, 0, 1) - y) ** 2)


def taken_back(random: np.random.Generator, share: float, worse: float) -> bool:
    """Whether any look finds the challenger worse."""
    ours, theirs = errors(random, LOOKS[-1], worse), errors(random, int(LOOKS[-1] * (1 / share - 1)))
    ratio = len(theirs) / len(ours)
    for many in LOOKS:
        bounds = difference_bounds(Moments.of(ours[:many]), Moments.of(theirs[: int(many * ratio)]), 0.95)
        assert bounds is not None and bounds.low < bounds.value < bounds.high and bounds.rows == min(many, many * ratio)
        if bounds.low > 0:
            return True
    return False


@pytest.mark.parametrize("share", SHARES)
def test_of_equally_good_challengers_hardly_any_is_ever_found_worse(share: float) -> None:
    random = np.random.default_rng(1)
    assert np.mean([taken_back(random, share, 0.0) for _ in range(200)]) <= 0.05


@pytest.mark.parametrize("share", SHARES)
def test_one_that_is_off_by_far_is_found_worse(share: float) -> None:
    random = np.random.default_rng(2)
    assert np.mean([taken_back(random, share, 0.25) for _ in range(20)]) == 1.0


def test_before_there_is_enough_it_says_nothing() -> None:
    few, many = Moments(FEWEST_ROWS - 1, 0.9, 0.01), Moments(100_000, 0.1, 0.01)
    assert difference_bounds(few, many, 0.95) is None and difference_bounds(many, few, 0.95) is None
    assert difference_bounds(few._replace(rows=FEWEST_ROWS), many, 0.95) is not None
    assert mean_bounds(Moments(FEWEST_MEANS - 1, 0.9, 0.01), 0.95) is None


def test_it_is_wider_than_one_look_needs_and_narrows_as_events_come() -> None:
    widths = []
    for rows in (500, 2_000, 8_000):
        bounds = mean_bounds(Moments(rows, 0.1, 0.04), 0.95)
        assert bounds is not None
        widths.append(bounds.high - bounds.low)
        assert widths[-1] > 2 * 1.96 * 0.2 / rows**0.5
    assert widths == sorted(widths, reverse=True)


def test_a_surer_sequence_is_wider() -> None:
    one, other = (mean_bounds(Moments(500, 0.1, 0.04), confidence) for confidence in (0.9, 0.99))
    assert one is not None and other is not None and other.low < one.low < one.high < other.high
