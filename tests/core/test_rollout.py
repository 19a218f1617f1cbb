"""A step of a rollout: who is in it, and whether it goes on."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.core.confidence_sequence import Bounds
from homeostat.core.evaluation import Compared, Comparison
from homeostat.core.findings import Decision, Versions
from homeostat.core.headlines import headline
from homeostat.core.intervals import Measure
from homeostat.core.rollout import Arm, Measured, decide_step, in_canary, next_share, rollout_alarm
from homeostat.core.rules import Rule
from homeostat.core.sentences import sentence

PARTS = st.one_of(st.text(max_size=9), st.integers(), st.none(), st.datetimes(), st.floats(allow_nan=False))
UNITS = st.lists(PARTS, min_size=1, max_size=4)
SHARES = st.floats(0, 1)
DAY = timedelta(days=1)


@given(UNITS, st.text(max_size=5), SHARES, SHARES)
def test_a_key_that_is_in_stays_in_as_the_share_rises(unit: list[Any], salt: str, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert in_canary(unit, salt, low) <= in_canary(unit, salt, high)
    assert in_canary(unit, salt, high) == in_canary(tuple(unit), salt, high)
    assert in_canary(unit, salt, 1.0) and not in_canary(unit, salt, 0.0)


@pytest.mark.parametrize("share", [0.05, 0.25, 0.6])
def test_the_share_is_kept_and_each_challenger_has_its_own_keys(share: float) -> None:
    units = [(f"m{n % 97}", datetime(2024, 1, 1) + timedelta(hours=n)) for n in range(4000)]
    one, other = ([in_canary(u, salt, share) for u in units] for salt in ("a", "b"))
    assert abs(np.mean(one) - share) < 4 * np.sqrt(share * (1 - share) / 4000)
    assert abs(np.mean(np.logical_and(one, other)) - share**2) < 4 * np.sqrt(share**2 / 4000)


def test_a_key_is_placed_the_same_on_every_machine() -> None:
    """By the bits: another Python, another hash seed or another processor does not move it."""
    placed = [n for n in range(40) if in_canary([f"m{n}", datetime(2024, 3, 1, n % 24)], "bundle", 0.2)]
    assert placed == PLACED


PLACED = [6, 22, 23, 25, 27, 28, 29, 39]


@dataclass(frozen=True)
class Limits:
    steps: tuple[float, ...] = (0.05, 0.25)
    hold: timedelta = DAY
    patience: timedelta = 7 * DAY
    events: int = 200
    errors: float = 0.01
    latency: float = 0.1
    score_drift: float = 0.5


def arm(version: str, events: int = 1000, failures: int = 0, seconds: float = 0.01, answers: int = 1000) -> Arm:
    return Arm(version, events, failures, np.full(answers, seconds))


def drift(score: float | None, chance: float = 0.01, state: str = "compared") -> dict[str, Any]:
    return {"late": {"state": state, "method": "psi", "score": score, "chance": chance}}


def loss(share: float | None, low: float | None) -> dict[str, Comparison]:
    high = None if low is None or share is None else 2 * share - low
    return {"late": Comparison("log_loss", 20, Compared(500, 0.4, 0.35, Measure(share, low, high)))}


WELL = Measured(arm("v1"), arm("v2"), 0.05, 2 * DAY, drift(0.1), loss(0.02, -0.01))
SHADOW = replace(WELL, share=None)
IDLE = {"challenger": arm("v2", answers=0), "champion": arm("v1", answers=0)}
NONE: list[str] = []
CASES: list[tuple[str, Measured, str, list[str]]] = [  # with the findings that fail
    ("all is well", WELL, "advance", NONE),
    ("the last step", replace(WELL, share=0.25), "advance", NONE),
    ("a shadow that is well", SHADOW, "advance", NONE),
    ("too soon", replace(WELL, elapsed=DAY / 2), "hold", NONE),
    ("too few events", replace(WELL, challenger=arm("v2", 150)), "hold", NONE),
    ("for too long", replace(WELL, challenger=arm("v2", 9), elapsed=8 * DAY), "hold", NONE),
    ("no request", replace(WELL, **IDLE), "advance", NONE),
    ("no label yet", replace(WELL, quality=loss(None, None)), "advance", NONE),
    ("too few blocks of labels", replace(WELL, quality=loss(0.5, None)), "advance", NONE),
    ("fails", replace(WELL, challenger=arm("v2", failures=40)), "roll back", ["errors"]),
    ("fails at once", replace(WELL, challenger=arm("v2", 3, 3, answers=0), elapsed=DAY / 99), "roll back", ["errors"]),
    ("fails once by chance", replace(WELL, challenger=arm("v2", failures=1)), "advance", NONE),
    (
        "fails as the champion does",
        replace(WELL, champion=arm("v1", failures=50), challenger=arm("v2", failures=55)), "advance", NONE,
    ),
    ("is slow", replace(WELL, challenger=arm("v2", seconds=0.3)), "roll back", ["latency"]),
    ("is slower within the limit", replace(WELL, challenger=arm("v2", seconds=0.09)), "advance", NONE),
    (
        "both are slow",
        replace(WELL, champion=arm("v1", seconds=0.4), challenger=arm("v2", seconds=0.3)), "advance", NONE,
    ),
    ("too few to time", replace(WELL, challenger=arm("v2", seconds=0.3, answers=20)), "advance", NONE),
    ("other scores", replace(WELL, drift=drift(0.8)), "roll back", ["late: scores"]),
    ("other scores at once", replace(WELL, drift=drift(0.8), elapsed=DAY / 99), "roll back", ["late: scores"]),
    ("too few scores to compare", replace(WELL, drift=drift(0.8, chance=0.4)), "hold", NONE),
    ("no scores at all", replace(WELL, drift=drift(None, state="empty")), "roll back", ["late: scores"]),
    ("significantly worse", replace(WELL, quality=loss(0.06, 0.01)), "roll back", ["late: loss"]),
    ("worse, not significantly", replace(WELL, quality=loss(0.06, -0.01)), "advance", NONE),
    ("worse within the limit", replace(WELL, quality=loss(0.004, 0.001)), "advance", NONE),
    ("worse, but too soon to say", replace(WELL, quality=loss(0.06, 0.01), elapsed=DAY / 2), "hold", NONE),
    ("cannot be loaded", replace(WELL, unloaded=("disk full",)), "roll back", ["loads"]),
]  # fmt: skip


def step(measured: Measured) -> Decision:
    return decide_step(measured, Limits(), 0.005, 0.95, "reports/rollouts/x.json")


@pytest.mark.parametrize(("measured", "action", "failed"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_a_step_goes_on_waits_or_is_taken_back(measured: Measured, action: str, failed: list[str]) -> None:
    decision = step(measured)
    assert decision.action == action, headline(decision)
    assert [f.name for f in decision.findings if f.failed] == failed
    assert decision.versions == Versions("v1", candidate="v2")
    assert decision.evidence == ("reports/rollouts/x.json",)
    assert all(sentence(f) and f.evidence == decision.evidence for f in decision.findings)
    assert Decision.from_dict(json.loads(json.dumps(decision.to_dict()))) == decision


@pytest.mark.parametrize(
    ("measured", "line"),
    [
        (WELL, "Advance: v2 goes from 5 % of keys to 25 % of keys."),
        (replace(WELL, share=0.25), "Advance: v2 replaces v1 for all keys."),
        (SHADOW, "Advance: v2 replaces v1 for all keys."),
        (replace(WELL, elapsed=DAY / 2), "Hold: v2 stays at 5 % of keys: the step has run 12 h of 24 h."),
        (
            replace(WELL, challenger=arm("v2", 9), elapsed=8 * DAY),
            "Hold: v2 stays at 5 % of keys: too few to say `enough events` 9 (limit 200); it has waited 8 days: "
            "promote it or roll back to end this.",
        ),
        (
            replace(SHADOW, challenger=arm("v2", failures=40)),
            "Roll back: v2 is taken back from shadow, v1 answers all; failed `errors` +3.8 % (limit +1 %).",
        ),
    ],
)
def test_a_step_in_one_line(measured: Measured, line: str) -> None:
    assert headline(step(measured)) == line


@pytest.mark.parametrize(
    ("change", "rule", "text"),
    [
        ({"challenger": arm("v2", failures=40)}, Rule.ERRORS,
         "the challenger failed 40 of 1,040 requests (3.8 %), the champion 0 of 1,000: more than 1 % above it"),
        ({"challenger": arm("v2", seconds=0.3)}, Rule.LATENCY,
         "95 % of the challenger's answers come within 300 ms (95 % CI 300 ms to 300 ms), of the champion's within "
         "10 ms (limit 100 ms)"),
        ({"drift": drift(0.8)}, Rule.SCORES,
         "the challenger's scores lie 0.80 (psi) from the champion's of the same time (limit 0.5)"),
        ({"drift": drift(None, state="empty")}, Rule.SCORES, "the challenger gives no usable score"),
        ({"quality": loss(0.06, -0.01)}, Rule.LOSS,
         "the challenger's log loss 0.4 is 6 % above the champion's 0.35 on 500 mature events (95 % CI -1 % to +13 %), "
         "not significant (0.5 % above is allowed)"),
        ({"harm": {"late": Bounds(0.02, 0.004, 0.036, 640)}}, Rule.SURELY_WORSE,
         "the challenger's squared error lies +0.0200 beside the champion's on 640 mature observations (95 % CI "
         "+0.0040 to +0.0360): worse, however often it is looked at"),
        ({"harm": {"late": Bounds(0.02, -0.004, 0.044, 640)}}, Rule.SURELY_WORSE,
         "the challenger's squared error lies +0.0200 beside the champion's on 640 mature observations (95 % CI "
         "-0.0040 to +0.0440)"),
        ({"unloaded": ("disk full",)}, Rule.LOADS, "the challenger could not be loaded (1 time): disk full"),
        (IDLE, Rule.ERRORS, "no request reached the challenger"),
    ],
)  # fmt: skip
def test_a_finding_of_a_step_in_words(change: dict[str, Any], rule: Rule, text: str) -> None:
    assert [sentence(f) for f in step(replace(WELL, **change)).findings if f.rule == rule] == [text]


def test_a_challenger_that_is_surely_worse_is_taken_back_before_the_step_has_had_its_time() -> None:
    early = replace(WELL, elapsed=DAY / 8)
    assert step(replace(early, harm={"late": Bounds(0.02, 0.004, 0.036, 640)})).action == "roll back"
    assert step(replace(early, harm={"late": Bounds(0.02, -0.004, 0.044, 640)})).action == "hold"
    assert step(replace(early, harm={"late": Bounds(-0.02, -0.03, -0.01, 640)})).action == "hold"


def test_a_step_is_stuck_where_events_do_not_come() -> None:
    late = replace(WELL, challenger=arm("v2", 9), elapsed=8 * DAY)
    cases = ((late, True), (replace(late, elapsed=2 * DAY), False), (replace(WELL, elapsed=8 * DAY), False))
    for measured, stuck in cases:
        assert step(measured).facts["stuck"] is stuck


@pytest.mark.parametrize(
    ("decision", "text"),
    [
        (None, None),
        (step(WELL), None),
        (step(replace(WELL, elapsed=DAY / 2)), None),
        (step(replace(WELL, drift=drift(0.8))), "taken back, v1 answers all; failed late: scores"),
        (step(replace(WELL, challenger=arm("v2", 9), elapsed=8 * DAY)),
         "has waited for events for 8 days: promote it or roll back to end this"),
    ],
)  # fmt: skip
def test_what_alerts(decision: Decision | None, text: str | None) -> None:
    alarm = rollout_alarm(decision)
    assert (alarm.rule, alarm.failed) == (Rule.ROLLOUT, text is not None)
    assert alarm.subject == ("v2" if text else "")
    assert text is None or sentence(alarm) == text


def test_steps_follow_one_another() -> None:
    steps, shares, share = (0.01, 0.1, 0.5), [], 0.0
    while (following := next_share(steps, share)) is not None:
        shares.append(share := following)
    assert shares == list(steps)
