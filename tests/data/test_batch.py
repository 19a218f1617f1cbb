"""Batches in words."""

from __future__ import annotations

from homeostat.core.batch_rules import Verdict
from homeostat.data.batch import Batch, sentences


def batch(label: str, status: str, source: str = "loads") -> Batch:
    return Batch(source, label, Verdict(status, "", 0, 0, ()))  # type: ignore[arg-type]


def test_a_season_without_batches_is_one_line() -> None:
    batches = [
        batch("2024-01-01", "missing"), batch("2024-01-02", "missing"), batch("2024-01-03", "missing"),
        batch("2024-01-04", "quarantined"), batch("2024-01-05", "missing"), batch("2024-01-05", "missing", "weather"),
    ]  # fmt: skip
    assert [line.split(":")[0] for line in sentences(batches)] == [
        "loads 2024-01-01 to 2024-01-03 missing (3 batches)", "loads 2024-01-04 quarantined",
        "loads 2024-01-05 missing", "weather 2024-01-05 missing",
    ]  # fmt: skip
