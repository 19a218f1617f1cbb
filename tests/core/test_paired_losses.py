"""Two models on the same rows: what is measured, and what chance leaves of it, on series whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from homeostat.core import metrics
from homeostat.core.intervals import Settings
from homeostat.core.paired_losses import (
    FEWEST_GROUPS,
    Losses,
    Paired,
    block_length,
    correlated_over,
    groups_of,
    pair_costs,
    pair_losses,
    pool,
    shrunk,
    surely_above,
)

SETTINGS = Settings(resamples=200, confidence=0.95, seed=1, min_slice=20)
LOSSES = [
    ("binary", "log_loss"), ("binary", "brier"), ("regression", "rmse"), ("regression", "mae"),
    ("ranking", "ndcg_loss"),
]  # fmt: skip


def autocorrelated(rng: np.random.Generator, blocks: int, rho: float) -> np.ndarray:
    """A series of variance 1 in which each value is ``rho`` of the one before, and chance."""
    chance = rng.standard_normal(blocks + 50) * np.sqrt(1 - rho**2)
    series = np.zeros(blocks + 50)
    for place in range(1, blocks + 50):
        series[place] = rho * series[place - 1] + chance[place]
    return series[50:]


def events(rows: int = 1400, blocks: int = 14, seed: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, the chances that they follow, and blocks."""
    rng = np.random.default_rng(seed)
    chance = rng.beta(1, 3, rows)
    return (rng.random(rows) < chance).astype(float), chance, np.arange(rows) * blocks // rows


def losses(y: np.ndarray, score: np.ndarray, other: np.ndarray, task: str = "binary", loss: str = "log_loss") -> Losses:
    group = np.arange(len(y)) // 10 if task == "ranking" else None
    return Losses(task, loss, y, score, other, np.arange(len(y)), group)


@pytest.mark.parametrize(("task", "loss"), LOSSES)
def test_the_share_is_that_of_the_losses(task: str, loss: str) -> None:
    y, chance, block = events()
    flat = np.random.default_rng(1).random(len(y))
    group = np.arange(len(y)) // 10
    paired = pair_losses([losses(y, chance, flat, task, loss)], block, SETTINGS)
    ours, theirs = (metrics.value(task, loss, y, score, group) for score in (chance, flat))
    assert (paired.loss, paired.other_loss) == (pytest.approx(ours), pytest.approx(theirs))
    assert paired.share == pytest.approx(ours / theirs - 1)
    assert paired.high is not None and paired.low is not None and paired.low < paired.share < paired.high < 0
    back = pair_losses([losses(y, flat, chance, task, loss)], block, SETTINGS)
    assert back.low is not None and back.low > 0


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.sampled_from(LOSSES))
def test_a_model_is_level_with_itself_whatever_the_rows(seed: int, blocks: int, named: tuple[str, str]) -> None:
    y, chance, block = events(300, blocks, seed)
    paired = pair_losses([losses(y, chance, chance.copy(), *named)], block, SETTINGS)
    assert paired.share == 0.0 and set(paired.groups) <= {0.0}
    assert (paired.low, paired.high) in ((0.0, 0.0), (None, None))
    assert not surely_above(paired, 0.95, 1)


ALTERNATE = np.tile([0.01, -0.01], 16) * np.repeat([1.0, 0.5], 16)  # groups of four that are level with each other


@pytest.mark.parametrize(
    ("series", "wider"), [(0.01 * np.random.default_rng(8).standard_normal(32), False), (ALTERNATE, True)]
)
def test_the_ends_are_those_of_student_or_of_the_bootstrap_whichever_are_wider(
    series: np.ndarray, wider: bool
) -> None:
    """Blocks that are all of one size have the share of each block as their influence."""
    other = np.full(32, 100.0)
    paired = pair_costs(other * (1.02 + series), other, np.arange(32), replace(SETTINGS, resamples=2000))
    groups, many = paired.groups, len(paired.groups)
    assert paired.share == pytest.approx(0.02 + series.mean()) and groups == pytest.approx(0.02 + groups_of(series))
    student = stats.t.ppf(0.95, many - 1) * np.std(groups, ddof=1) / np.sqrt(many)
    assert paired.high is not None and paired.low is not None
    for reach in (paired.high - paired.share, paired.share - paired.low):
        assert reach > 1.1 * student if wider else reach == pytest.approx(student, rel=0.01)


@pytest.mark.parametrize(
    ("blocks", "rho", "groups"),
    [(1, 0.0, 1), (3, 0.0, 3), (14, 0.0, 7), (30, 0.6, 4), (60, 0.0, 8), (60, 0.9, 4)],
)
def test_groups_are_no_shorter_than_the_blocks_are_correlated(blocks: int, rho: float, groups: int) -> None:
    series = autocorrelated(np.random.default_rng(1), blocks, rho)
    assert len(groups_of(series)) == groups
    assert groups == 1 or blocks // groups > correlated_over(series)
    assert np.mean(groups_of(np.ones(blocks))) == 1.0


def test_a_long_memory_is_seen_and_asks_for_long_blocks() -> None:
    rng = np.random.default_rng(0)
    none, some = (autocorrelated(rng, 400, rho) for rho in (0.0, 0.8))
    assert correlated_over(none) < 3 < correlated_over(some) < 40
    assert block_length(none) < 4 < block_length(some) < 60
    assert block_length(np.arange(9.0)) <= 3  # of nine blocks a third at most


@given(
    share=st.floats(-0.5, 0.5), by=st.floats(0.001, 1), earlier=st.lists(st.floats(-0.5, 0.5), min_size=4, max_size=12)
)
def test_what_is_drawn_towards_earlier_shares_is_surer_and_lies_between(
    share: float, by: float, earlier: list[float]
) -> None:
    own = Paired(900, 0.4, 0.4, share, (share,) * 8, share - by, share + by)
    drawn = shrunk(own, earlier, 0.95)
    assert drawn.low is not None and drawn.high is not None
    middle, ends = (drawn.low + drawn.high) / 2, sorted((share, float(np.mean(earlier))))
    assert ends[0] - 1e-6 <= middle <= ends[1] + 1e-6
    assert drawn.high - drawn.low <= 2 * by + 1e-6
    assert shrunk(own, earlier[:3], 0.95) == own and shrunk(Paired(9), earlier, 0.95) == Paired(9)


def test_too_few_groups_say_nothing_until_they_are_pooled() -> None:
    y, chance, block = events(300, 3)
    few = pair_losses([losses(y, chance, np.full(300, y.mean()))], block, SETTINGS)
    assert few.share is not None and few.share < 0
    assert len(few.groups) == 3 and (few.low, few.high) == (None, None)
    assert pool(few, [], 0.95) == few
    pooled = pool(few, [-0.1, -0.12], 0.95)
    reach = stats.t.ppf(0.95, 4) * np.std((-0.1, -0.12, *few.groups), ddof=1) / np.sqrt(5)
    assert pooled.high == pytest.approx(np.mean((-0.1, -0.12, *few.groups)) + reach, rel=0.01)
    assert (pooled.share, pooled.groups) == (few.share, few.groups)
    nothing = pair_losses([losses(y[:9], chance[:9], chance[:9])], block[:9], SETTINGS)
    assert nothing == pool(nothing, [0.1] * 9, 0.95) and nothing.rows == 9 and nothing.share is None


def test_losses_are_added_by_weight() -> None:
    y, chance, block = events()
    flat = np.full(len(y), y.mean())
    half = np.arange(0, len(y), 2)
    one = losses(y, chance, flat)
    other = Losses("regression", "rmse", y[half], chance[half], flat[half], half, weight=3.0)
    both = pair_losses([one, other], block, SETTINGS)
    alone = [metrics.value("binary", "log_loss", y, s) + 3 * metrics.value("regression", "rmse", y[half], s[half])
             for s in (chance, flat)]  # fmt: skip
    assert (both.loss, both.other_loss) == (pytest.approx(alone[0]), pytest.approx(alone[1]))
    assert both.high is not None and both.high < 0
    assert pair_losses([one], block, SETTINGS) == pair_losses([one, replace(other, weight=0.0)], block, SETTINGS)


def test_costs_are_of_a_thousand_events() -> None:
    cost, other = np.tile([1.0, 0.0], 100), np.tile([1.0, 1.0], 100)
    paired = pair_costs(cost, other, np.arange(200) // 20, SETTINGS)
    assert (paired.loss, paired.other_loss, paired.share) == (500.0, 1000.0, -0.5)
    assert (paired.low, paired.high) == (-0.5, -0.5)
    free = pair_costs(cost, np.zeros(200), np.arange(200) // 20, SETTINGS)  # no share of nothing
    assert (free.share, free.high) == (None, None)


def test_the_worst_of_many_has_to_be_worse_by_more() -> None:
    rng = np.random.default_rng(2)
    other = np.full(28, 100.0)
    paired = pair_costs(other + 1.5 + 3 * rng.standard_normal(28), other, np.arange(28), SETTINGS)
    assert paired.low is not None and paired.low > 0
    assert surely_above(paired, 0.95, 1) and not surely_above(paired, 0.95, 1000)


def test_the_same_rows_give_the_same_ends() -> None:
    y, chance, block = events()
    again = [pair_losses([losses(y, chance, chance[::-1].copy())], block, SETTINGS) for _ in range(2)]
    assert again[0] == again[1]


@pytest.mark.parametrize(
    ("blocks", "rho", "most"), [(14, 0.0, 0.06), (14, 0.2, 0.07), (28, 0.3, 0.07), (60, 0.3, 0.07), (60, 0.5, 0.07)]
)
def test_a_loss_that_lies_at_the_margin_passes_in_about_one_of_twenty(blocks: int, rho: float, most: float) -> None:
    """The size of the non-inferiority test, by simulation: losses whose days are correlated, at the margin itself.

    Student's t over single days, as if none were like the next, passes far more of them.
    """
    rng, margin, tries = np.random.default_rng(7), 0.03, 1500
    other, settings = np.full(blocks, 100.0), replace(SETTINGS, resamples=100, min_slice=1)
    passed = naive = 0
    for _ in range(tries):
        cost = other * (1 + margin) + 3 * autocorrelated(rng, blocks, rho)
        paired = pair_costs(cost, other, np.arange(blocks), settings)
        passed += paired.high is not None and paired.high < margin
        single = cost / other - 1
        naive += single.mean() + stats.t.ppf(0.95, blocks - 1) * single.std(ddof=1) / np.sqrt(blocks) < margin
    assert 0.02 < passed / tries < most
    assert rho == 0 or naive / tries > 1.2 * most


def test_a_loss_that_is_level_passes_where_the_margin_is_wide_enough() -> None:
    rng, passed = np.random.default_rng(8), 0
    other = np.full(14, 100.0)
    for _ in range(200):
        paired = pair_costs(other + 3 * rng.standard_normal(14), other, np.arange(14), replace(SETTINGS, min_slice=1))
        passed += paired.high is not None and paired.high < 0.03
        assert len(paired.groups) >= FEWEST_GROUPS or paired.high is None
    assert passed > 160
