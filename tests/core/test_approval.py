"""What waits for a person, what is done if nobody answers, and how both are said."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from homeostat.core.approval import (
    Outcome,
    PendingApproval,
    approval_finding,
    dropped,
    needs_approval,
    put_off,
    risk_of,
    taken_up,
)
from homeostat.core.findings import Action, Decision, Interval, Option, Trigger, Versions
from homeostat.core.headlines import headline
from homeostat.core.incidents import update_incidents
from homeostat.core.option_verdicts import verdict_on
from homeostat.core.rules import Reason, Rule
from homeostat.core.sentences import sentence

NOW = datetime(2024, 3, 1)
UNTIL = NOW + timedelta(hours=12)
RECORD = "reports/decisions/2024-03-01T000000.json"


@dataclass(frozen=True)
class Limits:
    actions: tuple[str, ...] = ("retrain", "roll back", "fall back", "recalibrate")
    above: float | None = None
    within: timedelta = timedelta(hours=12)
    by: tuple[str, ...] = ()


def option(action: Action, high: float | None) -> Option:
    interval = None if high is None else Interval(-0.3, high, 0.9)
    return Option(action, "v0.4.0", 900, 90.0, None, -0.1, interval)


def decided(action: Action, reason: Reason, high: float | None = 0.02) -> Decision:
    keep = Option("nothing", "v0.3.0", 900, 100.0)
    return Decision(
        action, reason, Versions("v0.3.0", "v0.2.0"), trigger=Trigger(("high: quality",)),
        facts={"calibrators": {"high": [0.6, 1.02]}}, options=(keep, option(action, high)),
    )  # fmt: skip


RETRAIN = decided("retrain", Reason.PASSED)
BACK = decided("roll back", Reason.PREVIOUS_BETTER)
ACTIONS = [
    (RETRAIN, "keep"), (BACK, "roll back"), (decided("fall back", Reason.WORSE_THAN_BASELINE), "fall back"),
    (decided("recalibrate", Reason.LEVEL), "keep"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("decision", "limits", "waits"),
    [
        (RETRAIN, None, False),  # a scope that says nothing
        (RETRAIN, Limits(), True),
        (RETRAIN, Limits(actions=("fall back",)), False),
        (RETRAIN, Limits(above=0.01), True),
        (RETRAIN, Limits(above=0.02), False),  # not above
        (decided("retrain", Reason.PASSED, None), Limits(above=0.5), True),  # too few events to say what it costs
        (replace(RETRAIN, options=()), Limits(above=0.5), True),
        (decided("retrain", Reason.PASSED, -0.05), Limits(above=0.0), False),  # surely cheaper
        (decided("nothing", Reason.FAILED), Limits(), False),
        (decided("release", Reason.FIRST), Limits(), False),  # nothing serves meanwhile
    ],
)
def test_what_the_scope_names_waits_where_it_may_cost_more(
    decision: Decision, limits: Limits | None, waits: bool
) -> None:
    assert needs_approval(decision, limits) is waits
    after = put_off(decision, limits, NOW)
    assert (after.reason == Reason.WAITS) is waits
    assert waits or after is decision


@pytest.mark.parametrize(("decision", "default"), ACTIONS)
def test_unanswered_known_good_comes_back_and_what_never_served_does_not(decision: Decision, default: str) -> None:
    waits = put_off(decision, Limits(by=("ann",)), NOW)
    assert waits.action == "nothing" and waits.findings == decision.findings
    pending = PendingApproval.of(Decision.from_dict(json.loads(json.dumps(waits.to_dict()))))
    assert pending == PendingApproval(
        decision.action, decision.reason, UNTIL, default, risk_of(decision), ("ann",)  # type: ignore[arg-type]
    )  # fmt: skip
    stays = "v0.3.0 stays" if default == "keep" else "it is done"
    line = f"Keep v0.3.0: {decision.action} waits for approval until 2024-03-01 12:00; if nobody answers, {stays}: "
    assert headline(waits).startswith(line) and headline(waits).endswith("Trigger: `high: quality`.")
    shown = sentence(approval_finding(waits, NOW, RECORD))
    done = "v0.3.0 stays" if default == "keep" else f"the loop does it: {decision.action}"
    waits_for = f"to {decision.action} waits for the approval of ann until 2024-03-01 12:00"
    assert shown == f"{waits_for}; if nobody answers, {done}"
    assert verdict_on(waits.options[1], waits) == "waits for approval"


def outcome(answer: str, who: str = "", why: str = "", action: Action = "retrain") -> Outcome:
    return Outcome(action, answer, NOW, UNTIL, RECORD, who, why)


@pytest.mark.parametrize(
    ("became", "line"),
    [
        (outcome("decline", "ann", "odd data"), "ann declined to retrain, as decided on 2024-03-01 00:00: odd data"),
        (outcome("none"), "nobody approved to retrain, as decided on 2024-03-01 00:00, until 2024-03-01 12:00"),
        (outcome("void", why="v0.4.0 is in service now"),
         "the decision of 2024-03-01 00:00 to retrain is void: v0.4.0 is in service now"),
    ],
)  # fmt: skip
def test_what_is_not_done_says_why(became: Outcome, line: str) -> None:
    decision = dropped(put_off(RETRAIN, Limits(), NOW), became)
    assert decision.action == "nothing"
    assert headline(decision) == f"Keep v0.3.0: {line}. Trigger: `high: quality`."
    assert Outcome.of(Decision.from_dict(json.loads(json.dumps(decision.to_dict())))) == became


def test_what_is_done_is_what_was_proposed_with_who_approved_it() -> None:
    decision = taken_up(put_off(RETRAIN, Limits(), NOW), outcome("approve", "ann", "looks right"))
    assert (decision.action, decision.reason, decision.options) == ("retrain", Reason.PASSED, RETRAIN.options)
    assert headline(decision.with_candidate("v0.4.0")) == (
        "Retrain: v0.4.0 replaces v0.3.0. Trigger: `high: quality`. Approved by ann: looks right."
    )
    alone = taken_up(put_off(BACK, Limits(), NOW), outcome("none", action="roll back"))
    assert headline(alone).endswith("Nobody answered until 2024-03-01 12:00.")


def test_what_was_declined_is_not_proposed_again_and_anything_else_is() -> None:
    no = outcome("decline", "ann", "odd data")
    again = put_off(RETRAIN, Limits(), NOW, no)
    assert (again.action, again.reason) == ("nothing", Reason.DECLINED) and "ann declined to retrain" in headline(again)
    assert put_off(BACK, Limits(), NOW, no).reason == Reason.WAITS
    assert put_off(RETRAIN, None, NOW, no) is RETRAIN


def test_it_is_one_incident_that_ends_with_the_answer() -> None:
    asked = approval_finding(put_off(RETRAIN, Limits(), NOW), NOW, RECORD)
    first = update_incidents((), [asked], NOW, budget=0.01)
    assert [i.finding.rule for i in first.opened] == [Rule.APPROVAL] and not first.opened[0].noted
    assert "closes with the answer, or the deadline" in first.open[0].progress
    later = update_incidents(first.open, [asked], NOW + timedelta(hours=1), budget=0.01)
    assert (later.opened, len(later.open)) == ((), 1)
    over = update_incidents(later.open, [replace(asked, outcome="pass")], UNTIL, budget=0.01)
    assert (over.open, [i.closed for i in over.closed]) == ((), [UNTIL])
