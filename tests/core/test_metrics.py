from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as theirs

from homeostat.core.metrics import METRICS, Curve, Sums, falling, turns, value

RNG = np.random.default_rng(7)
ROWS = 400
Y = (RNG.random(ROWS) < 0.3).astype(float)
SMOOTH = RNG.random(ROWS)
TIED = np.round(SMOOTH, 1).clip(0.05, 0.95)
AMOUNT = RNG.normal(1e4, 3.0, ROWS)
GUESS = AMOUNT + RNG.normal(0, 1, ROWS)
GRADE = RNG.integers(0, 4, ROWS).astype(float)
GROUP = RNG.integers(0, 25, ROWS).astype(str)


def by_group(of_one: Callable[[np.ndarray, np.ndarray], float], score: np.ndarray) -> float:
    """The mean of a metric over groups with anything relevant."""
    groups = [np.flatnonzero(np.equal(GROUP, name)) for name in np.unique(GROUP)]
    found = [of_one(GRADE[rows], score[rows]) for rows in groups if GRADE[rows].any()]
    return float(np.mean(found))


def ndcg(grade: np.ndarray, score: np.ndarray) -> float:
    return float(theirs.ndcg_score([2**grade - 1], [score]))


@pytest.mark.parametrize("score", [SMOOTH, TIED, np.full(ROWS, 0.4)], ids=["distinct", "tied", "constant"])
@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("log_loss", theirs.log_loss),
        ("auc", theirs.roc_auc_score),
        ("average_precision", theirs.average_precision_score),
        ("brier", theirs.brier_score_loss),
        ("calibration", lambda y, score: score.mean() / y.mean()),
    ],
)
def test_binary(metric: str, expected: Callable[..., float], score: np.ndarray) -> None:
    assert value("binary", metric, Y, score) == pytest.approx(expected(Y, score), rel=1e-12)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("rmse", theirs.root_mean_squared_error),
        ("mae", theirs.mean_absolute_error),
        ("r2", theirs.r2_score),
        ("calibration", lambda y, score: score.mean() / y.mean()),
    ],
)
def test_regression(metric: str, expected: Callable[..., float]) -> None:
    assert value("regression", metric, AMOUNT, GUESS) == pytest.approx(expected(AMOUNT, GUESS), rel=1e-9)


@pytest.mark.parametrize("score", [SMOOTH, TIED, np.full(ROWS, 0.4)], ids=["distinct", "tied", "constant"])
def test_ranking(score: np.ndarray) -> None:
    found = {name: value("ranking", name, GRADE, score, GROUP) for name in METRICS["ranking"]}
    assert found["ndcg"] == pytest.approx(by_group(ndcg, score), rel=1e-9)
    assert found["ndcg_loss"] == pytest.approx(1 - found["ndcg"])
    precision = by_group(lambda grade, s: theirs.average_precision_score(grade > 0, s), score)
    assert found["average_precision"] == pytest.approx(precision, rel=1e-9)


def test_a_group_with_nothing_relevant_says_nothing() -> None:
    y, score, group = np.array([0.0, 0, 1, 0]), np.array([0.1, 0.2, 0.9, 0.3]), np.array(["a", "a", "b", "b"])
    assert value("ranking", "ndcg", y, score, group) == 1
    assert np.isnan(value("ranking", "ndcg", np.zeros(4), score, group))


def test_groups_need_not_lie_together() -> None:
    order = RNG.permutation(ROWS)
    for metric in METRICS["ranking"]:
        straight = value("ranking", metric, GRADE, TIED, GROUP)
        assert value("ranking", metric, GRADE[order], TIED[order], GROUP[order]) == pytest.approx(straight)


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_one_class_leaves_the_order_undefined_and_nothing_raises(label: float) -> None:
    y = np.full(20, label)
    found = {name: value("binary", name, y, SMOOTH[:20]) for name in METRICS["binary"]}
    assert np.isnan(found["auc"])
    assert np.isfinite(found["log_loss"])
    assert np.isfinite(found["brier"])
    assert np.isnan(found["calibration"]) == (label == 0)
    assert np.isnan(found["average_precision"]) == (label == 0)


@pytest.mark.parametrize(("task", "metric"), [(t, m) for t, found in METRICS.items() for m in found])
def test_no_rows_are_too_few(task: str, metric: str) -> None:
    assert np.isnan(value(task, metric, np.empty(0), np.empty(0), np.empty(0, dtype=str)))


def test_certainty_that_was_wrong_costs_much_but_not_everything() -> None:
    assert 30 < value("binary", "log_loss", np.array([1.0]), np.array([0.0])) < 40


def test_r2_of_a_constant_label_is_undefined() -> None:
    assert np.isnan(value("regression", "r2", np.full(5, 3.0), np.arange(5.0)))


def test_every_loss_is_a_function_of_sums() -> None:
    """Comparisons resample sums alone."""
    from homeostat.project.objective_scope import LOSSES

    assert all(isinstance(METRICS[task][name], Sums) for task, losses in LOSSES.items() for name in losses)


SAMPLES = st.lists(st.tuples(st.booleans(), st.integers(0, 30)), min_size=2, max_size=60)


@given(SAMPLES)
def test_order_alone_decides_on_auc_and_precision(sample: list[tuple[bool, int]]) -> None:
    y = np.array([float(hit) for hit, _ in sample])
    score = np.array([s / 30 for _, s in sample])
    for metric in ("auc", "average_precision"):
        before, after = (value("binary", metric, y, s) for s in (score, np.exp(3 * score) - 7))
        assert before == pytest.approx(after, nan_ok=True)


@given(SAMPLES)
def test_turning_the_scores_round_turns_auc_round(sample: list[tuple[bool, int]]) -> None:
    y, score = np.array([float(hit) for hit, _ in sample]), np.array([float(s) for _, s in sample])
    assert value("binary", "auc", y, -score) == pytest.approx(1 - value("binary", "auc", y, score), nan_ok=True)


@given(SAMPLES)
def test_ndcg_lies_between_nothing_and_one(sample: list[tuple[bool, int]]) -> None:
    y, score = np.array([float(hit) for hit, _ in sample]), np.array([float(s) for _, s in sample])
    found = value("ranking", "ndcg", y, score, np.zeros(len(y), dtype=int))
    assert np.isnan(found) or 0 < found <= 1 + 1e-12


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 12), st.integers(0, 3)), min_size=1, max_size=60))
def test_a_curve_is_the_same_at_its_turns_as_at_every_score(rows: list[tuple[bool, int, int]]) -> None:
    """To the last bit, with weights as resamples have them: whole numbers."""
    hit, score, weight = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    order, every = falling(score)
    some = turns(hit[order] > 0, every)
    weights = np.stack([weight[order], weight[order][::-1]], axis=1)
    hits, alarms = (np.cumsum(weights * part[order, None], axis=0) for part in (hit, 1 - hit))
    assert set(some) <= set(every) and some[-1] == every[-1]
    for metric in METRICS["binary"].values():
        if isinstance(metric, Curve):
            there = metric.finish(hits[some], alarms[some])
            assert np.array_equal(there, metric.finish(hits[every], alarms[every]), equal_nan=True)
