"""What a step of a rollout came to: whether the challenger is surely worse, at whichever tick it is looked at."""

from __future__ import annotations

from datetime import timedelta

import hourly
import numpy as np
import polars as pl
import pytest

from homeostat.core.confidence_sequence import FEWEST_MEANS, FEWEST_ROWS, Bounds
from homeostat.core.ledger import ReleaseEvent
from homeostat.decisions.rollout_evidence import harm_of
from homeostat.project import scope as scopes
from homeostat.serving.batch_scoring import SHADOW

SCOPE = scopes.parse(hourly.PARAMS + hourly.ROLLOUT)
HOURS, EACH = FEWEST_MEANS + 50, 20
BEGAN = hourly.START


def tried(share: float | None) -> ReleaseEvent:
    action = "shadow" if share is None else "canary"
    return ReleaseEvent(2, "v0.2.0", action, "c", "ann", "why", BEGAN, "b", share=share)  # type: ignore[arg-type]


def events(worse: float, share: float = 0.3) -> pl.DataFrame:
    """Events of many hours, a share of them the challenger's, whose scores are off by ``worse``."""
    random = np.random.default_rng(3)
    many = HOURS * EACH
    right = random.beta(2, 4, many)
    ours = random.random(many) < share
    off = np.clip(right + worse, 0, 1)
    times = [BEGAN + timedelta(hours=n // EACH, minutes=n % EACH) for n in range(many)]
    return pl.DataFrame({
        "event_time": times, "as_of": times, "release": np.where(ours, "v0.2.0", "v0.1.0"),
        "label__high": (random.random(many) < right).astype(float),
        "score__high": np.where(ours, off, right), f"{SHADOW}high": off,
    })  # fmt: skip


def of(rows: pl.DataFrame, share: float | None) -> Bounds | None:
    other = f"{SHADOW}high" if share is None else "score__high"
    if share is None:
        rows = rows.with_columns(score__high=pl.when(pl.col("release") == "v0.2.0").then(None).otherwise("score__high"))
        rows = rows.drop_nulls("score__high")
    return harm_of(SCOPE, {"high": (rows, other)}, tried(share)).get("high")


@pytest.mark.parametrize("share", [0.3, None])
def test_a_challenger_that_is_off_is_surely_worse_and_one_that_is_right_is_not(share: float | None) -> None:
    off, right = of(events(0.3), share), of(events(0.0), share)
    assert off is not None and off.low > 0
    assert right is not None and right.low <= 0 <= right.high
    assert off.rows >= (FEWEST_MEANS if share is None else FEWEST_ROWS)


def test_blocks_of_a_shadow_count_once_each() -> None:
    one = of(events(0.1), None)
    assert one is not None and one.rows == HOURS


def test_a_step_that_has_just_begun_says_nothing_whatever_came_before_it() -> None:
    rows = events(0.3)
    before = rows.with_columns(pl.col("as_of") - timedelta(days=365))
    assert of(before, 0.3) is None
    assert of(pl.concat([before, rows.head(FEWEST_ROWS)]), 0.3) is None
    assert of(rows.head(FEWEST_MEANS * EACH - EACH), None) is None
