import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from homeostat.core import intervals
from homeostat.core.intervals import FEWEST, Measure, Resamples, Settings, measure, measures
from homeostat.core.metrics import METRICS, Metric

PLAIN = Settings(resamples=200, confidence=0.9, seed=3, min_slice=1)
BINARY = METRICS["binary"]


def days(count: int, rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, scores and days; a day shifts all its labels together, as weather does."""
    rng = np.random.default_rng(seed)
    day = np.repeat(np.arange(count), rows)
    chance = np.clip(0.3 + 0.1 * rng.normal(size=count)[day], 0.02, 0.98)
    y = (rng.random(len(day)) < chance).astype(float)
    return y, np.clip(chance + rng.normal(0, 0.1, len(day)), 0.01, 0.99), day


@pytest.mark.parametrize("name", BINARY)
def test_the_interval_holds_the_value(name: str) -> None:
    y, score, day = days(20, 100)
    found = measure(BINARY[name], y, score, None, Resamples.draw(day, PLAIN), PLAIN)
    assert found.low is not None and found.value is not None and found.high is not None
    assert found.low < found.value < found.high


@pytest.mark.parametrize(("name", "expected"), [("auc", roc_auc_score), ("average_precision", average_precision_score)])
def test_a_resample_is_what_the_metric_says_of_the_drawn_rows(name: str, expected: object) -> None:
    """Weights by block against rows really repeated."""
    y, score, day = days(6, 40)
    score = np.round(score, 1)
    drawn = Resamples.draw(day, PLAIN)
    by_hand = []
    for counts in drawn.counts:
        rows = np.repeat(np.arange(len(y)), counts[drawn.block].astype(int))
        by_hand.append(expected(y[rows], score[rows]))  # type: ignore[operator]
    found = measure(BINARY[name], y, score, None, drawn, PLAIN)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(by_hand, [0.05, 0.95])), rel=1e-9)


def test_resamples_draw_one_block_fewer_and_follow_from_the_seed() -> None:
    day = np.repeat(np.arange(8), 5)
    one, again = Resamples.draw(day, PLAIN), Resamples.draw(day, PLAIN)
    assert (one.counts.sum(axis=1) == 7).all()
    assert np.array_equal(one.counts, again.counts)
    assert not np.array_equal(one.counts, Resamples.draw(day, Settings(200, 0.9, 4, 1)).counts)


def test_whole_blocks_leave_more_to_chance_than_rows() -> None:
    y, _, day = days(30, 200)

    def width(block: np.ndarray) -> float:
        found = measure(BINARY["log_loss"], y, np.full(len(y), 0.3), None, Resamples.draw(block, PLAIN), PLAIN)
        assert found.high is not None and found.low is not None
        return found.high - found.low

    assert width(day) > 2 * width(np.arange(len(y)))


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    held = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        day = np.repeat(np.arange(14), 20)
        y = rng.normal(1.0, 1.0, 14)[day] + rng.normal(0, 1, len(day))
        found = measure(
            METRICS["regression"]["calibration"], np.ones(len(y)), y, None, Resamples.draw(day, PLAIN), PLAIN
        )
        held += found.low is not None and found.high is not None and found.low <= 1.0 <= found.high
    assert 0.8 < held / 200 < 0.96


@pytest.mark.parametrize(
    ("metric", "y", "blocks", "expected"),
    [
        (BINARY["auc"], np.ones(50), np.arange(50), Measure(None)),
        (BINARY["auc"], np.empty(0), np.empty(0), Measure(None)),
        (BINARY["brier"], np.ones(50), np.zeros(50), Measure(0.25)),
        (BINARY["brier"], np.ones(50), np.arange(50) % (FEWEST - 1), Measure(0.25)),
        (BINARY["brier"], np.ones(50), np.arange(50) % FEWEST, Measure(0.25, 0.25, 0.25)),
    ],
    ids=["one class", "no rows", "one block", "few blocks", "enough"],
)
def test_too_few_to_say(metric: Metric, y: np.ndarray, blocks: np.ndarray, expected: Measure) -> None:
    assert measure(metric, y, np.full(len(y), 0.5), None, Resamples.draw(blocks, PLAIN), PLAIN) == expected


def test_an_interval_of_seldom_defined_resamples_is_not_given() -> None:
    """All events that happened fell on one of eight days: many resamples have none."""
    day = np.repeat(np.arange(8), 20)
    y = np.zeros(160)
    y[:3] = 1
    found = measure(BINARY["auc"], y, np.linspace(1, 0, 160), None, Resamples.draw(day, PLAIN), PLAIN)
    assert found.value == 1


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(sorted(BINARY)), st.integers(5, 20))
def test_an_interval_is_in_order(seed: int, name: str, count: int) -> None:
    y, score, day = days(count, 15, seed)
    found = measure(BINARY[name], y, score, None, Resamples.draw(day, PLAIN), PLAIN)
    if found.low is not None and found.high is not None:
        assert found.low <= found.high


def test_thirty_thousand_rows_take_about_a_second() -> None:
    y, score, day = days(30, 1000)
    start = time.process_time()
    measures(BINARY, y, score, None, Resamples.draw(day, PLAIN), PLAIN)
    assert time.process_time() - start < 1.5


@pytest.mark.parametrize("at_once", [1, 700, 1 << 30])
def test_metrics_together_say_what_each_says_alone(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    y, score, day = days(8, 40)
    drawn = Resamples.draw(day, PLAIN)
    alone = {name: measure(metric, y, score, None, drawn, PLAIN) for name, metric in BINARY.items()}
    monkeypatch.setattr(intervals, "AT_ONCE", at_once)
    together = measures(BINARY, y, score, None, drawn, PLAIN)
    assert list(together) == list(BINARY) and together == alone
