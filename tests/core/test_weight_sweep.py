"""Other weights on the same scores: which points are tried, what they capture, and which nobody beats."""

from __future__ import annotations

import numpy as np
import pytest

from homeostat.core.weight_sweep import Held, Reweighed, Slice, points, sweep

STAKES = {"late": Reweighed("binary", 1.0), "lost": Reweighed("binary", 4.0)}
NAN = float("nan")
# One period, two alerts: two events are likely late, two likely lost; the first of each happened.
HELD = Held(
    {"late": np.array([0.9, 0.8, 0.1, 0.1]), "lost": np.array([0.05, 0.05, 0.7, 0.6])},
    {"late": np.array([1.0, 0.0, 0.0, NAN]), "lost": np.array([0.0, 0.0, 1.0, 0.0])},
    np.zeros(4, dtype=int), {"port": np.array(["a", "a", "b", "b"])},
)  # fmt: skip


def test_the_weights_as_they_are_come_first_and_no_order_comes_twice() -> None:
    tried = points(STAKES)
    assert tried[0] == {"late": 1.0, "lost": 4.0}
    assert {"late": 0.0, "lost": 4.0} in tried and {"late": 1.0, "lost": 0.0} in tried
    assert len({tuple(point.values()) for point in tried}) == len(tried)
    assert all(any(point.values()) for point in points({"late": Reweighed("binary", 0.0), "lost": STAKES["lost"]}))


@pytest.mark.parametrize(
    ("weights", "captured", "cost"),
    [
        ((1.0, 4.0), (0.0, 1.0), 1.0 + 1.0),  # both lost ones: a false alert, and the late one missed
        ((8.0, 4.0), (1.0, 0.0), 4.0 + 1.0),  # both late ones: a false alert, and the lost one missed
        ((3.5, 4.0), (1.0, 1.0), 0.0),  # the likeliest of each
    ],
)
def test_alerts_are_chosen_by_the_point_and_priced_by_the_scope(
    weights: tuple[float, float], captured: tuple[float, float], cost: float
) -> None:
    (point,) = sweep(HELD, STAKES, [dict(zip(STAKES, weights, strict=True))], 2, 1.0, 1)
    assert (tuple(point.captured.values()), point.cost, point.alerts) == (captured, cost, 2)
    assert point.saved == 1 - cost / 5


def test_a_point_is_on_the_front_unless_another_captures_as_much_and_more() -> None:
    tried = [{"late": late, "lost": 4.0} for late in (1.0, 8.0, 3.5)]
    assert [point.front for point in sweep(HELD, STAKES, tried, 2, 1.0, 1)] == [False, False, True]
    assert [point.front for point in sweep(HELD, STAKES, tried[:2], 2, 1.0, 1)] == [True, True]


def test_the_worst_slice_is_the_one_that_is_saved_the_least_and_large_enough() -> None:
    (point,) = sweep(HELD, STAKES, [{"late": 1.0, "lost": 4.0}], 2, 1.0, 2)
    assert point.worst == Slice("port", "a", 0.0)  # in b a false alert of 1 is left of 4
    (point,) = sweep(HELD, STAKES, [{"late": 1.0, "lost": 4.0}], 2, 1.0, 3)
    assert point.worst is None
