import json
import time
from typing import Any

import numpy as np
import pytest

from homeostat.core import metrics
from homeostat.core.evaluation import (
    ABSENT,
    Comparison,
    Evaluation,
    Scored,
    Settings,
    compare,
    compare_split,
    evaluate,
    parts_of,
)

SETTINGS = Settings(resamples=100, confidence=0.95, seed=1, min_slice=50)
METRICS = ("log_loss", "auc", "average_precision", "brier", "calibration")


def events(rows: int = 2000, seed: int = 0) -> tuple[Scored, np.ndarray]:
    """Scored events of twenty days with two slices, and their true chances."""
    rng = np.random.default_rng(seed)
    chance = rng.beta(1, 4, rows)
    day = np.sort(rng.integers(0, 20, rows))
    kind = np.array([["a", "b", "c", None][i] for i in rng.choice(4, rows, p=[0.5, 0.3, 0.19, 0.01])], dtype=object)
    month = np.where(day < 15, "2024-01", "2024-02")
    return Scored((rng.random(rows) < chance).astype(float), chance, day, month, {"kind": kind}), chance


def test_overall_months_and_slices_are_judged() -> None:
    found = evaluate("o", "binary", METRICS, events()[0], SETTINGS)
    assert tuple(found.overall.metrics) == METRICS
    assert found.loss == "log_loss"
    assert sum(part.rows for part in found.months.values()) == found.overall.rows == 2000
    assert sum(part.rows for part in found.slices["kind"].values()) == 2000
    assert list(found.slices["kind"]) == [ABSENT, "a", "b", "c"]
    assert all(m.low is not None for part in found.months.values() for m in part.metrics.values())


def test_a_slice_with_few_rows_is_counted_and_not_judged() -> None:
    few = evaluate("o", "binary", METRICS, events()[0], SETTINGS).slices["kind"][ABSENT]
    assert 0 < few.rows < SETTINGS.min_slice
    assert few.metrics == {}
    assert few.base_rate is not None


def test_calibration_is_measured_also_where_the_scope_does_not_ask() -> None:
    found = evaluate("o", "binary", ("brier",), events()[0], SETTINGS)
    assert tuple(found.overall.metrics) == ("brier", "calibration")
    assert found.metric("calibration").value == pytest.approx(1, abs=0.2)
    assert found.metric("auc").value is None


def test_ranking_is_judged_by_group() -> None:
    scored, chance = events()
    grouped = Scored(scored.y, chance, scored.block, scored.month, {}, np.arange(2000) // 10)
    found = evaluate("o", "ranking", ("ndcg_loss", "ndcg", "average_precision"), grouped, SETTINGS)
    assert 0 < (found.metric("ndcg").value or 0) < 1


def test_no_rows_say_nothing() -> None:
    nothing = np.empty(0)
    empty = Scored(nothing, nothing, nothing.astype(np.int64), nothing.astype(str), {"kind": nothing.astype(object)})
    found = evaluate("o", "binary", METRICS, empty, SETTINGS)
    assert (found.overall.rows, found.overall.metrics, found.months, found.slices) == (0, {}, {}, {"kind": {}})
    compared = compare("binary", "log_loss", nothing, nothing, nothing, nothing, {}, SETTINGS)
    assert compared.overall.share.value is None


def test_text_and_back_is_exact() -> None:
    scored, chance = events()
    evaluation = evaluate("o", "binary", METRICS, scored, SETTINGS)
    assert Evaluation.from_dict(json.loads(json.dumps(evaluation.to_dict()))) == evaluation
    comparison = compare("binary", "brier", scored.y, chance, chance / 2, scored.block, scored.slices, SETTINGS)
    assert Comparison.from_dict(json.loads(json.dumps(comparison.to_dict()))) == comparison


def versus(score: np.ndarray, other: np.ndarray, **more: Any) -> Comparison:
    scored, _ = events()
    return compare("binary", "log_loss", scored.y, score, other, scored.block, scored.slices, SETTINGS, **more)


def test_the_better_score_lies_below() -> None:
    _, chance = events()
    flat = np.full(2000, 0.2)
    found = versus(chance, flat).overall
    assert found.share.high is not None and found.share.high < 0
    assert found.share.value == pytest.approx(found.loss / found.other_loss - 1)  # type: ignore[operator]
    back = versus(flat, chance).overall
    assert back.share.low is not None and back.share.low > 0
    assert (back.loss, back.other_loss) == (found.other_loss, found.loss)


def test_a_score_against_itself_is_level_and_certain() -> None:
    _, chance = events()
    share = versus(chance, chance).overall.share
    assert (share.value, share.low, share.high) == (0, 0, 0)


def test_pairing_leaves_less_to_chance_than_each_loss_alone() -> None:
    """Both scores see the same days, so a bad day does not count against either."""
    scored, chance = events()
    alone = evaluate("o", "binary", ("log_loss",), scored, SETTINGS).metric("log_loss")
    paired = versus(np.clip(chance + 0.01, 0, 1), chance).overall.share
    assert alone.high is not None and alone.low is not None and alone.value is not None
    assert paired.high is not None and paired.low is not None
    assert (paired.high - paired.low) < (alone.high - alone.low) / alone.value / 2


def test_slices_are_compared_and_small_ones_only_counted() -> None:
    _, chance = events()
    parts = versus(chance, np.full(2000, 0.2)).slices["kind"]
    assert parts["a"].share.value is not None
    assert parts[ABSENT].share.value is None
    assert parts[ABSENT].rows > 0


def test_parts_keep_order_and_lose_nothing() -> None:
    values = np.array(["b", None, "a", 3, "b", 1.5, True], dtype=object)
    parts = dict(parts_of(values))
    assert list(parts) == [ABSENT, "1.5", "3", "True", "a", "b"]
    assert parts["b"].tolist() == [0, 4]
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(len(values)))


def test_fourteen_days_take_little_time() -> None:
    rng = np.random.default_rng(0)
    rows = 13_000
    score = rng.random(rows)
    slices = {c: rng.integers(0, n, rows).astype(str).astype(object) for c, n in (("x", 16), ("y", 3))}
    scored = Scored(
        (rng.random(rows) < score / 3).astype(float), score, np.arange(rows) // 930, np.full(rows, "m"), slices
    )
    start = time.process_time()
    evaluate("o", "binary", METRICS, scored, Settings(200, 0.95, 1, 200))
    assert time.process_time() - start < 3


def worst(seed: int, bad: float = 0.0) -> tuple[float, float]:
    """Two scores that err alike, in forty slices; ``bad`` is what the first loses in one of them. Its share and low."""
    rng = np.random.default_rng(seed)
    rows = 8000
    chance = rng.beta(2, 6, rows)
    kind = rng.integers(0, 40, rows)
    y, day = (rng.random(rows) < chance).astype(float), np.arange(rows) // 400
    ours, theirs = (np.clip(chance + rng.normal(0, 0.1, rows), 0.01, 0.99) for _ in range(2))
    ours = np.where(kind == 7, np.clip(ours + bad, 0.01, 0.99), ours)
    slices = {"kind": kind.astype(str).astype(object)}
    parts = compare("binary", "log_loss", y, ours, theirs, day, slices, SETTINGS).slices["kind"]
    found = [
        (p.share.low, p.share.value) for p in parts.values() if p.share.low is not None and p.share.value is not None
    ]
    low, value = max(found)
    return value, low


def test_the_worst_of_many_slices_is_seldom_blamed_for_chance() -> None:
    assert sum(worst(seed)[1] > 0 for seed in range(40)) <= 3


def test_a_slice_that_is_worse_is_seen_among_many() -> None:
    value, low = worst(3, bad=0.4)
    assert value > 0.3
    assert low > 0


@pytest.mark.parametrize(("worse", "beyond"), [(0.0, False), (0.6, True)])
def test_two_versions_each_on_its_own_part(worse: float, beyond: bool) -> None:
    """What moves a whole block moves both parts; what moves one part shows, beyond chance."""
    rng = np.random.default_rng(3)
    block = np.repeat(np.arange(20), 100)
    rate = np.repeat(rng.uniform(0.1, 0.9, 20), 100)
    y = (rng.uniform(size=2000) < rate).astype(float)
    first = rng.uniform(size=2000) < 0.3
    score = np.where(first, rate * (1 - worse) + 0.5 * worse, rate)
    settings = Settings(resamples=200, confidence=0.95, seed=1, min_slice=50)
    found = compare_split("binary", "log_loss", y, score, first, block, settings).overall
    ours, theirs = (metrics.value("binary", "log_loss", y[part], score[part], None) for part in (first, ~first))
    assert found.rows == first.sum()
    assert (found.loss, found.other_loss) == (pytest.approx(ours), pytest.approx(theirs))
    assert found.share.value == pytest.approx((ours - theirs) / theirs)
    assert found.share.low is not None and (found.share.low > 0) is beyond
    few = compare_split("binary", "log_loss", y, score, np.arange(2000) < 49, block, settings).overall
    assert few.loss is None and few.rows == 49
