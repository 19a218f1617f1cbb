import re
from dataclasses import dataclass, replace

import numpy as np
import pytest

from homeostat.core.health import Window, health_findings, in_doubt
from homeostat.core.intervals import Measure, Settings
from homeostat.core.promises import CALIBRATION, Held
from homeostat.core.ranges import Range
from homeostat.core.rules import Rule
from homeostat.core.sentences import sentence

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


def outcomes(window: Window, promised: Measure = PROMISED, limits: Limits = Limits()) -> dict[Rule, str]:
    findings = health_findings(window, promised, limits, SETTINGS, PATH)
    assert all((f.subject, f.evidence) == ("high", (PATH,)) and sentence(f) for f in findings)
    return {f.rule: f.outcome for f in findings}


WELL = {Rule.QUALITY: "pass", Rule.AGAINST_BASELINE: "pass", Rule.CALIBRATION: "pass"}


@pytest.mark.parametrize("rate", [-3.0, -1.5, -0.5])
def test_a_season_with_another_rate_is_no_drop(rate: float) -> None:
    """Log loss more than doubles from the first to the last of these."""
    assert outcomes(window(1.0, rate=rate), Measure(-0.12, -0.16, -0.08)) == WELL


def test_a_sign_flipped_model_fails_everything_but_perhaps_its_mean() -> None:
    found = outcomes(window(-1.0))
    assert (found[Rule.QUALITY], found[Rule.AGAINST_BASELINE]) == ("fail", "fail")


def test_a_model_that_lost_its_skill_fails_its_promise_without_losing_to_the_baseline() -> None:
    found = outcomes(window(0.1))
    assert (found[Rule.QUALITY], found[Rule.AGAINST_BASELINE]) == ("fail", "pass")


def test_a_level_that_is_off_shows_in_calibration() -> None:
    assert outcomes(window(1.0, level=0.8))[Rule.CALIBRATION] == "fail"


@pytest.mark.parametrize(
    ("level", "good", "outcome"),
    [
        (0.25, (0.9, 1.1), "fail"),  # a fifth off, where good windows never were
        (0.25, (0.6, 1.6), "pass"),
        (0.05, (0.99, 1.01), "pass"),  # less than a quality drop
        (0.8, (0.2, 5.0), "fail"),  # over the limit of the scope in any case
    ],
)
def test_a_level_that_hardly_ever_moved_is_off_sooner(level: float, good: tuple[float, float], outcome: str) -> None:
    low, high = np.log(good)
    held = {CALIBRATION: Held(CALIBRATION, 0.0, 1, Range(low, high, 0.0, 12))}
    findings = health_findings(window(1.0, level=level), PROMISED, Limits(), SETTINGS, PATH, held)
    (finding,) = (f for f in findings if f.rule == Rule.CALIBRATION)
    assert finding.outcome == outcome, finding
    assert sentence(finding) and finding.usual == (level == 0.8)


@pytest.mark.parametrize(
    ("promised", "outcome"),
    [
        (Measure(-0.40, -0.42, -0.38), "fail"),
        (Measure(-0.40, -0.60, 0.10), "pass"),  # the promise itself could be chance
        (Measure(-0.40), "too few to say"),  # judged on too few blocks to have an interval
        (Measure(None), "too few to say"),
        (Measure(-1.0, -1.0, -1.0), "fail"),
    ],
)
def test_a_drop_has_to_be_significant(promised: Measure, outcome: str) -> None:
    assert outcomes(window(1.0), promised)[Rule.QUALITY] == outcome


@pytest.mark.parametrize(("days", "a_day"), [(1, 50), (2, 300)])
def test_few_events_or_few_days_are_too_few_to_say(days: int, a_day: int) -> None:
    found = outcomes(window(-1.0, days=days, a_day=a_day))
    assert "fail" not in found.values()
    assert found[Rule.AGAINST_BASELINE] == found[Rule.CALIBRATION] == "too few to say"


def test_the_baseline_itself_never_fails_its_promise() -> None:
    model = window(1.0)
    same = Window(model.objective, model.task, model.loss, model.y, model.baseline, model.baseline, model.block)
    assert outcomes(same, Measure(0.0, 0.0, 0.0)) == WELL


def test_the_findings_have_what_was_measured() -> None:
    quality, against, calibration = health_findings(window(-1.0), PROMISED, Limits(), SETTINGS, PATH)
    assert (quality.rows, quality.limit, quality.facts["promised"]) == (8400, 0.10, -0.15)
    assert quality.value is not None and quality.value > 0.5
    assert against.interval is not None and against.value is not None
    assert 0 < against.interval.low < against.value < against.interval.high and against.interval.confidence == 0.95
    assert calibration.value == round(abs(calibration.facts["ratio"] - 1), 6)
    assert calibration.interval is not None and calibration.interval.low < calibration.facts["ratio"]


def test_the_findings_in_words() -> None:
    failed = health_findings(window(-1.0, level=0.8), PROMISED, Limits(), SETTINGS, PATH)
    patterns = (
        r"log loss \S+ % above the baseline's on 8,400 mature events, 15 % below when the release was judged: "
        r"\S+ % worse than promised \(limit 10 %\), significant",
        r"log loss \S+, \S+ % above the baseline's \S+ on 8,400 mature events \(95 % CI \+\S+ % to \+\S+ %\): "
        r"significantly worse than the baseline",
        r"predicted/observed ratio \S+ on 8,400 mature events \(95 % CI \S+ to \S+\), \S+ % off \(limit 35 %\)",
    )
    for finding, pattern in zip(failed, patterns, strict=True):
        assert re.fullmatch(pattern, sentence(finding)), sentence(finding)


def test_regression_is_judged_by_its_own_loss() -> None:
    draw = np.random.default_rng(3)
    y = draw.normal(10, 3, 2800)
    model = Window(
        "load", "regression", "rmse", y, y + draw.normal(0, 1, 2800), np.full(2800, 10.0), np.arange(28).repeat(100)
    )
    found = health_findings(model, Measure(-0.65, -0.68, -0.60), Limits(), SETTINGS, PATH)
    assert [f.outcome for f in found] == ["pass", "pass", "pass"]


def test_three_days_are_too_few_blocks_however_many_events() -> None:
    for finding in health_findings(window(-1.0, days=3, a_day=3083), PROMISED, Limits(), SETTINGS, PATH):
        assert finding.outcome == "too few to say" and finding.rows == 9249
        assert "too few blocks" in sentence(finding)
    against = next(f for f in health_findings(window(-1.0, days=3), PROMISED, Limits(), SETTINGS, PATH)[1:2])
    assert sentence(against) == "900 mature events lie in too few blocks (3 of 5) to say"


def test_the_worst_slice_is_named_where_the_whole_is_well() -> None:
    """One of twelve parts has its scores turned around; the others carry the whole."""
    whole = window(1.0)
    part = np.arange(len(whole.y)) % 12
    score = np.where(part == 3, 1 - whole.score, whole.score)
    shop = np.array(list("bcadefghijkl"))[part]
    mixed = replace(whole, score=score, baseline=np.full(len(part), 0.5), slices={"shop": shop})
    found = {f.rule: f for f in health_findings(mixed, Measure(None), Limits(), SETTINGS, PATH)}
    assert found[Rule.AGAINST_BASELINE].outcome == "pass"
    worst = found[Rule.SERVED_SLICES]
    assert worst.failed and (worst.facts["slice"], worst.facts["worse"], worst.facts["judged"]) == ("d", 1, 12)
    assert "in shop d" in sentence(worst)
    well = health_findings(replace(mixed, score=whole.score), Measure(None), Limits(), SETTINGS, PATH)
    assert [f.outcome for f in well if f.rule == Rule.SERVED_SLICES] == ["pass"]


def test_a_loss_beyond_all_good_windows_fails_though_its_own_promise_is_vague() -> None:
    held = Held("log_loss", np.log(0.99), 2, Range(np.log(0.7), np.log(0.85), np.log(0.78), 12))
    vague = Measure(-0.15, -0.60, 0.40)
    poor = health_findings(window(0.1), vague, Limits(), SETTINGS, PATH)
    assert poor[0].outcome == "pass"
    beyond = health_findings(window(0.1), vague, Limits(), SETTINGS, PATH, {"log_loss": held})[0]
    assert beyond.failed and not beyond.usual and "12 good ones 0.70 to 0.85" in sentence(beyond)
    inside = replace(held, now=np.log(0.84))
    as_usual = health_findings(window(0.1), PROMISED, Limits(), SETTINGS, PATH, {"log_loss": inside})[0]
    assert as_usual.failed and as_usual.usual


def test_what_rests_on_doubted_labels_says_nothing() -> None:
    doubted = in_doubt(health_findings(window(-1.0), PROMISED, Limits(), SETTINGS, PATH), "2024-03-05")
    assert {f.outcome for f in doubted} == {"too few to say"}
    assert {sentence(f) for f in doubted} == {"nothing can be said: labels cannot be trusted since 2024-03-05"}
