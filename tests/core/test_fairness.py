"""Who is given alerts, by group: rates with intervals, and the differences that fairlearn measures."""

from __future__ import annotations

import numpy as np
import pytest

from homeostat.core.fairness import ODDS, PARITY, Group, gap, groups_of
from homeostat.core.findings import TOO_FEW, Outcome
from homeostat.core.intervals import Measure, Settings
from homeostat.core.optional_gates import fair
from homeostat.core.sentences import sentence

Rate = tuple[float, float, float]
SETTINGS = Settings(resamples=200, confidence=0.95, seed=1, min_slice=50)


def drawn() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Groups, what happened, and alerts, of which c has more than it should."""
    rng = np.random.default_rng(5)
    group = rng.choice(["a", "b", "c"], 3000)
    happened = rng.random(3000) < np.where(group == "a", 0.3, 0.2)
    alert = rng.random(3000) < np.where(happened, 0.6, 0.1) + np.where(group == "c", 0.15, 0)
    return group, happened, alert


def groups(least: int = 50) -> dict[str, Group]:
    group, happened, alert = drawn()
    settings = Settings(SETTINGS.resamples, SETTINGS.confidence, SETTINGS.seed, least)
    return groups_of(alert, happened, group, np.arange(3000) // 100, settings)


def test_differences_are_those_of_fairlearn() -> None:
    """The values are those of fairlearn 0.15.0 on the same draws."""
    parity, odds = gap(groups(), PARITY), gap(groups(), ODDS)
    assert parity is not None and parity.value == pytest.approx(0.1600382431471312, abs=1e-9)
    assert odds is not None and odds.value == pytest.approx(0.2182399791095443, abs=1e-9)
    assert (odds.high, parity.apart, odds.apart) == ("c", True, True)


def test_a_rate_has_an_interval_around_it() -> None:
    for one in groups().values():
        for measure in (one.alerted, one.caught, one.disturbed):
            assert measure.value is not None and measure.low is not None and measure.high is not None
            assert measure.low < measure.value < measure.high


def test_small_groups_are_not_compared() -> None:
    assert groups(least=3001) == {} and gap({}, PARITY) is None
    group = drawn()[0]
    most = max(np.unique(group, return_counts=True)[1])
    assert len(groups(least=most)) == 1 and gap(groups(least=most), ODDS) is None


def test_a_group_comes_back_from_a_record() -> None:
    one = groups()["a"]
    assert Group.from_dict(one.to_dict()) == one


def group(low: float, value: float, high: float) -> Group:
    rate = Measure(value, low, high)
    return Group(500, rate, rate, Measure(None))


@pytest.mark.parametrize(
    ("one", "other", "limit", "outcome"),
    [
        ((0.38, 0.40, 0.42), (0.18, 0.20, 0.22), 0.1, "fail"),
        ((0.38, 0.40, 0.42), (0.18, 0.20, 0.22), 0.3, "pass"),
        ((0.20, 0.40, 0.60), (0.10, 0.20, 0.30), 0.1, "pass"),  # the intervals touch
        ((0.38, 0.40, 0.42), None, 0.1, TOO_FEW),
    ],
)
@pytest.mark.parametrize("entry", ["parity", "odds"])
def test_groups_may_differ_by_so_much(
    one: Rate, other: Rate | None, limit: float, outcome: Outcome, entry: str
) -> None:
    measured = {"a": group(*one)} | ({"b": group(*other)} if other else {})
    limits = {"parity": None, "odds": None} | {entry: limit}
    (finding,) = fair({"sex": measured}, **limits)
    assert (finding.subject, finding.outcome) == ("sex", outcome)
    if outcome != TOO_FEW:
        text = sentence(finding)
        assert "40 % of a" in text and "20 % of b: 20 % apart" in text and f"release.fairness.{entry}" in text


def test_without_limits_nothing_is_asked() -> None:
    assert list(fair({"sex": {"a": group(0, 0.5, 1)}}, None, None)) == []
