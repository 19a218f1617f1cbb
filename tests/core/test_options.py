"""What each action is expected to cost, on costs that are made up, and why it was not taken."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from homeostat.core.evidence_table import evidence_table
from homeostat.core.findings import Action, Decision, Finding, Interval, Option, Outcome, Versions, Versus
from homeostat.core.intervals import Settings
from homeostat.core.option_verdicts import verdict_on
from homeostat.core.options import Costs, weigh_options
from homeostat.core.rules import Reason, Rule

SETTINGS = Settings(resamples=200, confidence=0.95, seed=1, min_slice=100)
BLOCK = np.repeat(np.arange(40), 25)
KEEP = np.where(np.random.default_rng(3).random(1000) < 0.3, 1.0, 0.0)


def weighed(cost: np.ndarray, settings: Settings = SETTINGS) -> tuple[Option, ...]:
    return weigh_options(Costs("nothing", "v0.3.0", KEEP), [Costs("roll back", "v0.2.0", cost)], BLOCK, settings)


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_an_option_has_its_cost_of_1000_events_and_its_distance_from_keeping(factor: float) -> None:
    keep, back = weighed(factor * KEEP)
    assert keep.cost == pytest.approx(1000 * KEEP.mean()) and keep.share is None
    assert back.cost == pytest.approx(factor * 1000 * KEEP.mean()) and back.rows == 1000
    assert back.share == pytest.approx(factor - 1)
    assert keep.interval is not None and keep.interval.low < 1000 * KEEP.mean() < keep.interval.high


def test_what_two_have_in_common_cancels_out() -> None:
    """A small difference that is always there is sure, although each cost by itself varies far more."""
    keep, back = weighed(KEEP + 0.01)
    assert keep.interval is not None and back.share_interval is not None and back.cost is not None
    assert keep.interval.low < back.cost < keep.interval.high
    assert back.share_interval.low > 0


def test_too_few_events_cost_nothing_that_can_be_said() -> None:
    for option in weighed(KEEP, replace(SETTINGS, min_slice=2000)):
        assert (option.rows, option.cost, option.interval, option.share) == (1000, None, None, None)


LOSES = Finding(Rule.AGAINST_BASELINE, "high", "fail", 0.2, 0.0)
BACK = Versus("high", "v0.2.0", "v0.3.0", 0.38, 0.4, -0.05, 900, Interval(-0.08, -0.02, 0.95))
LOST = Finding(Rule.NOT_WORSE, "high", "fail", 0.1, 0.05)


def option(action: Action, share: float | None = None) -> Option:
    return Option(action, "v0.2.0", 900, 80.0, Interval(70.0, 90.0, 0.95), share)


def decided(action: Action, reason: Reason, *findings: Finding, gate: tuple[Finding, ...] = ()) -> Decision:
    return Decision(action, reason, Versions("v0.3.0", "v0.2.0"), findings, gate)


@pytest.mark.parametrize(
    ("one", "decision", "verdict"),
    [
        (option("nothing"), decided("nothing", Reason.FAILED), "taken"),
        (option("nothing"), decided("retrain", Reason.PASSED), "candidate passed"),
        (option("roll back"), decided("roll back", Reason.PREVIOUS_BETTER), "taken"),
        (option("roll back"), decided("retrain", Reason.PREVIOUS_BETTER), "the candidate is better still"),
        (option("roll back"), decided("retrain", Reason.PASSED), "its loss is not significantly lower"),
        (
            option("roll back"), replace(decided("nothing", Reason.FAILED), comparisons=(BACK,)),
            "better, but by too little, or no sign points at the champion",
        ),
        (option("retrain"), decided("nothing", Reason.FAILED, gate=(LOST,)), "fails: high: not worse than champion"),
        (option("retrain"), replace(decided("nothing", Reason.BARRED), facts={"barred": {"at": ""}}), "barred"),
        (option("retrain"), decided("roll back", Reason.PREVIOUS_BETTER), "another action comes first"),
        (option("fall back"), decided("nothing", Reason.FAILED), "the champion is not worse than it"),
        (option("fall back", 0.1), decided("nothing", Reason.FAILED, LOSES), "costs more"),
        (option("fall back", -0.1), decided("retrain", Reason.PASSED, LOSES), "another action comes first"),
        (option("fall back", -0.1), decided("fall back", Reason.WORSE_THAN_BASELINE, LOSES), "taken"),
    ],
)  # fmt: skip
def test_each_action_says_why_it_was_not_taken(one: Option, decision: Decision, verdict: str) -> None:
    assert verdict_on(one, decision) == verdict


def test_the_options_head_the_table_of_evidence() -> None:
    options = (option("nothing"), option("fall back", -0.125), Option("retrain", "", 3))
    outcome: Outcome = "fail"
    decision = replace(decided("nothing", Reason.FAILED, replace(LOSES, outcome=outcome)), options=options)
    rows = [row.cells for row in evidence_table(decision).rows]
    assert rows[0] == ("cost of 1,000 events, keep: v0.2.0", "80.0 (900 events)", "", "70.0 to 90.0", "taken")
    assert rows[1][:2] == ("cost of 1,000 events, fall back: v0.2.0", "80.0 (-12.5 %, 900 events)")
    assert rows[2][:2] == ("cost of 1,000 events, retrain: the candidate", "3 events, too few to say")
