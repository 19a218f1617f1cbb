"""A step of a rollout: who is in it, and whether it goes on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.core.evaluation import Compared, Comparison
from homeostat.core.intervals import Measure
from homeostat.core.rollout import Arm, Seen, decide_step, in_canary, next_share, stuck

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


WELL = Seen(arm("v1"), arm("v2"), 0.05, 2 * DAY, drift(0.1), loss(0.02, -0.01))
SHADOW = replace(WELL, share=None)
CASES: list[tuple[str, Seen, str, str]] = [
    ("all is well", WELL, "advance", "Go on with v2, from 5% of keys to 25% of keys"),
    ("the last step", replace(WELL, share=0.25), "advance", "v2 serves everything in place of v1"),
    ("a shadow that is well", SHADOW, "advance", "v2 serves everything in place of v1"),
    ("too soon", replace(WELL, elapsed=DAY / 2), "hold", "its step has had 12 h of 24 h"),
    ("too few events", replace(WELL, challenger=arm("v2", 150)), "hold", "not enough yet, v2 scored 150 events, of"),
    ("for too long", replace(WELL, challenger=arm("v2", 9), elapsed=8 * DAY), "hold", "promote it, or roll back"),
    ("no request", replace(WELL, challenger=arm("v2", answers=0), champion=arm("v1", answers=0)), "advance", "Go on"),
    ("no label yet", replace(WELL, quality=loss(None, None)), "advance", "Go on"),
    ("too few blocks of labels", replace(WELL, quality=loss(0.5, None)), "advance", "Go on"),
    ("fails", replace(WELL, challenger=arm("v2", failures=40)), "roll back", "v2 failed 40 of 1,040 requests (3.8%)"),
    ("fails at once", replace(WELL, challenger=arm("v2", 3, 3, answers=0), elapsed=DAY / 99), "roll back", "3 of 3"),
    ("fails once by chance", replace(WELL, challenger=arm("v2", failures=1)), "advance", "Go on"),
    (
        "fails as the champion does",
        replace(WELL, champion=arm("v1", failures=50), challenger=arm("v2", failures=55)), "advance", "Go on",
    ),
    ("is slow", replace(WELL, challenger=arm("v2", seconds=0.3)), "roll back", "within 300 ms, of v1's within 10 ms"),
    ("is slower within the limit", replace(WELL, challenger=arm("v2", seconds=0.09)), "advance", "Go on"),
    ("both are slow", replace(WELL, champion=arm("v1", seconds=0.4), challenger=arm("v2", seconds=0.3)), "advance", ""),
    ("too few to time", replace(WELL, challenger=arm("v2", seconds=0.3, answers=20)), "advance", "Go on"),
    ("other scores", replace(WELL, drift=drift(0.8)), "roll back", "the scores of late by v2 lie 0.80 from v1's"),
    ("other scores at once", replace(WELL, drift=drift(0.8), elapsed=DAY / 99), "roll back", "over the limit of 0.5"),
    ("too few scores to compare", replace(WELL, drift=drift(0.8, chance=0.4)), "hold", "too few scores of late"),
    ("no scores at all", replace(WELL, drift=drift(None, state="empty")), "roll back", "v2 gives no usable score"),
    ("worse beyond chance", replace(WELL, quality=loss(0.06, 0.01)), "roll back", "6.0% above v1's 0.35 on 500"),
    ("worse by chance", replace(WELL, quality=loss(0.06, -0.01)), "advance", "which chance explains"),
    ("worse within the limit", replace(WELL, quality=loss(0.004, 0.001)), "advance", "Go on"),
    ("worse, but asked too soon", replace(WELL, quality=loss(0.06, 0.01), elapsed=DAY / 2), "hold", "Hold v2"),
    ("cannot be loaded", replace(WELL, unloaded=("disk full",)), "roll back", "v2 could not be loaded: disk full"),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "action", "words"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_step_goes_on_waits_or_is_taken_back(seen: Seen, action: str, words: str) -> None:
    decision = decide_step(seen, Limits(), 0.005, 0.95, "reports/rollouts/x.json")
    assert decision.action == action, decision.sentence
    assert words in decision.sentence
    assert decision.evidence == ("reports/rollouts/x.json",)
    assert {f.failed for f in decision.findings} == ({True, False} if action == "roll back" else {False})
    if action == "roll back":
        assert decision.sentence.startswith("Take v2 back (")


def test_a_step_is_stuck_where_events_do_not_come() -> None:
    late = replace(WELL, challenger=arm("v2", 9), elapsed=8 * DAY)
    for seen, said in ((late, True), (replace(late, elapsed=2 * DAY), False), (replace(WELL, elapsed=8 * DAY), False)):
        assert stuck(decide_step(seen, Limits(), 0.005, 0.95, "x"), seen, Limits()) is said


def test_steps_follow_one_another() -> None:
    steps, shares, share = (0.01, 0.1, 0.5), [], 0.0
    while (following := next_share(steps, share)) is not None:
        shares.append(share := following)
    assert shares == list(steps)
