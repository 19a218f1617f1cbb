"""Features that move by construction are no drift; those that move as they never did are."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from homeostat.adapters import evidently
from homeostat.core.drift import drift_findings
from homeostat.core.rules import Rule
from homeostat.monitoring.champion import LEAST, WINDOWS, reference_windows

START, DAYS, ROWS, WEEK = datetime(2024, 1, 1), 90, 60, timedelta(days=7)


class Limits:
    drift_share = 0.4
    score_drift = 2.0
    missing_rise = 0.2


def table(first: int, last: int, shift: float = 0.0, seed: int = 1) -> pl.DataFrame:
    """Three features that move by construction and two that do not; ``shift`` moves these two."""
    draw, day = np.random.default_rng(seed), np.repeat(np.arange(first, last), ROWS)
    return pl.DataFrame({
        "event_time": [START + timedelta(days=int(d), minutes=n % ROWS) for n, d in enumerate(day)],
        "day_of_history": day,
        "week": day // 7,
        "trailing_rate": 0.1 + 0.2 * day / 90 + draw.normal(0, 0.002, len(day)),
        "load": draw.normal(shift, 1, len(day)),
        "depot": draw.choice(["north", "south"], len(day), p=[0.5 + shift / 8, 0.5 - shift / 8]),
    })  # fmt: skip


REFERENCE = table(0, DAYS)


def failed(current: pl.DataFrame, method: str, limit: float, with_usual: bool = True) -> set[str]:
    """The columns that drifted, and the rule on their share by its name if it fails."""
    pairs = [tuple(part.drop("event_time") for part in pair) for pair in reference_windows(REFERENCE, WEEK)]
    usual = evidently.usual_scores(pairs, method) if with_usual else {}
    record = evidently.drift_record(current.drop("event_time"), REFERENCE.drop("event_time"), method, limit, usual)
    findings = drift_findings(record, Limits(), "drift.json")
    drifted = {f.subject for f in findings if f.rule == Rule.COLUMN_DRIFT}
    return drifted | {str(f.rule) for f in findings if f.failed}


@pytest.mark.parametrize(("method", "limit"), [("psi", 0.25), ("wasserstein", 0.5), ("jensenshannon", 0.3)])
def test_what_moves_by_construction_is_no_drift(method: str, limit: float) -> None:
    week = table(DAYS, DAYS + 7, seed=2)
    assert failed(week, method, limit, with_usual=False) == {"day_of_history", "week", "trailing_rate", "drift share"}
    assert failed(week, method, limit) == set()


def test_what_moves_as_it_never_did_is() -> None:
    assert failed(table(DAYS, DAYS + 7, shift=3.0, seed=2), "psi", 0.25) >= {"load", "depot"}


def test_windows_are_the_last_of_the_reference_each_with_the_rows_before() -> None:
    windows = reference_windows(REFERENCE, WEEK)
    assert len(windows) == WINDOWS
    for now, before in windows:
        assert before["event_time"].max() < now["event_time"].min()  # type: ignore[operator]
        assert len(now) == 7 * ROWS
    assert windows[0][0]["event_time"].max() == REFERENCE["event_time"].max()


def test_a_short_reference_has_none() -> None:
    assert reference_windows(REFERENCE.head(LEAST + 5), WEEK) == []
    assert reference_windows(REFERENCE.clear(), WEEK) == []
