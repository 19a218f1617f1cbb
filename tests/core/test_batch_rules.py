from datetime import datetime, timedelta

import pytest

from homeostat.core.batch_rules import Verdict, came_once, overdue, volume, within_period
from homeostat.core.findings import Finding

START, END = datetime(2024, 1, 1), datetime(2024, 1, 2)


@pytest.mark.parametrize(
    ("rows", "history", "outcome"),
    [
        (100, [100] * 28, "pass"),
        (150, [100] * 28, "pass"),
        (151, [100] * 28, "fail"),
        (49, [100] * 28, "fail"),
        (0, [100] * 28, "fail"),
        (5, [100] * 6, "too few to say"),
        (100, [1] * 100 + [100] * 28, "pass"),
        (0, [0] * 28, "pass"),
        (1, [0] * 28, "fail"),
    ],
)
def test_volume(rows: int, history: list[int], outcome: str) -> None:
    assert volume(rows, history, 0.5).outcome == outcome


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        (START, END - timedelta(seconds=1), "every row"),
        (START, END, "from the future"),
        (START - timedelta(seconds=1), START, "stale"),
        (None, None, "every row"),
    ],
)
def test_within_period(first: datetime | None, last: datetime | None, said: str) -> None:
    assert said in within_period(START, END, first, last).sentence


def test_came_once() -> None:
    assert not came_once("a", {"1": "b"}).failed
    assert "as batch 2" in came_once("a", {"1": "b", "2": "a"}).sentence


def test_overdue_only_after_its_time() -> None:
    hours = timedelta(hours=12)
    assert not overdue(END, hours, END + hours - timedelta(seconds=1)).failed
    assert overdue(END, hours, END + hours).failed


def test_a_verdict_goes_to_text_and_back() -> None:
    verdict = Verdict("accepted", "k", 1, 2, (Finding("r", "pass", 1.0, None, "s"),), "b", "c", {"accepted": "x"})
    assert Verdict.from_dict(verdict.to_dict()) == verdict
