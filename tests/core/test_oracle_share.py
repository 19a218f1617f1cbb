"""What decisions save of what an oracle would: the oracle, the other ways to decide, and the intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.core.costs import cost_of_each, oracle, threshold, worth
from homeostat.core.intervals import Settings
from homeostat.core.oracle_share import BY_COSTS, HALF, ORACLE, saved, ways
from homeostat.core.weight_sweep import Reweighed

SETTINGS = Settings(resamples=100, confidence=0.9, seed=1, min_slice=1)
STAKES = {"late": Reweighed("binary", 4.0), "lost": Reweighed("binary", 12.0)}
NAN = float("nan")


def shares(late: list[float], labels: list[float], capacity: int, periods: int = 1) -> dict[str, float | None]:
    stakes = {"late": STAKES["late"]}
    period = np.repeat(np.arange(periods), len(late) // periods)
    chosen = ways({"late": np.array(late)}, stakes, period, capacity, 1.0)
    made = saved({"late": np.array(labels)}, chosen, stakes, period, capacity, 1.0, period, SETTINGS)
    return {way: one.share.value for way, one in made.items()}


@pytest.mark.parametrize(
    ("late", "labels", "capacity", "by_costs", "half"),
    [
        ([0.9, 0.3, 0.1], [1, 1, 0], 2, 1.0, 0.5),  # 0.3 lies above 1/5: worth it, though unlikely
        ([0.9, 0.3, 0.1], [1, 0, 0], 2, 0.75, 1.0),  # and was a false alert of 1, of the 4 that the oracle saves
        ([0.9, 0.8, 0.7], [0, 1, 1], 2, 3 / 8, 3 / 8),  # the oracle warns of both that happened
        ([0.1, 0.1, 0.1], [1, 0, 0], 2, 0.0, 0.0),
    ],
)
def test_the_share_of_what_an_oracle_saves(
    late: list[float], labels: list[float], capacity: int, by_costs: float, half: float
) -> None:
    assert shares(late, labels, capacity) == {BY_COSTS: by_costs, HALF: half, ORACLE: 1.0}


def test_the_oracle_keeps_to_capacity_and_takes_the_dearest_first() -> None:
    labels = {"late": np.array([1.0, 1.0, 0.0, 1.0]), "lost": np.array([0.0, 1.0, 1.0, NAN])}
    period = np.array([0, 0, 0, 1])
    assert oracle(labels, STAKES, period, 1, 1.0).tolist() == [False, True, False, True]
    assert oracle(labels, STAKES, period, 2, 1.0).tolist() == [False, True, True, True]
    amounts = {"load": np.array([0.5, 3.0, NAN])}
    assert oracle(amounts, {"load": Reweighed("regression", 1.0)}, np.zeros(3), 3, 1.0).tolist() == [False, True, False]


def test_one_objective_alone_is_another_way_only_where_there_are_several() -> None:
    scores, period = {"late": np.array([0.1, 0.4]), "lost": np.array([0.5, 0.0])}, np.zeros(2)
    chosen = ways(scores, STAKES, period, 1, 1.0)
    assert {way: alert.tolist() for way, alert in chosen.items()} == {
        BY_COSTS: [True, False], HALF: [False, False], "late alone": [False, True], "lost alone": [True, False],
    }  # fmt: skip
    assert list(ways({"late": scores["late"]}, STAKES, period, 1, 1.0)) == [BY_COSTS, HALF]
    assert list(ways(scores | {"load": scores["late"]}, STAKES | {"load": Reweighed("regression", 1)}, period, 1, 1.0))[
        -1] == "load alone"  # fmt: skip
    closed = ways(scores, STAKES, period, 2, 1.0, np.array([True, False]))
    assert all(not alert[1] for alert in closed.values())


def test_how_far_a_way_lies_behind_comes_with_an_interval_of_the_same_resamples() -> None:
    late, labels = [0.9, 0.3, 0.1] * 8, [1, 1, 0] * 8
    period = np.repeat(np.arange(8), 3)
    stakes = {"late": STAKES["late"]}
    chosen = ways({"late": np.array(late)}, stakes, period, 2, 1.0)
    made = saved({"late": np.array(labels)}, chosen, stakes, period, 2, 1.0, period, SETTINGS)
    behind = made[HALF].behind
    assert (behind.value, behind.low, behind.high) == (0.5, 0.5, 0.5)  # every day is alike
    assert made[BY_COSTS].behind.value == 0
    nothing = saved({"late": np.zeros(24)}, chosen, stakes, period, 2, 1.0, period, SETTINGS)
    assert nothing == {}


EVENT = st.tuples(st.floats(0, 1), st.booleans(), st.integers(0, 3))


@given(st.lists(EVENT, min_size=1, max_size=60), st.integers(1, 9))
def test_no_way_to_decide_costs_less_than_the_oracle(
    events: list[tuple[float, bool, int]], capacity: int
) -> None:
    scores, period = {"late": np.array([s for s, _, _ in events])}, np.array([p for _, _, p in events])
    labels, stakes = {"late": np.array([float(y) for _, y, _ in events])}, {"late": STAKES["late"]}
    best = cost_of_each(labels, oracle(labels, stakes, period, capacity, 1.0), stakes, 1.0).sum()
    for alert in ways(scores, stakes, period, capacity, 1.0).values():
        assert cost_of_each(labels, alert, stakes, 1.0).sum() >= best


@given(st.floats(0.1, 50), st.floats(0.1, 50), st.floats(0, 1))
def test_the_threshold_is_where_an_alert_begins_to_be_worth_it(weight: float, price: float, score: float) -> None:
    stake = Reweighed("binary", weight)
    limit = threshold(stake, price)
    assert limit is not None
    if abs(score - limit) > 1e-9:
        assert worth({"late": np.array([score])}, {"late": stake}, price).tolist() == [score > limit]
