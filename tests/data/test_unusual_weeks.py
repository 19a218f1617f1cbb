"""Faults that a table of weeks shows: profiles by Polars, held to those of the weeks before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from homeostat.core.history_faults import Fault, faults
from homeostat.core.profile_limits import compare
from homeostat.core.profiles import Past, trusted
from homeostat.data.profile import profile_of

START, WEEK, WEEKS = datetime(2024, 1, 1), timedelta(days=7), 40


def week(number: int) -> pl.DataFrame:
    """Seven days, a row an hour: rooms of two kinds, a flag of the day, a date of arrival, two related numbers."""
    draw = np.random.default_rng(number)
    at = [START + number * WEEK + timedelta(hours=n) for n in range(168)]
    small = draw.normal(10, 1, 168) + number % 5 + [3 * np.sin(time.hour / 4) for time in at]
    return pl.DataFrame({
        "at": at,
        "kind": draw.choice(["double", "single"], 168, p=[0.8, 0.2]),
        "free": [int(time.weekday() > 4 or (number % 13 == 0 and time.day == 9)) for time in at],
        "arrives": [datetime(t.year, t.month, t.day) + timedelta(days=int(d)) for t, d in
                    zip(at, draw.integers(1, 90, 168), strict=True)],
        "small": small,
        "large": 5 * small + draw.normal(40, 30, 168),
    }).with_columns(pl.col("at", "arrives").cast(pl.Datetime("us")))  # fmt: skip


def faults_of(number: int, change: Callable[[pl.DataFrame], pl.DataFrame]) -> list[Fault]:
    """The faults of a week, by those before it."""
    *before, now = (
        profile_of(rows, rows["at"], (START + n * WEEK, START + (n + 1) * WEEK))
        for n in range(number + 1)
        for rows in [week(n) if n < number else change(week(n))]
    )
    compared = compare(now, trusted([Past(p) for p in before], 8))
    return faults(now, before, [c for c in compared if not c.low <= c.value <= c.high])


def flickering(rows: pl.DataFrame) -> pl.DataFrame:
    hit = pl.Series(np.random.default_rng(1).random(rows.height) < 0.6)
    return rows.with_columns(free=pl.when(hit).then(1 - pl.col("free")).otherwise("free").cast(pl.Int64))


@pytest.mark.parametrize(
    ("change", "kind", "columns"),
    [
        (flickering, "flipped values", {"free"}),
        (lambda r: r.with_columns(pl.col("arrives") + timedelta(hours=3)), "shifted dates", {"arrives"}),
        (lambda r: r.filter(pl.col("at") < r["at"][0] + timedelta(days=5)), "lost hours", set()),
        (lambda r: r.filter(pl.col("kind") != "single"), "lost slice", {"kind"}),
        (lambda r: r.with_columns(small=pl.col("large"), large=pl.col("small")), "swapped columns", {"small", "large"}),
    ],
    ids=["a flag that flickers", "dates in another zone", "two days are lost", "a slice is lost", "swapped"],
)
def test_a_fault_of_a_week_is_named(
    change: Callable[[pl.DataFrame], pl.DataFrame], kind: str, columns: set[str]
) -> None:
    named = faults_of(WEEKS, change)
    assert (kind, columns) in [(f.kind, set(f.columns)) for f in named], named


@pytest.mark.parametrize("number", range(30, WEEKS + 1))
def test_a_week_like_the_others_is_as_usual(number: int) -> None:
    """Holidays come among them."""
    assert faults_of(number, lambda rows: rows) == []
