from dataclasses import dataclass

import numpy as np
import pytest

from homeostat.core.health import Window, health_findings
from homeostat.core.intervals import Measure, Settings

SETTINGS = Settings(resamples=200, confidence=0.95, seed=1, min_slice=100)
PROMISED = Measure(-0.15, -0.20, -0.10)
PATH = "reports/decisions/2024-03-01T000000.json"


@dataclass(frozen=True)
class Limits:
    quality_drop: float = 0.10
    calibration: float = 0.35


def logistic(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def window(skill: float, level: float = 0.0, rate: float = -1.5, days: int = 28, a_day: int = 300) -> Window:
    """Events whose chance is partly known: ``skill`` 1 is all the model can know, -1 the opposite.

    The baseline knows a fixed rate; ``level`` moves model and baseline off the truth alike, ``rate`` is a season's.
    """
    draw = np.random.default_rng(7)
    rows = days * a_day
    known = draw.normal(0, 1.2, rows)
    season = draw.normal(0, 0.2, days).repeat(a_day)
    y = (draw.random(rows) < logistic(rate + known + season)).astype(float)
    return Window(
        "high", "binary", "log_loss", y, logistic(rate + level + skill * known),
        np.full(rows, y.mean() * (1 - level / 2) if level < 1 else 0.6), np.arange(days).repeat(a_day),
    )  # fmt: skip


def outcomes(seen: Window, promised: Measure = PROMISED, limits: Limits = Limits()) -> dict[str, str]:
    found = health_findings(seen, promised, limits, SETTINGS, PATH)
    assert all(f.evidence == PATH and f.sentence for f in found)
    return {f.rule.removeprefix("high: "): f.outcome for f in found}


WELL = {"quality": "pass", "against the baseline": "pass", "calibration": "pass"}


@pytest.mark.parametrize("rate", [-3.0, -1.5, -0.5])
def test_a_season_with_another_rate_is_no_drop(rate: float) -> None:
    """Log loss more than doubles from the first to the last of these."""
    assert outcomes(window(1.0, rate=rate), Measure(-0.12, -0.16, -0.08)) == WELL


def test_a_sign_flipped_model_fails_everything_but_perhaps_its_mean() -> None:
    found = outcomes(window(-1.0))
    assert (found["quality"], found["against the baseline"]) == ("fail", "fail")


def test_a_model_that_lost_its_skill_fails_its_promise_without_losing_to_the_baseline() -> None:
    found = outcomes(window(0.1))
    assert (found["quality"], found["against the baseline"]) == ("fail", "pass")


def test_a_level_that_is_off_shows_in_calibration() -> None:
    assert outcomes(window(1.0, level=0.8))["calibration"] == "fail"


@pytest.mark.parametrize(
    ("promised", "outcome"),
    [
        (Measure(-0.40, -0.42, -0.38), "fail"),
        (Measure(-0.40, -0.60, 0.10), "pass"),  # the promise itself could be chance
        (Measure(-0.40), "pass"),  # judged on too few blocks to have an interval
        (Measure(None), "too few to say"),
        (Measure(-1.0, -1.0, -1.0), "fail"),
    ],
)
def test_chance_has_to_be_excluded(promised: Measure, outcome: str) -> None:
    assert outcomes(window(1.0), promised)["quality"] == outcome


@pytest.mark.parametrize(("days", "a_day"), [(1, 50), (2, 300)])
def test_few_events_or_few_days_are_too_few_to_say(days: int, a_day: int) -> None:
    found = outcomes(window(-1.0, days=days, a_day=a_day))
    assert "fail" not in found.values()
    assert found["against the baseline"] == found["calibration"] == "too few to say"


def test_the_baseline_itself_never_fails_its_promise() -> None:
    seen = window(1.0)
    same = Window(seen.objective, seen.task, seen.loss, seen.y, seen.baseline, seen.baseline, seen.block)
    assert outcomes(same, Measure(0.0, 0.0, 0.0)) == WELL


def test_the_sentence_says_what_was_measured() -> None:
    found = health_findings(window(-1.0), PROMISED, Limits(), SETTINGS, PATH)[0]
    assert found.rule == "high: quality"
    assert "above the baseline's on 8400 matured events, 15.0% below when it was judged" in found.sentence
    assert found.value is not None and found.value > 0.5


def test_regression_is_judged_by_its_own_loss() -> None:
    draw = np.random.default_rng(3)
    y = draw.normal(10, 3, 2800)
    seen = Window(
        "load", "regression", "rmse", y, y + draw.normal(0, 1, 2800), np.full(2800, 10.0), np.arange(28).repeat(100)
    )
    found = health_findings(seen, Measure(-0.65, -0.68, -0.60), Limits(), SETTINGS, PATH)
    assert [f.outcome for f in found] == ["pass", "pass", "pass"]
