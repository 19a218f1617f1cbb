"""Platt scaling: it finds the level and the slope again, keeps the order, and leaves alone what it cannot learn."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from homeostat.core.calibration import Calibrator, fit_platt, log_odds, sigmoid

WHEN = datetime(2024, 3, 1)
RNG = np.random.default_rng(1)
ODDS = RNG.normal(-1.0, 1.5, 40_000)


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.0), (1.0, 1.2), (0.5, -0.7), (2.0, 0.3)])
def test_slope_and_level_are_found_again(slope: float, intercept: float) -> None:
    y = (RNG.random(len(ODDS)) < sigmoid(slope * ODDS + intercept)).astype(float)
    answer = fit_platt(sigmoid(ODDS), y)
    assert answer is not None
    assert answer == pytest.approx((slope, intercept), abs=0.06)
    calibrated = Calibrator(*answer, WHEN, WHEN, len(y)).apply(sigmoid(ODDS))
    assert calibrated.mean() == pytest.approx(y.mean(), abs=1e-3)
    assert (np.argsort(calibrated, kind="stable") == np.argsort(sigmoid(ODDS), kind="stable")).all()


def test_of_one_score_for_all_the_level_alone_is_learned() -> None:
    y = (np.arange(1000) % 10 == 0).astype(float)
    answer = fit_platt(np.full(1000, 0.5), y)
    assert answer is not None and answer[0] == 1.0
    assert Calibrator(*answer, WHEN, WHEN, 1000).apply(np.array([0.5]))[0] == pytest.approx(0.1, abs=2e-3)


@pytest.mark.parametrize(
    ("score", "y"),
    [
        ([], []),
        ([0.1, 0.2, 0.3], [0.0, 0.0, 0.0]),  # nothing happened: no level to learn
        ([0.1, 0.2, 0.3], [1.0, 1.0, 1.0]),
        ([0.1, 0.2, 0.8, 0.9], [1.0, 1.0, 0.0, 0.0]),  # the order would be turned around
    ],
)
def test_what_cannot_be_learned_is_none(score: list[float], y: list[float]) -> None:
    assert fit_platt(np.array(score), np.array(y)) is None


def test_scores_at_the_ends_stay_inside() -> None:
    ends = Calibrator(1.3, -0.4, WHEN, WHEN, 10).apply(np.array([0.0, 1.0]))
    assert 0 < ends[0] < 1e-6 and 1 - 1e-6 < ends[1] < 1
    assert np.isfinite(log_odds(np.array([0.0, 1.0]))).all()


def test_one_by_one_and_together_the_same_to_the_bit() -> None:
    one, scores = Calibrator(0.9, 0.2, WHEN, WHEN, 10), RNG.random(1001)
    assert one.apply(scores).tolist() == [float(one.apply(np.array([s]))[0]) for s in scores]


def test_it_comes_back_as_it_was_written() -> None:
    one = Calibrator(0.1 + 0.2, -1 / 3, WHEN, WHEN, 10)
    assert Calibrator.from_dict(one.to_dict()) == one
    with pytest.raises(ValueError, match="a calibrator of kind 'isotonic'"):
        Calibrator.from_dict(one.to_dict() | {"kind": "isotonic"})
