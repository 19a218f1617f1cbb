from collections.abc import Callable

import numpy as np
import pytest

from homeostat.core.metrics import Array
from homeostat.core.sentences import sentence
from homeostat.core.switch import Pair, switch_finding

DRAW = np.random.default_rng(8)


def pair(days: int, a_day: int = 400, alike: float = 0.9, binary: bool = True) -> Pair:
    """Two releases that agree on most of what they can know."""
    rows = days * a_day
    shared = DRAW.normal(0, 1, rows)
    new, old = (alike * shared + np.sqrt(1 - alike**2) * DRAW.normal(0, 1, rows) for _ in range(2))
    scores = [1 / (1 + np.exp(2 - s)) if binary else 100 + 20 * s for s in (new, old)]
    return Pair(scores[0], scores[1], np.arange(days).repeat(a_day))


def broken(one: Pair, change: Callable[[Array], Array]) -> Pair:
    return Pair(change(one.new), one.old, one.block)


FAULTS: dict[str, Callable[[Array], Array]] = {
    "turned around": lambda s: 1 - s,
    "constant": lambda s: np.full(len(s), s.mean()),
    "shuffled": lambda s: np.random.default_rng(0).permutation(s),
    "near nothing": lambda s: s / 50,
    "sure of everything": lambda s: 1 - (1 - s) / 50,
}


@pytest.mark.parametrize("alike", [0.6, 0.9, 0.99])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_release_that_is_not_the_one_judged_is_noticed_in_its_first_batch(fault: str, alike: float) -> None:
    finding = switch_finding("late", "binary", pair(14, alike=alike), broken(pair(1, alike=alike), FAULTS[fault]))
    assert finding.failed, finding
    assert sentence(finding).endswith("not the release that was judged")


@pytest.mark.parametrize("alike", [0.0, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("days", [1, 2, 5])
def test_a_good_release_is_not(alike: float, days: int) -> None:
    finding = switch_finding("late", "binary", pair(14, alike=alike), pair(days, alike=alike))
    assert finding.outcome == "pass" and sentence(finding)


def test_a_refit_that_moves_the_level_is_not() -> None:
    moved = broken(pair(1), lambda s: 1 / (1 + np.exp(np.log(1 / s - 1) - 1)))  # one unit of log odds up
    assert switch_finding("late", "binary", pair(14), moved).outcome == "pass"


def test_scores_of_a_regression_are_measured_by_their_spread() -> None:
    holdout = pair(14, binary=False)
    assert switch_finding("load", "regression", holdout, pair(1, binary=False)).outcome == "pass"
    assert switch_finding("load", "regression", holdout, broken(pair(1, binary=False), lambda s: -s)).failed
    assert switch_finding("load", "regression", holdout, broken(pair(1, binary=False), lambda s: s + 60)).failed


@pytest.mark.parametrize(("holdout", "since"), [(pair(3), pair(1)), (pair(14), pair(1, a_day=20)), (pair(0), pair(1))])
def test_few_blocks_or_events_are_too_few_to_say(holdout: Pair, since: Pair) -> None:
    finding = switch_finding("late", "binary", holdout, since)
    assert finding.outcome == "too few to say" and "to compare them" in sentence(finding)


@pytest.mark.parametrize("days", [1, 3])
@pytest.mark.parametrize("fault", ["turned around", "near nothing", "sure of everything"])
def test_on_a_holdout_of_few_blocks_what_is_far_beyond_any_refit_is_a_fault_all_the_same(fault: str, days: int) -> None:
    finding = switch_finding("late", "binary", pair(days), broken(pair(1), FAULTS[fault]))
    assert finding.failed and sentence(finding), finding


@pytest.mark.parametrize("alike", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("days", [1, 3])
def test_on_few_blocks_a_refit_that_moves_the_level_is_too_few_to_say(days: int, alike: float) -> None:
    moved = broken(pair(1, alike=alike), lambda s: 1 / (1 + np.exp(np.log(1 / s - 1) - 2)))  # two units of log odds up
    assert switch_finding("late", "binary", pair(days, alike=alike), moved).outcome == "too few to say"
