"""The guard rail of learning: how far a continuation may move the scores in service."""

from __future__ import annotations

import numpy as np
import pytest

from homeostat.core.findings import CANNOT_JUDGE
from homeostat.core.score_move import score_move
from homeostat.core.sentences import sentence


@pytest.mark.parametrize(
    ("task", "new", "old", "limit", "outcome", "value"),
    [
        ("binary", [0.2, 0.4], [0.2, 0.4], 0.01, "pass", 0.0),
        ("binary", [0.21, 0.39], [0.2, 0.4], 0.02, "pass", 0.01),  # both ways: a mean of differences would be 0
        ("binary", [0.3, 0.4], [0.2, 0.4], 0.02, "fail", 0.05),
        ("binary", [0.5, 0.5], [0.0, 1.0], 0.02, "fail", 0.5),  # what one class alone would do
        ("regression", [11.0, 29.0], [10.0, 30.0], 0.2, "pass", 0.1),  # in standard deviations, here 10
        ("regression", [15.0, 25.0], [10.0, 30.0], 0.2, "fail", 0.5),
        ("regression", [5.0, 5.0], [5.0, 5.0], 0.2, "pass", 0.0),
        ("regression", [5.0, 6.0], [5.0, 5.0], 0.2, "fail", float("inf")),
        ("binary", [], [], 0.02, CANNOT_JUDGE, None),
    ],
)
def test_it_is_the_mean_absolute_difference_on_the_scale_of_the_scores(
    task: str, new: list[float], old: list[float], limit: float, outcome: str, value: float | None
) -> None:
    finding = score_move("late", task, np.array(new), np.array(old), limit)
    assert (finding.outcome, finding.value, finding.limit) == (outcome, value, limit)
    assert finding.rows == len(new) and sentence(finding)


def test_the_sentence_names_the_setting() -> None:
    failed = score_move("late", "binary", np.array([0.3, 0.4]), np.array([0.2, 0.4]), 0.02)
    assert sentence(failed).endswith("0.05 on average over 2 held-out events, more than the 0.02 of learn.max_move")
