"""The distances of windows: what moves counts, what always moves does not, and a level far away is no nearer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from summed import noise, sums

from homeostat.core.looks import BEFORE, FIRST, LASTS, OF, Kind, distances, largest, lasting, ratios


def statistic(values: np.ndarray, kind: Kind = "mean", **more: float) -> float:
    return float(largest(lasting(ratios(*distances(sums(values, kind, **more)))))[-1])


def test_a_window_is_held_to_those_far_enough_before_it() -> None:
    values = np.zeros((FIRST + 1, 1))
    values[-OF:-1] = 100.0  # between the two: a change that lasts must not be held to itself
    assert distances(sums(values))[0].tolist() == [[0.0]]
    values[0] = 4.0
    assert distances(sums(values))[0].tolist() == [[4.0 / BEFORE]]


def test_there_is_no_look_before_there_are_windows_enough() -> None:
    assert distances(sums(np.zeros((FIRST, 3))))[0].shape == (0, 3)


def test_a_shift_that_lasts_stands_out_and_one_that_does_not_last_does_not() -> None:
    values = noise(40, 20)
    quiet = statistic(values)
    once, twice = values.copy(), values.copy()
    once[-1, 3] += 30
    twice[-LASTS:, 3] += 30
    assert statistic(once) < 1.5 * quiet < 5 < statistic(twice)


def test_a_column_that_moves_all_the_time_moves_as_usual() -> None:
    trend = 10.0 * np.arange(40.0)[:, None] + noise(40, 1)
    assert statistic(trend) < 2


@pytest.mark.parametrize("rows", [100.0, 100_000.0])
def test_what_never_moved_is_measured_by_what_chance_would_move(rows: float) -> None:
    """A value that no row ever had, and then a few: as far as a binomial share is off, not infinitely."""
    values = np.zeros((40, 1))
    values[-2:] = 3 / rows
    assert statistic(values, "share", rows=rows, spread=0.5) < 4
    values[-2:] = 0.3
    assert statistic(values, "share", rows=rows, spread=0.5) > 5


def test_a_loss_counts_only_where_it_rises() -> None:
    values = np.exp(0.01 * noise(40, 1))
    better, worse = values.copy(), values.copy()
    better[-3:] *= 0.5
    worse[-3:] *= 2.0
    assert statistic(better, "loss") < 3 < 10 < statistic(worse, "loss")
    assert statistic(better, "ratio") > 10


def test_a_window_of_few_rows_says_nothing() -> None:
    windows = sums(noise(40, 1))
    for array in windows.arrays:
        array[-1] *= 0.1
    assert np.isnan(distances(windows)[0][-1, 0])


@given(scale=st.floats(0.001, 1000), level=st.floats(-1000, 1000), seed=st.integers(0, 50))
def test_units_and_levels_do_not_matter(scale: float, level: float, seed: int) -> None:
    values = noise(30, 5, seed)
    moved = ratios(*distances(sums(scale * values + level, spread=scale)))
    assert np.allclose(moved, ratios(*distances(sums(values))), equal_nan=True, rtol=1e-3, atol=1e-6)


@given(seed=st.integers(0, 50), order=st.permutations(range(6)))
def test_the_statistic_does_not_depend_on_the_order_of_columns(seed: int, order: list[int]) -> None:
    values = noise(30, 6, seed)
    assert statistic(values[:, order]) == pytest.approx(statistic(values))
