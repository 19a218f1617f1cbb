"""The business's figure beside the model's: which metric moves with it, and the alarm where they part."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from homeostat.core.business import Block, business_finding, correlations, means
from homeostat.core.sentences import sentence

START = datetime(2024, 3, 1)
LOSS, AUC = ("late", "log_loss"), ("late", "auc")


def blocks(rows: list[tuple[str, float, float, float]]) -> list[Block]:
    """Of (release, business, loss, AUC), a week each."""
    return [
        Block(START + timedelta(weeks=n), release, business, {LOSS: loss, AUC: auc})
        for n, (release, business, loss, auc) in enumerate(rows)
    ]


def two(change_of_loss: float, change_of_business: float, many: int = 6) -> list[Block]:
    """Two releases; within each some chance."""
    rows = [("v0.1.0", 10 + n % 3, 0.5 + 0.01 * (n % 2), 0.7) for n in range(many)]
    rows += [("v0.2.0", b + change_of_business, loss + change_of_loss, auc) for _, b, loss, auc in rows]
    return blocks(rows)


@pytest.mark.parametrize(
    ("loss", "business", "higher", "outcome"),
    [
        (-0.1, -5, True, "fail"),  # the model is better, the business worse
        (-0.1, 5, True, "pass"),
        (-0.1, 5, False, "fail"),  # where less is better, as of complaints
        (-0.1, -5, False, "pass"),
        (0.1, -5, True, "pass"),  # both worse: quality says so
        (-0.1, -0.1, True, "pass"),  # chance
        (-0.001, -5, True, "pass"),
    ],
)
def test_an_alarm_where_the_loss_falls_and_the_business_too(
    loss: float, business: float, higher: bool, outcome: str
) -> None:
    finding = business_finding(two(loss, business), LOSS, higher, 0.95)
    assert finding.outcome == outcome
    assert ("the model is better and the business worse" in sentence(finding)) == (outcome == "fail")


@pytest.mark.parametrize("few", [two(-0.1, -5, many=3), two(-0.1, -5)[:6], []])
def test_too_few_blocks_say_nothing(few: list[Block]) -> None:
    finding = business_finding(few, LOSS, True, 0.95)
    assert finding.outcome == "too few to say"
    assert "too few blocks" in sentence(finding)


def test_the_metric_that_moves_with_the_business_comes_first() -> None:
    """Here the AUC does, and the loss goes against it; by release too."""
    rows = [(f"v0.{n // 2 + 1}.0", float(n), 0.3 + 0.01 * n, 0.5 + 0.02 * n) for n in range(14)]
    first, last = correlations(blocks(rows), True, 0.95)
    assert (first.metric, last.metric) == (AUC, LOSS)
    assert (first.blocks.value, first.releases.value) == (1.0, 1.0)
    assert (last.blocks.value, last.releases.value) == (-1.0, -1.0)
    opposite, _ = correlations(blocks(rows), False, 0.95)
    assert opposite.metric == LOSS and opposite.blocks.value == 1.0
    assert list(means(blocks(rows), AUC)) == [f"v0.{n}.0" for n in range(1, 8)]
