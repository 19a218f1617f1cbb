"""The alarm budget: nobody is paged more often than it says by chance, and a change that lasts is paged about."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from summed import noise, sums

from homeostat.core.alarm_budget import UNUSED, Budget, episodes, latest_look, limit_of, openings, tail_quantile

WEEK = timedelta(days=7)
QUARTER = Budget(1, timedelta(days=91))
A_LOOK = QUARTER.a_look(WEEK)  # one in thirteen


def pages(values: np.ndarray, probability: float = A_LOOK) -> list[int]:
    """The windows at which somebody is paged, each look by what was on record then."""
    windows = sums(values)
    looks = [latest_look(windows.take(slice(0, many)), probability) for many in range(1, len(values) + 1)]
    return openings([look.pages for look in looks])


@pytest.mark.parametrize("columns", [1, 20, 200])
def test_chance_keeps_the_budget_however_many_columns_there_are(columns: int) -> None:
    looks = opened = 0
    for seed in range(12):
        opened += len(pages(noise(80, columns, seed)))
        looks += 80 - UNUSED - 14
    assert opened <= A_LOOK * looks  # 48 allowed


def test_values_that_depend_on_those_before_keep_it_too() -> None:
    opened = 0
    for seed in range(12):
        drawn = noise(80, 20, seed)
        for week in range(1, 80):
            drawn[week] += 0.7 * drawn[week - 1]
        opened += len(pages(drawn))
    assert opened <= A_LOOK * 12 * (80 - UNUSED - 14)


def test_a_change_that_lasts_is_paged_about_and_its_column_is_blamed() -> None:
    values = noise(60, 50)
    values[57:, 7] += 12.0
    look = latest_look(sums(values), A_LOOK)
    assert look.pages
    assert look.blamed[0].subject == "c7"
    assert not latest_look(sums(noise(60, 50)), A_LOOK).pages


def test_importance_decides_whom_to_blame_first_of_those_alike() -> None:
    values = noise(60, 50)
    values[57:, 7] += 12.0
    values[57:, 9] = values[57:, 7]
    values[:57, 9] = values[:57, 7] = noise(60, 50)[:57, 7]
    order = [one.subject for one in latest_look(sums(values), A_LOOK, {"c9": 1.0, "c7": 0.1}).blamed]
    assert order[:2] == ["c9", "c7"]


@pytest.mark.parametrize(
    ("looks", "probability", "method"),
    [
        (14, 1 / 13, "history"),
        (13, 1 / 13, "too few"),
        (51, 1 / 365, "too few"),
        (52, 1 / 365, "peaks over threshold"),
        (52, 1 / 501, "too few"),  # more than ten times as rare as any look on record
        (366, 1 / 365, "history"),
    ],
)
def test_what_the_limit_rests_on(looks: int, probability: float, method: str) -> None:
    limit = limit_of(noise(looks, 1)[:, 0], probability)
    assert limit.method == method
    assert (limit.value is None) == (method == "too few")


def test_it_waits_no_longer_than_it_says() -> None:
    values = noise(60, 5)
    first = latest_look(sums(values[:3]), A_LOOK).limit
    assert latest_look(sums(values[: 3 + first.wait - 1]), A_LOOK).limit.value is None
    assert latest_look(sums(values[: 3 + first.wait]), A_LOOK).limit.value is not None


@pytest.mark.parametrize("shape", [(0, 3), (0, 0), (30, 0), (30, 3)])
def test_without_a_window_or_a_series_that_moves_nothing_is_said(shape: tuple[int, int]) -> None:
    """What never moved is as usual, and pages nobody."""
    look = latest_look(sums(np.zeros(shape), spread=0.0), A_LOOK)
    if shape == (30, 3):
        assert (look.statistic, look.limit.value, look.pages) == (0.0, 0.0, False)
        return
    assert (look.statistic, look.limit.value, look.pages) == (None, None, False)


@given(st.lists(st.floats(0, 100), min_size=15, max_size=120), st.floats(1 / 13, 0.9))
def test_history_itself_stays_within_the_budget(statistics: list[float], probability: float) -> None:
    limit = limit_of(np.array(statistics), probability)
    assert limit.value is not None
    over = episodes(np.array(statistics) > limit.value)
    assert over == 0 or over + 1 <= probability * (len(statistics) - 1) + 1e-6


@given(st.lists(st.floats(0, 100), min_size=50, max_size=120))
def test_a_rarer_page_has_no_lower_limit(statistics: list[float]) -> None:
    values = np.array(statistics)
    assert tail_quantile(values, 1 / 1000) >= tail_quantile(values, 1 / 200) >= values.max() - 1e-9


def test_the_tail_of_an_exponential_is_met() -> None:
    rates = [tail_quantile(np.random.default_rng(seed).exponential(size=200), 0.001) for seed in range(40)]
    assert 6.0 < np.median(rates) < 8.5  # log 1000 is 6.9
