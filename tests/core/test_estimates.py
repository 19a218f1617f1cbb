import numpy as np
import pytest

from homeostat.core.estimates import FEWEST_GRADES, Past, estimate, half_band, trust
from homeostat.core.metrics import value

DRAW = np.random.default_rng(5)
CHANCE = DRAW.beta(1, 4, 40_000)
LABEL = (DRAW.random(40_000) < CHANCE).astype(float)


@pytest.mark.parametrize("metric", ["log_loss", "auc", "average_precision", "brier"])
def test_scores_that_are_chances_tell_the_metric_before_any_label(metric: str) -> None:
    found = estimate("binary", metric, CHANCE)
    assert found == pytest.approx(value("binary", metric, LABEL, CHANCE), abs=0.01)


def test_it_follows_difficulty_and_not_a_loss_of_calibration() -> None:
    off = np.clip(2.5 * CHANCE, 0, 0.999)
    easy, hard = (estimate("binary", "log_loss", part) for part in (CHANCE[CHANCE < 0.1], CHANCE[CHANCE > 0.3]))
    assert easy is not None and hard is not None and easy < hard
    blind, real = estimate("binary", "log_loss", off), value("binary", "log_loss", LABEL, off)
    assert blind is not None and abs(blind - real) > 0.05


@pytest.mark.parametrize("metric", ["rmse", "mae"])
def test_regression_takes_the_loss_of_events_with_like_scores(metric: str) -> None:
    """Errors grow with the score: a window of high scores is harder."""
    score = DRAW.uniform(10, 100, 20_000)
    y = score + DRAW.normal(0, 1, 20_000) * score / 10
    new = DRAW.uniform(60, 100, 4000)
    truth = value("regression", metric, new + DRAW.normal(0, 1, 4000) * new / 10, new)
    found = estimate("regression", metric, new, Past(y, score))
    assert found == pytest.approx(truth, rel=0.05)
    assert abs(truth - value("regression", metric, y, score)) > 1


@pytest.mark.parametrize(
    ("task", "metric", "score", "past"),
    [
        ("binary", "calibration", CHANCE, None),
        ("binary", "auc", CHANCE[:0], None),
        ("binary", "auc", np.full(10, 1.0), None),  # one class by its scores
        ("regression", "r2", CHANCE, Past(LABEL, CHANCE)),
        ("regression", "rmse", CHANCE, None),
        ("regression", "rmse", CHANCE, Past(LABEL[:5], CHANCE[:5])),
        ("ranking", "ndcg_loss", CHANCE, None),
    ],
)
def test_without_a_method_there_is_no_estimate(task: str, metric: str, score: np.ndarray, past: Past | None) -> None:
    found = estimate(task, metric, score, past)
    assert found is None or metric == "auc"


@pytest.mark.parametrize("drift", [0.0, 3.0])
def test_the_band_holds_as_often_as_promised_though_errors_grow(drift: float) -> None:
    draw = np.random.default_rng(2)
    errors = (np.abs(draw.normal(0, 1, 400)) * (1 + drift * np.arange(400) / 400)).tolist()
    bands = [half_band(errors[:n], 0.95) for n in range(FEWEST_GRADES, 400)]
    inside = np.mean([band is not None and error <= band for error, band in zip(errors[20:], bands, strict=True)])
    assert 0.9 <= inside <= 0.98


def test_few_grades_have_no_band_and_earn_no_trust() -> None:
    assert half_band([0.1] * (FEWEST_GRADES - 1), 0.95) is None
    assert trust([0.3] * 5, [0.3] * 5, [0.4] * 5) is None


@pytest.mark.parametrize(("estimated", "last", "earned"), [(0.31, 0.34, True), (0.36, 0.31, False), (0.3, 0.3, False)])
def test_an_estimate_earns_trust_against_the_last_window(estimated: float, last: float, earned: bool) -> None:
    found = trust([0.3] * 25, [estimated] * 25, [last] * 25)
    assert found is not None and found.earned == earned
