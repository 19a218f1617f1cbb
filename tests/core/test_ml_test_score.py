"""The ML Test Score: a healthy project, then each property broken, one at a time: that test alone has fewer points."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from homeostat.core.findings import Finding
from homeostat.core.intervals import Measure
from homeostat.core.ml_test_score import SECTIONS, Evidence, score, total
from homeostat.core.rank_correlation import rank_correlation
from homeostat.core.rules import Rule

BEATS = Finding(Rule.BEATS_BASELINE, "late", "pass", 0.2, 0.02)
WORSE = Finding(Rule.BEATS_BASELINE, "late", "fail", 0.0, 0.02)
SLICE = Finding(Rule.SLICES, "late", "fail", 0.2, 0.1)
WELL = Finding(Rule.QUALITY, "late", "pass", 0.0, 0.1)
DRIFT = Finding(Rule.DRIFT_SHARE, "", "pass", 0.1, 0.6)
WHOLE = Evidence(
    serves="v0.3.0", rules={"flights": 4, "weather": 2}, unused=(), barred=("late.tail",), exposed=(),
    one_definition=True, feature_tests=("tests/test_project.py",), committed=True, reviewers=("Ann",),
    together=Measure(0.7, 0.2, 0.9), recipes=1, ages=True, gate=(BEATS,), slices=3, fair=("carrier",), lost="",
    behaviour={"later": True}, pipeline=(".ci/run",), replays=1, broken="",
    rollout=SimpleNamespace(strategy="canary", latency=0.25), previous="", rollbacks=1, unwatched=(), notified=True,
    unjudged=(), findings=(WELL, DRIFT), age=timedelta(days=3), oldest=timedelta(days=28), not_finite=(),
    worth={"sky": "earns its place", "hour": "earns its place"}, priced=("sky",),
)  # fmt: skip
AT_ONCE = SimpleNamespace(strategy="at once", latency=0.25)
BROKEN: list[tuple[str, dict[str, Any], float]] = [
    ("feature expectations", {"rules": {"flights": 4, "weather": 0}}, 0.5),
    ("feature expectations", {"rules": {"flights": 0}}, 0),
    ("all features are beneficial", {"unused": ("late.wind",)}, 0),
    ("all features are beneficial", {"unused": None}, 0),
    ("all features are beneficial", {"worth": None}, 0.5),
    ("all features are beneficial", {"worth": {"sky": "not shown to help"}}, 0.5),
    ("all features are beneficial", {"worth": {"sky": "harms: the loss is lower without it"}}, 0.5),
    ("cost is too much", {"priced": ()}, 0),
    ("cost is too much", {"worth": None}, 0.5),
    ("cost is too much", {"worth": {"sky": "does not pay: it saves 2.0 and costs 9.0"}}, 0),
    ("meta-level", {"barred": ()}, 0.5),
    ("privacy", {"exposed": ("data/predictions/2013-01-01.parquet",)}, 0),
    ("added quickly", {"one_definition": False}, 0),
    ("feature code", {"feature_tests": ()}, 0.5),
    ("reviewed", {"reviewers": ()}, 0.5),
    ("reviewed", {"committed": False}, 0),
    ("correlate", {"together": Measure(0.3, -0.2, 0.7)}, 0.5),
    ("correlate", {"together": Measure(-0.3, -0.7, 0.2)}, 0),
    ("correlate", {"together": Measure(None)}, 0),
    ("hyperparameters", {"recipes": 0}, 0),
    ("staleness is", {"ages": False}, 0),
    ("simpler model", {"gate": (WORSE,)}, 0),
    ("important slices", {"gate": (BEATS, SLICE)}, 0.5),
    ("important slices", {"slices": 0}, 0),
    ("inclusion", {"fair": ()}, 0.5),
    ("reproducible", {"lost": "its landed batches are gone"}, 0),
    ("unit tested", {"behaviour": {"later": False}}, 0.5),
    ("unit tested", {"behaviour": {}}, 0),
    ("integration", {"pipeline": ()}, 0.5),
    ("integration", {"pipeline": (), "replays": 0}, 0),
    ("validated", {"gate": ()}, 0),
    ("validated", {"gate": (WORSE,)}, 0.5),
    ("debugged", {"broken": "trees.txt is damaged"}, 0),
    ("canaried", {"rollout": AT_ONCE}, 0.5),
    ("canaried", {"rollout": None}, 0),
    ("rolled back", {"rollbacks": 0}, 0.5),
    ("rolled back", {"previous": None}, 0),
    ("rolled back", {"previous": "a file is damaged"}, 0),
    ("dependencies", {"notified": False}, 0.5),
    ("dependencies", {"unwatched": ("weather",)}, 0),
    ("invariants", {"unjudged": ("weather",)}, 0),
    ("skewed", {"findings": (WELL,)}, 0),
    ("skewed", {"findings": (WELL, replace(DRIFT, outcome="fail"))}, 0),
    ("too stale", {"age": timedelta(days=40)}, 0),
    ("too stale", {"age": None}, 0),
    ("numerically", {"not_finite": ("score__late",)}, 0),
    ("numerically", {"not_finite": None}, 0),
    ("computing performance", {"rollout": AT_ONCE}, 0.5),
    ("computing performance", {"rollout": None}, 0),
    ("prediction quality", {"findings": (DRIFT,)}, 0),
    ("prediction quality", {"findings": (replace(WELL, outcome="fail"), DRIFT)}, 0),
]


def points(evidence: Evidence) -> dict[str, float]:
    return {one.test.name: one.point.points for tests in score(evidence).values() for one in tests}


def test_there_are_seven_tests_in_each_of_four_sections() -> None:
    assert [len(tests) for tests in SECTIONS.values()] == [7, 7, 7, 7]
    assert len(points(WHOLE)) == 28


def test_a_healthy_project_has_what_can_be_had() -> None:
    """Half a point where nothing measures more yet: search, privacy."""
    assert {name: total(tests) for name, tests in score(WHOLE).items()} == {
        "data": 6.5, "model": 6.5, "infrastructure": 7.0, "monitoring": 7.0,
    }  # fmt: skip
    for tests in score(WHOLE).values():
        for one in tests:
            assert one.point.evidence and bool(one.point.to_do) == (one.point.points < 1)


@pytest.mark.parametrize(("name", "change", "left"), BROKEN, ids=lambda value: value if isinstance(value, str) else "")
def test_a_broken_property_costs_its_test_points(name: str, change: dict[str, Any], left: float) -> None:
    before, after = points(WHOLE), points(replace(WHOLE, **change))
    test = next(test for test in before if name in test)
    assert after[test] == left < before[test]


def test_every_test_that_has_points_can_lose_them() -> None:
    lost = {test for test in points(WHOLE) for name, _, _ in BROKEN if name in test}
    assert lost == {test for test, had in points(WHOLE).items() if had}


def test_with_nothing_in_service_nothing_is_claimed_of_it() -> None:
    nothing = replace(WHOLE, serves="", unused=None, gate=(), behaviour={}, findings=(), one_definition=False,
                      committed=False, not_finite=None, previous=None)  # fmt: skip
    model = {name: had for name, had in points(nothing).items() if "simpler" in name or "reproducible" in name}
    assert set(model.values()) == {0}


@pytest.mark.parametrize(
    ("x", "y", "value"),
    [([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 9], 1.0), ([1, 2, 3, 4, 5, 6], [9, 5, 4, 3, 2, 1], -1.0),
     ([1, 2, 3], [1, 2, 3], None), ([1] * 8, [1, 2, 3, 4, 5, 6, 7, 8], None)],
)  # fmt: skip
def test_the_rank_correlation_follows_the_order_alone(x: list[float], y: list[float], value: float | None) -> None:
    assert rank_correlation(x, y, 0.95).value == value


def test_its_interval_holds_the_truth_as_often_as_it_says() -> None:
    import numpy as np

    rng = np.random.default_rng(3)
    inside = 0
    for _ in range(400):
        x, noise = rng.normal(size=(2, 30))
        measure = rank_correlation(list(x), list(0.6 * x + 0.8 * noise), 0.9)
        assert measure.low is not None and measure.high is not None
        inside += measure.low <= 0.582 <= measure.high  # Spearman's of a normal pair whose Pearson's is 0.6
    assert 0.86 < inside / 400 < 0.95
