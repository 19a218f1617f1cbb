"""Joint drift: a relation that turned is seen where each column is as before, and chance is not."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from homeostat.monitoring.joint_drift import JointDrift, joint_drift

START = datetime(2024, 1, 1)


def rows(first: int, days: int, seed: int, relation: float = 0.8) -> tuple[pl.DataFrame, pl.Series]:
    """Sixty rows a day: two columns that belong together, a third that does not, and a level of the day."""
    draw, many = np.random.default_rng(seed), 60 * days
    x = draw.normal(0, 1, many)
    y = relation * x + np.sqrt(1 - relation**2) * draw.normal(0, 1, many)
    level = np.repeat(draw.normal(0, 1, days), 60)
    times = [START + timedelta(days=first + n // 60, minutes=n % 60) for n in range(many)]
    table = pl.DataFrame({"x": x, "y": y, "z": draw.normal(0, 1, many), "level": level})
    return table.with_columns(depot=pl.Series(draw.choice(["north", "south"], many))), pl.Series(times)


def told(relation: float, seed: int, days: int = 10) -> JointDrift | None:
    (reference, before), (current, now) = rows(0, 40, seed), rows(50, days, seed + 100, relation)
    return joint_drift(current, reference, (now, before), seed)


@pytest.mark.parametrize("seed", range(3))
def test_a_relation_that_turned_is_seen_and_named(seed: int) -> None:
    joint = told(-0.8, seed)
    assert joint is not None and joint.drifted and joint.auc > 0.7
    assert {name for name, _ in joint.columns[:2]} == {"x", "y"}


def test_nothing_is_seen_where_nothing_moved() -> None:
    seen = [joint for seed in range(8) if (joint := told(0.8, seed)) is not None]
    assert len(seen) == 8 and sum(joint.drifted for joint in seen) <= 2
    assert told(0.8, 1) == told(0.8, 1)


def test_too_few_days_or_no_column_say_nothing() -> None:
    assert told(-0.8, 1, days=3) is None
    (reference, before), (current, now) = rows(0, 40, 1), rows(50, 10, 2)
    assert joint_drift(current.select(), reference, (now, before), 1) is None
    assert joint_drift(current.with_columns(x=pl.lit(None)).select("x"), reference, (now, before), 1) is None
