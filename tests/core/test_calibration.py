"""Calibration curves: they find what was bent again, keep the order, and leave alone what they cannot learn."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat.core import beta_calibration, isotonic_calibration
from homeostat.core.beta_calibration import Beta, fit_beta
from homeostat.core.calibration import FEWEST, Platt, fit_platt, log_odds, sigmoid
from homeostat.core.calibrators import FITS, Calibrator, Curve, Kind
from homeostat.core.isotonic_calibration import Isotonic, fit_isotonic

WHEN = datetime(2024, 3, 1)
RNG = np.random.default_rng(1)
ODDS = RNG.normal(-1.0, 1.5, 40_000)


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.0), (1.0, 1.2), (0.5, -0.7), (2.0, 0.3)])
def test_slope_and_level_are_found_again(slope: float, intercept: float) -> None:
    y = (RNG.random(len(ODDS)) < sigmoid(slope * ODDS + intercept)).astype(float)
    answer = fit_platt(sigmoid(ODDS), y)
    assert answer is not None
    assert (answer.slope, answer.intercept) == pytest.approx((slope, intercept), abs=0.06)
    calibrated = Calibrator(answer, WHEN, WHEN, len(y)).apply(sigmoid(ODDS))
    assert calibrated.mean() == pytest.approx(y.mean(), abs=1e-3)
    assert (np.argsort(calibrated, kind="stable") == np.argsort(sigmoid(ODDS), kind="stable")).all()


def test_of_one_score_for_all_the_level_alone_is_learned() -> None:
    y = (np.arange(1000) % 10 == 0).astype(float)
    answer = fit_platt(np.full(1000, 0.5), y)
    assert answer is not None and answer.slope == 1.0
    assert Calibrator(answer, WHEN, WHEN, 1000).apply(np.array([0.5]))[0] == pytest.approx(0.1, abs=2e-3)


@pytest.mark.parametrize(
    ("score", "y"),
    [
        ([], []),
        ([0.1, 0.2] * 60, [0.0] * 120),  # nothing happened: no level to learn
        ([0.1, 0.2] * 60, [1.0] * 120),
        ([0.1, 0.2] * 60, [1.0] * 49 + [0.0] * 71),  # too few
        ([0.1, 0.2, 0.8, 0.9] * 60, [1.0, 1.0, 0.0, 0.0] * 60),  # the order would be turned around
    ],
)
def test_what_cannot_be_learned_is_none(score: list[float], y: list[float]) -> None:
    assert fit_platt(np.array(score), np.array(y)) is None


def test_scores_at_the_ends_stay_inside() -> None:
    ends = Calibrator(Platt(1.3, -0.4), WHEN, WHEN, 10).apply(np.array([0.0, 1.0]))
    assert 0 < ends[0] < 1e-6 and 1 - 1e-6 < ends[1] < 1
    assert np.isfinite(log_odds(np.array([0.0, 1.0]))).all()


CURVES: list[Curve] = [
    Platt(0.9, 0.2), Platt(0.1 + 0.2, -1 / 3), Beta(0.7, 1.9, -0.4), Beta(0.0, 2.5, 0.1), Beta(3.0, 0.0, -1.0),
    Isotonic((-3.0, -1.2, 0.1, 2.0), (-2.5, -2.4, 0.6, 1.0)),
]  # fmt: skip


@pytest.mark.parametrize("curve", CURVES, ids=repr)
def test_one_by_one_and_together_the_same_to_the_bit(curve: Curve) -> None:
    one, scores = Calibrator(curve, WHEN, WHEN, 10), RNG.random(1001)
    assert one.apply(scores).tolist() == [float(one.apply(np.array([s]))[0]) for s in scores]


@pytest.mark.parametrize("curve", CURVES, ids=repr)
def test_it_comes_back_as_it_was_written(curve: Curve) -> None:
    one = Calibrator(curve, WHEN, WHEN, 10)
    text = json.dumps(one.to_dict(), sort_keys=True)
    again = Calibrator.from_dict(json.loads(text))
    assert again == one and json.dumps(again.to_dict(), sort_keys=True) == text
    with pytest.raises(ValueError, match="a calibrator of kind 'spline'"):
        Calibrator.from_dict(one.to_dict() | {"kind": "spline"})


def test_platt_is_written_as_it_always_was() -> None:
    assert Calibrator(Platt(0.9, 0.2), WHEN, WHEN, 10).to_dict() == {
        "kind": "platt", "slope": 0.9, "intercept": 0.2, "since": "2024-03-01T00:00:00",
        "until": "2024-03-01T00:00:00", "rows": 10,
    }  # fmt: skip


# ---- properties of every kind


SHAPES = {  # of the true log odds by those of the scores
    "as they are": lambda odds: odds,
    "moved": lambda odds: odds + 1.0,
    "flat": lambda odds: 0.5 * odds - 0.7,
    "one end bent": lambda odds: Beta(0.4, 1.6, 0.2).moved(odds),
    "a step": lambda odds: np.where(odds > 0, 1.5, -2.0),
}  # fmt: skip


@pytest.mark.parametrize("kind", FITS)
@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000))
def test_it_keeps_the_order_strictly_and_stays_inside(kind: Kind, shape: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    odds = rng.normal(-0.5, 1.5, 6000)
    y = (rng.random(len(odds)) < sigmoid(SHAPES[shape](odds))).astype(float)
    curve = FITS[kind](sigmoid(odds), y)
    assert curve is not None
    every = Calibrator(curve, WHEN, WHEN, len(y)).apply(sigmoid(np.linspace(-8, 8, 400)))
    assert (np.diff(every) > 0).all() and every[0] > 0 and every[-1] < 1
    ends = Calibrator(curve, WHEN, WHEN, len(y)).apply(np.array([0.0, 1.0]))
    assert ends[0] <= every[0] and ends[-1] >= every[-1] and ends[0] >= 0 and ends[-1] <= 1


@pytest.mark.parametrize("kind", FITS)
def test_what_is_calibrated_already_stays_so_within_noise(kind: Kind) -> None:
    score = sigmoid(ODDS)
    y = (RNG.random(len(ODDS)) < score).astype(float)
    curve = FITS[kind](score, y)
    assert curve is not None
    at = np.linspace(0.03, 0.9, 60)
    assert np.abs(Calibrator(curve, WHEN, WHEN, len(y)).apply(at) - at).max() < 0.04  # 100 events a pool: 0.05


def loss(p: np.ndarray, chance: np.ndarray) -> float:
    return float(-(chance * np.log(p) + (1 - chance) * np.log1p(-p)).mean())


def test_each_kind_is_best_where_its_shape_is() -> None:
    for shape, better, worse in (("one end bent", fit_beta, fit_platt), ("a step", fit_isotonic, fit_beta)):
        chance = sigmoid(SHAPES[shape](ODDS))
        y = (RNG.random(len(ODDS)) < chance).astype(float)
        one, other = (fit(sigmoid(ODDS), y) for fit in (better, worse))
        assert one is not None and other is not None
        new = sigmoid(RNG.normal(-1.0, 1.5, 20_000))
        truth = sigmoid(SHAPES[shape](log_odds(new)))
        ours, theirs = (loss(Calibrator(c, WHEN, WHEN, 1).apply(new), truth) for c in (one, other))
        assert ours < theirs - 0.001, shape


@pytest.mark.parametrize(
    ("fit", "plenty"),
    [(fit_platt, FEWEST), (fit_beta, beta_calibration.PLENTY), (fit_isotonic, isotonic_calibration.PLENTY)],
)
def test_events_have_to_be_plenty_of_either_class(fit: Callable[..., Curve | None], plenty: int) -> None:
    odds = np.linspace(-3, 3, 8000)
    for happened, fitted in ((plenty, True), (plenty - 1, False)):
        y = np.zeros(len(odds))
        y[RNG.choice(len(odds), happened, replace=False, p=sigmoid(odds) / sigmoid(odds).sum())] = 1.0
        assert y.sum() == happened
        assert (fit(sigmoid(odds), y) is not None) is fitted
        assert (fit(sigmoid(-odds), 1 - y) is not None) is fitted


def test_an_order_that_would_be_turned_around_is_not_learned() -> None:
    y = (RNG.random(len(ODDS)) < sigmoid(-ODDS)).astype(float)
    assert [fit(sigmoid(ODDS), y) for fit in FITS.values()] == [None, None, None]
