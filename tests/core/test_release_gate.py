from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from homeostat.core.evaluation import Compared, Comparison, Evaluation, Judged, Scored, Settings, compare, evaluate
from homeostat.core.findings import Finding
from homeostat.core.intervals import Measure
from homeostat.core.release_gate import (
    beats_baseline,
    calibrated,
    decide_release,
    enough_rows,
    no_slice_gets_worse,
    not_worse_than_champion,
)

LIMITS = SimpleNamespace(beats_baseline=0.02, not_worse=0.005, slice_not_worse=0.10, calibration=0.35)
RIGHT = Measure(1.0, 0.9, 1.1)


def evaluation(rows: int = 1000, calibration: Measure = RIGHT, task: str = "binary") -> Evaluation:
    return Evaluation("o", task, "log_loss", 200, Judged(rows, 0.2, {"calibration": calibration}))


def versus(share: float | None, other_calibration: float | None = 1.0, **slices: Compared) -> Comparison:
    loss = None if share is None else 0.4 * (1 + share)
    overall = Compared(1000, loss, 0.4, Measure(share), 1.0, other_calibration)
    return Comparison("log_loss", 200, overall, {"kind": slices})


def part(share: float | None, low: float | None = None, rows: int = 300) -> Compared:
    return Compared(rows, 0.4, 0.4, Measure(share, low, None if low is None else 1.0))


@pytest.mark.parametrize(("rows", "outcome"), [(200, "pass"), (199, "too few to say"), (0, "too few to say")])
def test_enough_rows(rows: int, outcome: str) -> None:
    assert enough_rows(evaluation(rows)).outcome == outcome


@pytest.mark.parametrize(
    ("share", "outcome", "said"),
    [
        (-0.05, "pass", "5.0% below the baseline's 0.4"),
        (-0.02, "pass", "2.0% below"),
        (-0.019, "fail", "1.9% below the baseline's 0.4 on 1,000 rows (2.0% below is needed)"),
        (0.0, "fail", "level with the baseline's"),
        (0.3, "fail", "30.0% above"),
        (None, "too few to say", "too few"),
    ],
)
def test_beats_baseline(share: float | None, outcome: str, said: str) -> None:
    found = beats_baseline("o", versus(share), LIMITS)
    assert found.outcome == outcome
    assert said in found.sentence
    assert found.limit == 0.02
    assert found.value == (None if share is None else pytest.approx(-share))


@pytest.mark.parametrize(
    ("share", "outcome"),
    [(-0.1, "pass"), (0.005, "pass"), (0.006, "fail"), (None, "too few to say")],
)
def test_not_worse_than_champion(share: float | None, outcome: str) -> None:
    assert not_worse_than_champion("o", versus(share), LIMITS).outcome == outcome


def test_worse_than_the_champion_by_chance_alone_is_no_harm() -> None:
    def of(low: float) -> Finding:
        against = Comparison("log_loss", 200, part(0.02, low), {})
        return not_worse_than_champion("o", against, LIMITS)

    assert (of(-0.01).outcome, of(0.01).outcome) == ("pass", "fail")
    assert "which chance explains" in of(-0.01).sentence


@pytest.mark.parametrize(
    ("slices", "outcome", "said"),
    [
        (
            {"x": part(-0.1, -0.2), "y": part(0.05, 0.01)},
            "pass",
            "the worst of 2 slices: log_loss in kind y is 5.0% above",
        ),
        ({"x": part(0.3, 0.1), "y": part(0.2, 0.05)}, "fail", "kind x is 30.0% above the champion's on 300 rows"),
        ({"x": part(0.3, -0.1)}, "pass", "which chance explains"),
        ({"x": part(0.3)}, "pass", "in too few blocks to say"),
        ({"x": part(0.3, -0.1), "y": part(0.11, 0.02)}, "fail", "kind y"),
        ({"x": part(None, rows=10)}, "too few to say", "none of 1 slices has 200 rows"),
        ({}, "too few to say", "none of 0 slices"),
    ],
)
def test_no_slice_gets_worse(slices: dict[str, Compared], outcome: str, said: str) -> None:
    found = no_slice_gets_worse("o", versus(0.0, **slices), LIMITS)
    assert (found.outcome, said in found.sentence) == (outcome, True), found.sentence


@pytest.mark.parametrize(
    ("calibration", "champions", "outcome", "said"),
    [
        (Measure(1.3, 1.2, 1.4), None, "pass", "1.30 times"),
        (Measure(0.5, 0.4, 0.6), None, "fail", "0.50 times the label rate (35% off is allowed)"),
        (Measure(1.6, 1.5, 1.7), None, "fail", "1.60 times"),
        (Measure(1.6, 1.2, 2.0), None, "pass", "chance explains"),
        (Measure(1.6, 0.8, 2.0), None, "pass", "chance explains"),
        (Measure(1.6, 1.5, 1.7), 1.7, "pass", "no further off than the champion's 1.70"),
        (Measure(1.6, 1.5, 1.7), 0.3, "pass", "no further off than the champion's 0.30"),
        (Measure(1.6, 1.5, 1.7), 1.5, "fail", "1.60 times"),
        (Measure(1.6), None, "too few to say", "in too few blocks"),
        (Measure(None), None, "too few to say", "too few labels"),
    ],
)
def test_calibration(calibration: Measure, champions: float | None, outcome: str, said: str) -> None:
    champion = None if champions is None else versus(0.0, other_calibration=champions)
    found = calibrated(evaluation(calibration=calibration), champion, LIMITS)
    assert (found.outcome, said in found.sentence) == (outcome, True), found.sentence


def decide(**change: Any) -> Any:
    given: dict[str, Any] = {
        "candidate": {"o": evaluation()},
        "baseline": {"o": versus(-0.1)},
        "champion": {"o": versus(-0.01, x=part(0.01, -0.1))},
        "is_baseline": False,
    }
    return decide_release(**(given | change), limits=LIMITS)


def test_a_candidate_that_passes_is_released_and_the_sentence_says_on_what() -> None:
    found = decide()
    assert found.action == "release"
    assert "10.0% below the baseline's" in found.sentence
    assert "1.0% below the champion's" in found.sentence
    assert [f.rule for f in found.findings] == [
        "o: enough rows", "o: beats baseline", "o: not worse than champion", "o: no slice gets worse", "o: calibration",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"baseline": {"o": versus(-0.01)}}, "1.0% below the baseline's"),
        ({"champion": {"o": versus(0.02)}}, "2.0% above the champion's 0.4 on 1,000 rows (0.5% above is allowed)"),
        ({"champion": {"o": versus(0.0, x=part(0.3, 0.1))}}, "kind x is 30.0% above"),
        ({"candidate": {"o": evaluation(calibration=Measure(2.0, 1.9, 2.1))}}, "2.00 times the label rate"),
        ({"candidate": {"o": evaluation(rows=20)}}, "20 events held out, of 200 needed"),
        ({"baseline": {"o": versus(None)}}, "too few to hold it against the baseline"),
        ({"baseline": {"o": versus(0.5)}, "champion": {"o": versus(0.2)}}, "above the baseline's 0.4 on 1,000 rows"),
    ],
)
def test_a_candidate_that_loses_is_kept_back_and_the_sentence_says_by_what(change: dict[str, Any], said: str) -> None:
    found = decide(**change)
    assert found.action == "keep"
    assert found.sentence.startswith("the candidate is not released: o: ")
    assert said in found.sentence
    assert len(found.findings) == 5


def test_the_sentence_counts_what_else_is_against_it() -> None:
    found = decide(baseline={"o": versus(0.5)}, champion={"o": versus(0.2)})
    assert found.sentence.endswith("; 1 more against it")


def test_without_a_champion_the_baseline_alone_is_to_beat() -> None:
    assert decide(champion=None).action == "release"
    assert decide(champion=None, baseline={"o": versus(0.0)}).action == "keep"


def test_one_objective_that_loses_holds_the_release_back() -> None:
    both = {"o": evaluation(), "p": evaluation()}
    found = decide(candidate=both, baseline={"o": versus(-0.1), "p": versus(0.1)}, champion=None)
    assert found.action == "keep"
    assert "p: log_loss" in found.sentence


def test_an_objective_that_is_new_has_no_champion_to_beat() -> None:
    both = {"o": evaluation(), "p": evaluation()}
    found = decide(candidate=both, baseline={"o": versus(-0.1), "p": versus(-0.1)})
    assert found.action == "release"
    assert [f.rule for f in found.findings].count("o: not worse than champion") == 1


@pytest.mark.parametrize("rows", [0, 1000])
def test_the_first_release_need_not_beat_itself(rows: int) -> None:
    found = decide(candidate={"o": evaluation(rows)}, baseline={"o": versus(0.0)}, champion=None, is_baseline=True)
    assert (found.action, found.sentence) == ("release", "nothing serves yet; the baseline is better than nothing")
    assert "o: beats baseline" not in [f.rule for f in found.findings]


def test_ranking_scores_are_not_asked_for_calibration() -> None:
    found = decide(candidate={"o": evaluation(task="ranking")})
    assert "o: calibration" not in [f.rule for f in found.findings]


def test_real_scores_from_end_to_end() -> None:
    """A champion that knows the chances, a candidate that knows them, and one whose signs are turned round."""
    rng = np.random.default_rng(5)
    chance = rng.beta(1, 4, 6000)
    y, day = (rng.random(6000) < chance).astype(float), np.arange(6000) // 300
    slices = {"kind": rng.integers(0, 4, 6000).astype(str).astype(object)}
    settings = Settings(resamples=100, confidence=0.95, seed=1, min_slice=200)
    flat = np.full(6000, y.mean())

    def decision(score: np.ndarray) -> Any:
        found = evaluate("o", "binary", ("log_loss",), Scored(y, score, day, day // 7, slices), settings)
        against = {
            name: {"o": compare("binary", "log_loss", y, score, other, day, slices, settings)}
            for name, other in (("baseline", flat), ("champion", chance))
        }
        return decide_release({"o": found}, against["baseline"], against["champion"], LIMITS, False)

    assert decision(chance).action == "release"
    flipped = decision(1 - chance)
    assert flipped.action == "keep"
    assert {f.rule for f in flipped.findings if f.failed} == {
        "o: beats baseline", "o: not worse than champion", "o: no slice gets worse", "o: calibration",
    }  # fmt: skip


def test_a_baseline_made_anew_is_held_against_the_champion_alone() -> None:
    better = decide(baseline={"o": versus(0.0)}, champion={"o": versus(-0.02)}, is_baseline=True)
    worse = decide(baseline={"o": versus(0.0)}, champion={"o": versus(0.5)}, is_baseline=True)
    assert (better.action, worse.action) == ("release", "keep")
    assert not any("beats baseline" in f.rule for f in (*better.findings, *worse.findings))
