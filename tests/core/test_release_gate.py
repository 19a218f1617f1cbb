from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from homeostat.core.evaluation import Compared, Comparison, Evaluation, Judged, Scored, Settings, compare, evaluate
from homeostat.core.evidence_table import evidence_table
from homeostat.core.findings import Decision, Finding, Interval, Versions, Versus
from homeostat.core.headlines import headline, summary
from homeostat.core.intervals import Measure
from homeostat.core.release_gate import (
    beats_baseline,
    calibrated,
    decide_release,
    enough_rows,
    no_slice_gets_worse,
    not_worse_than_champion,
    objections,
    too_good,
)
from homeostat.core.rules import Reason, Rule
from homeostat.core.sentences import sentence

LIMITS = SimpleNamespace(beats_baseline=0.02, not_worse=0.005, slice_not_worse=0.10, calibration=0.35)
RIGHT = Measure(1.0, 0.9, 1.1)


def evaluation(rows: int = 1000, calibration: Measure = RIGHT, task: str = "binary", **metrics: Measure) -> Evaluation:
    return Evaluation("o", task, "log_loss", 200, Judged(rows, 0.2, {"calibration": calibration, **metrics}))


def versus(share: float | None, other_calibration: float | None = 1.0, **slices: Compared) -> Comparison:
    loss = None if share is None else 0.4 * (1 + share)
    overall = Compared(1000, loss, 0.4, Measure(share), 1.0, other_calibration)
    return Comparison("log_loss", 200, overall, {"kind": slices})


def part(share: float | None, low: float | None = None, rows: int = 300) -> Compared:
    return Compared(rows, 0.4, 0.4, Measure(share, low, None if low is None else 1.0))


@pytest.mark.parametrize(("rows", "outcome"), [(200, "pass"), (199, "too few to say"), (0, "too few to say")])
def test_enough_rows(rows: int, outcome: str) -> None:
    found = enough_rows(evaluation(rows))
    assert (found.rule, found.subject, found.outcome) == (Rule.ENOUGH_ROWS, "o", outcome)
    assert (found.value, found.limit) == (rows, 200)


@pytest.mark.parametrize(
    ("share", "outcome", "text"),
    [
        (-0.05, "pass", "log loss 0.38 is 5 % below the baseline's 0.4 on 1,000 rows (2 % below is needed)"),
        (-0.02, "pass", "2 % below the baseline's"),
        (-0.019, "fail", "1.9 % below the baseline's 0.4 on 1,000 rows (2 % below is needed)"),
        (0.0, "fail", "level with the baseline's"),
        (0.3, "fail", "30 % above"),
        (None, "too few to say", "too few"),
    ],
)
def test_beats_baseline(share: float | None, outcome: str, text: str) -> None:
    found = beats_baseline("o", versus(share), LIMITS, 0.95)
    assert (found.rule, found.subject, found.outcome) == (Rule.BEATS_BASELINE, "o", outcome)
    assert found.limit == 0.02
    assert found.value == (None if share is None else pytest.approx(-share))
    assert text in sentence(found)


@pytest.mark.parametrize(
    ("share", "outcome"),
    [(-0.1, "pass"), (0.005, "pass"), (0.006, "fail"), (None, "too few to say")],
)
def test_not_worse_than_champion(share: float | None, outcome: str) -> None:
    found = not_worse_than_champion("o", versus(share), LIMITS, 0.95)
    assert (found.rule, found.outcome, found.value, found.limit) == (Rule.NOT_WORSE, outcome, share, 0.005)


def test_worse_than_the_champion_but_not_significantly_is_no_harm() -> None:
    def of(low: float) -> Finding:
        against = Comparison("log_loss", 200, part(0.02, low), {})
        return not_worse_than_champion("o", against, LIMITS, 0.95)

    assert (of(-0.01).outcome, of(0.01).outcome) == ("pass", "fail")
    assert of(0.01).interval == Interval(0.01, 1.0, 0.95)
    assert sentence(of(-0.01)).endswith("(95 % CI -1 % to +100 %), not significant (0.5 % above is allowed)")


@pytest.mark.parametrize(
    ("slices", "outcome", "worst", "text"),
    [
        (
            {"x": part(-0.1, -0.2), "y": part(0.05, 0.01)},
            "pass", "y", "the worst of 2 slices: log loss in kind y is 5 % above",
        ),
        ({"x": part(0.3, 0.1), "y": part(0.2, 0.05)}, "fail", "x", "kind x is 30 % above the champion's on 300 rows"),
        ({"x": part(0.3, -0.1)}, "pass", "x", "not significant"),
        ({"x": part(0.3)}, "pass", "x", "in too few blocks to say"),
        ({"x": part(0.3, -0.1), "y": part(0.11, 0.02)}, "fail", "y", "significant (10 % above is allowed); 1 such"),
        ({"x": part(None, rows=10)}, "too few to say", None, "no slice has 200 rows to judge it by"),
        ({}, "too few to say", None, "no slice has 200 rows to judge it by"),
    ],
)  # fmt: skip
def test_no_slice_gets_worse(slices: dict[str, Compared], outcome: str, worst: str | None, text: str) -> None:
    found = no_slice_gets_worse("o", versus(0.0, **slices), LIMITS, 0.95)
    assert (found.rule, found.outcome, found.facts.get("slice")) == (Rule.SLICES, outcome, worst)
    assert found.value == (slices[worst].share.value if worst else None)
    assert text in sentence(found)


@pytest.mark.parametrize(
    ("calibration", "champions", "outcome", "text"),
    [
        (Measure(1.3, 1.2, 1.4), None, "pass", "predicted/observed ratio 1.30 on 1,000 held-out events"),
        (Measure(0.5, 0.4, 0.6), None, "fail", "ratio 0.50"),
        (Measure(1.6, 1.5, 1.7), None, "fail", "(95 % CI 1.50 to 1.70), 60 % off (limit 35 %)"),
        (Measure(1.6, 1.2, 2.0), None, "pass", "not significant"),
        (Measure(1.6, 0.8, 2.0), None, "pass", "not significant"),
        (Measure(1.6, 1.5, 1.7), 1.7, "pass", "no further off than the champion's 1.70"),
        (Measure(1.6, 1.5, 1.7), 0.3, "pass", "no further off than the champion's 0.30"),
        (Measure(1.6, 1.5, 1.7), 1.5, "fail", "ratio 1.60"),
        (Measure(1.6), None, "too few to say", "in too few blocks"),
        (Measure(None), None, "too few to say", "1,000 held-out events are too few"),
    ],
)
def test_calibration(calibration: Measure, champions: float | None, outcome: str, text: str) -> None:
    champion = None if champions is None else versus(0.0, other_calibration=champions)
    found = calibrated(evaluation(calibration=calibration), champion, LIMITS, 0.95)
    assert (found.rule, found.subject, found.outcome, found.limit) == (Rule.HELD_OUT_CALIBRATION, "o", outcome, 0.35)
    assert (found.value is None) == (outcome == "too few to say")
    assert text in sentence(found)


def decide(**change: Any) -> Decision:
    given: dict[str, Any] = {
        "candidate": {"o": evaluation()},
        "baseline": {"o": versus(-0.1)},
        "champion": {"o": versus(-0.01, x=part(0.01, -0.1))},
        "is_baseline": False,
        "confidence": 0.95,
    }
    return decide_release(**(given | change), limits=LIMITS)


def against(decision: Decision) -> list[str]:
    return [f.name for f in objections(decision.findings)]


def test_a_candidate_that_passes_is_released() -> None:
    found = decide()
    assert (found.action, found.reason, against(found)) == ("release", Reason.PASSED, [])
    assert [f.name for f in found.findings] == [
        "o: enough rows", "o: beats baseline", "o: not worse than champion", "o: no slice gets worse",
        "o: held-out calibration",
    ]  # fmt: skip
    assert headline(found) == "Release: the candidate passes its gate (o -1 % against the champion)."


@pytest.mark.parametrize(
    ("change", "objection", "measured"),
    [
        ({"baseline": {"o": versus(-0.01)}}, "o: beats baseline", "-1 % (limit -2 %)"),
        ({"champion": {"o": versus(0.02)}}, "o: not worse than champion", "+2 % (limit +0.5 %)"),
        ({"champion": {"o": versus(0.0, x=part(0.3, 0.1))}}, "o: no slice gets worse", "+30 % (limit +10 %)"),
        (
            {"candidate": {"o": evaluation(calibration=Measure(2.0, 1.9, 2.1))}},
            "o: held-out calibration", "2.00 (limit 1 ± 35 %)",
        ),
        ({"candidate": {"o": evaluation(rows=20)}}, "o: enough rows", "20 (limit 200)"),
        ({"baseline": {"o": versus(None)}}, "o: beats baseline", "(limit -2 %)"),
    ],
)  # fmt: skip
def test_a_candidate_that_loses_is_kept_back_by_what_it_loses_on(
    change: dict[str, Any], objection: str, measured: str
) -> None:
    found = decide(**change)
    assert (found.action, found.reason, against(found)) == ("keep", Reason.FAILED, [objection])
    assert len(found.findings) == 5
    assert summary(found) == f"the candidate fails its gate: `{objection}` {measured}"


def test_every_objection_is_named() -> None:
    found = decide(baseline={"o": versus(0.5)}, champion={"o": versus(0.2)})
    assert against(found) == ["o: beats baseline", "o: not worse than champion"]


def test_without_a_champion_the_baseline_alone_is_to_beat() -> None:
    assert decide(champion=None).action == "release"
    assert decide(champion=None, baseline={"o": versus(0.0)}).action == "keep"


def test_one_objective_that_loses_stops_the_release() -> None:
    both = {"o": evaluation(), "p": evaluation()}
    found = decide(candidate=both, baseline={"o": versus(-0.1), "p": versus(0.1)}, champion=None)
    assert (found.action, against(found)) == ("keep", ["p: beats baseline"])


def test_an_objective_that_is_new_has_no_champion_to_beat() -> None:
    both = {"o": evaluation(), "p": evaluation()}
    found = decide(candidate=both, baseline={"o": versus(-0.1), "p": versus(-0.1)})
    assert found.action == "release"
    assert [f.subject for f in found.findings if f.rule == Rule.NOT_WORSE] == ["o"]


@pytest.mark.parametrize("rows", [0, 1000])
def test_the_first_release_need_not_beat_itself(rows: int) -> None:
    found = decide(candidate={"o": evaluation(rows)}, baseline={"o": versus(0.0)}, champion=None, is_baseline=True)
    assert (found.action, found.reason) == ("release", Reason.FIRST)
    assert Rule.BEATS_BASELINE not in {f.rule for f in found.findings}
    first = replace(found, versions=Versions(candidate="v0.1.0"))
    assert headline(first) == "Release: v0.1.0, the baseline, is the first in service."


def test_ranking_scores_need_no_calibration() -> None:
    found = decide(candidate={"o": evaluation(task="ranking")})
    assert Rule.HELD_OUT_CALIBRATION not in {f.rule for f in found.findings}


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
        return decide_release({"o": found}, against["baseline"], against["champion"], LIMITS, False, 0.95)

    assert decision(chance).action == "release"
    flipped = decision(1 - chance)
    assert flipped.action == "keep"
    assert {f.name for f in flipped.findings if f.failed} == {
        "o: beats baseline", "o: not worse than champion", "o: no slice gets worse", "o: held-out calibration",
    }  # fmt: skip


def test_a_baseline_made_again_is_compared_with_the_champion_alone() -> None:
    better = decide(baseline={"o": versus(0.0)}, champion={"o": versus(-0.02)}, is_baseline=True)
    worse = decide(baseline={"o": versus(0.0)}, champion={"o": versus(0.5)}, is_baseline=True)
    assert (better.action, worse.action) == ("release", "keep")
    assert Rule.BEATS_BASELINE not in {f.rule for f in (*better.findings, *worse.findings)}


def test_an_evaluation_says_that_the_candidate_would_be_released() -> None:
    evaluated = replace(decide(), action="keep", reason=Reason.WOULD_PASS)
    command = "`homeostat promote candidate --why TEXT` releases it now"
    passes = f"the candidate passes its gate (o -1 % against the champion) and would be released; {command}."
    assert headline(evaluated) == f"Nothing in service: {passes}"
    assert headline(replace(evaluated, versions=Versions("v0.2.0"))) == f"Keep v0.2.0: {passes}"
    itself = replace(evaluated, versions=Versions("v0.2.0", candidate="v0.2.0"))
    assert headline(itself) == "Keep v0.2.0: the candidate is v0.2.0 itself, byte for byte."


def test_a_candidate_has_a_version_once_it_is_released() -> None:
    compared = (Versus("o", "", "v0.1.0", 0.3, 0.4, -0.25, 9), Versus("o", "v0.1.0", "v0.2.0", 0.3, 0.4, -0.25, 9))
    decision = Decision("retrain", Reason.PASSED, Versions("v0.1.0"), comparisons=compared)
    released = decision.with_candidate("v0.3.0")
    assert headline(released) == "Retrain: v0.3.0 replaces v0.1.0 (o -25 %)."
    assert [c.version for c in released.comparisons] == ["v0.3.0", "v0.1.0"]


def test_drift_that_explains_is_no_rule_that_failed() -> None:
    passed = Finding(Rule.MISSING, "", "pass", 0.0, 0.2)
    unsure = Finding(Rule.QUALITY, "o", "too few to say", None, 0.1)
    drifted = Finding(Rule.COLUMN_DRIFT, "load", "explains", 0.5, 0.2, facts={"method": "psi"})
    quiet = Decision("nothing", Reason.NOTHING_DUE, Versions("v0.1.0"), (passed, unsure, drifted))
    assert headline(quiet) == "Keep v0.1.0: none of 2 rules failed, 1 had too little to say; 1 feature drifted."
    assert not drifted.failed and [row.outcome for row in evidence_table(quiet).rows] == [
        "explains", "too few to say", "pass",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("auc", "share", "text"),
    [
        (0.985, -0.3, "AUC 0.985 on held-out events is too good to trust: it rests on closed_by, refund"),
        (0.9, -0.95, "95 % below on held-out events is too good to trust"),
        (0.97, -0.85, ""),
    ],
)
def test_a_candidate_that_is_too_good_is_a_finding_and_stops_nothing(auc: float, share: float, text: str) -> None:
    finding = too_good(evaluation(auc=Measure(auc)), versus(share))
    if not text:
        assert finding is None
        return
    assert finding is not None and not objections([finding])
    named = replace(finding, facts={**finding.facts, "features": ["closed_by", "refund"]})
    assert text in sentence(named)
    first = Decision("release", Reason.PASSED, Versions("", "", "v0.1.0"), (named,))
    assert headline(first).endswith("o is too good to trust, resting on closed_by, refund.")
