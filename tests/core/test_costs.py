from types import SimpleNamespace as Stake

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from homeostat.core.costs import Money, alerts, money, risk, worth
from homeostat.core.intervals import Settings

SETTINGS = Settings(resamples=50, confidence=0.9, seed=1, min_slice=1)
TWO = {"a": Stake(task="binary", weight=5.0), "b": Stake(task="binary", weight=15.0)}
NONE = float("nan")


def scores(*pairs: tuple[float, float]) -> dict[str, np.ndarray]:
    return {"a": np.array([p[0] for p in pairs]), "b": np.array([p[1] for p in pairs])}


def test_risk_is_the_weighted_sum() -> None:
    assert risk(scores((0.2, 0.1), (0.0, 1.0)), {"a": 5, "b": 15}).tolist() == [2.5, 15.0]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (0.0, 0.0, False),
        (0.10, 0.0, False),  # silence 0.5, an alert 0.9
        (1 / 6, 0.0, False),  # level: 5/6 on both sides
        (0.17, 0.0, True),
        (0.0, 0.06, False),
        (0.0, 0.07, True),
        (0.10, 0.03, True),  # neither alone, both together
        (1.0, 1.0, True),
        (NONE, 0.5, False),
    ],
)
def test_an_alert_is_worth_it_where_silence_costs_more(a: float, b: float, expected: bool) -> None:
    assert worth(scores((a, b)), TWO, 1.0).tolist() == [expected]


@pytest.mark.parametrize(
    ("chance", "period", "capacity", "expected"),
    [
        ([0.9, 0.8, 0.7], [0, 0, 0], 2, [True, True, False]),
        ([0.7, 0.8, 0.9], [0, 0, 0], 1, [False, False, True]),
        ([0.7, 0.8, 0.9], [0, 1, 1], 1, [True, False, True]),
        ([0.5, 0.5, 0.5], [0, 0, 0], 2, [True, True, False]),
        ([0.9, 0.01, 0.9], [0, 1, 2], 5, [True, False, True]),
        ([], [], 5, []),
    ],
    ids=["capacity", "riskiest", "each period its own", "ties in order", "not worth it", "no events"],
)
def test_alerts(chance: list[float], period: list[int], capacity: int, expected: list[bool]) -> None:
    one = {"a": np.array(chance, dtype=float)}
    assert alerts(one, TWO, np.array(period, dtype=int), capacity, 1.0).tolist() == expected


def test_a_ranking_score_only_orders() -> None:
    stakes = {"r": Stake(task="ranking", weight=1.0)}
    found = alerts({"r": np.array([-3.0, -1.0, -2.0])}, stakes, np.zeros(3), 2, 1.0)
    assert found.tolist() == [False, True, True]


def test_an_amount_is_worth_an_alert_above_its_price() -> None:
    stakes = {"m": Stake(task="regression", weight=0.5)}
    assert worth({"m": np.array([1.0, 2.0, 3.0])}, stakes, 1.0).tolist() == [False, False, True]


EVENT = st.tuples(st.floats(0, 1), st.floats(0, 1), st.integers(0, 4))


@given(st.lists(EVENT, min_size=1, max_size=80), st.integers(1, 10), st.floats(0.1, 20))
def test_alerts_keep_to_capacity_and_to_the_riskiest(
    events: list[tuple[float, float, int]], capacity: int, price: float
) -> None:
    found = scores(*[(a, b) for a, b, _ in events])
    period = np.array([p for _, _, p in events])
    alert = alerts(found, TWO, period, capacity, price)
    silence, worthy = risk(found, {"a": 5, "b": 15}), worth(found, TWO, price)
    assert not (alert & ~worthy).any()
    for p in np.unique(period):
        here, left = (period == p) & alert, (period == p) & worthy & ~alert
        assert here.sum() == min(capacity, ((period == p) & worthy).sum())
        assert not left.any() or silence[here].min() >= silence[left].max()


@pytest.mark.parametrize(
    ("a", "b", "alert", "cost", "needless", "missed"),
    [
        (0.0, 0.0, False, 0.0, 0, (0, 0)),
        (0.0, 0.0, True, 1.0, 1, (0, 0)),
        (1.0, 0.0, True, 0.0, 0, (0, 0)),
        (1.0, 0.0, False, 5.0, 0, (1, 0)),
        (NONE, 1.0, False, 15.0, 0, (0, 1)),
        (NONE, 1.0, True, 0.0, 0, (0, 0)),
        (NONE, 0.0, True, 1.0, 1, (0, 0)),
        (1.0, 1.0, False, 20.0, 0, (1, 1)),
        (NONE, NONE, True, None, 0, (0, 0)),
    ],
)
def test_money(a: float, b: float, alert: bool, cost: float | None, needless: int, missed: tuple[int, int]) -> None:
    found = money(scores((a, b)), np.array([alert]), TWO, 1.0, np.array([0]), SETTINGS)
    assert found.cost.value == cost
    assert found.needless == needless
    assert (found.missed["a"], found.missed["b"]) == missed
    assert found.rows == (cost is not None)


def test_money_of_amounts() -> None:
    stakes = {"m": Stake(task="regression", weight=0.5)}
    labels = {"m": np.array([1.0, 8.0, -2.0, 8.0])}
    alert = np.array([True, True, False, False])
    found = money(labels, alert, stakes, 1.0, np.arange(4), SETTINGS)
    assert (found.needless, found.missed["m"], found.cost.value, found.silence) == (1, 1, 1.0 + 4.0, 0.5 + 4 + 4)


def test_money_has_an_interval_by_block_and_goes_to_text_and_back() -> None:
    rng = np.random.default_rng(0)
    labels = {"a": (rng.random(400) < 0.2).astype(float), "b": np.zeros(400)}
    found = money(labels, rng.random(400) < 0.2, TWO, 1.0, np.repeat(np.arange(20), 20), SETTINGS)
    assert found.cost.low is not None and found.cost.value is not None and found.cost.high is not None
    assert found.cost.low < found.cost.value < found.cost.high
    assert found.cost.value < found.silence
    assert Money.from_dict(found.to_dict()) == found


@given(arrays(np.bool_, 30), arrays(np.bool_, 30))
def test_never_alerting_costs_what_silence_does(happened: np.ndarray, other: np.ndarray) -> None:
    labels = {"a": happened.astype(float), "b": other.astype(float)}
    found = money(labels, np.zeros(30, dtype=bool), TWO, 1.0, np.arange(30), SETTINGS)
    assert found.cost.value == found.silence == 5 * happened.sum() + 15 * other.sum()
