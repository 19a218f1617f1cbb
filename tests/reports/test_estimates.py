from typing import Any

import pytest

from homeostat.reports.estimates import estimate_lines


def estimate(low: float | None = 0.15, high: float | None = 0.27, trusted: bool | None = True, grades: int = 31) -> Any:
    since = "2024-03-01T00:00:00"
    return {"value": 0.21, "low": low, "high": high, "trusted": trusted, "grades": grades, "rows": 6480, "since": since}


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (estimate(), "high: log loss 0.210 (0.150 to 0.270), of 6,480 events since 2024-03-01"),
        (
            estimate(None, None, None, 7),
            "high: log loss 0.210 (too little to say how far off: 7 estimates graded), "
            "of 6,480 events since 2024-03-01",
        ),
        (
            estimate(trusted=False),
            "high: log loss 0.210 (0.150 to 0.270), not trusted: repeating the last graded window did better, "
            "of 6,480 events since 2024-03-01",
        ),
    ],
)
def test_an_estimate_says_how_far_it_may_be_off_and_whether_to_trust_it(one: Any, text: str) -> None:
    assert list(estimate_lines({"high": {"estimates": {"log_loss": one}}})) == [text]


def test_the_status_shows_the_loss_and_the_page_every_metric() -> None:
    quality = {"high": {"estimates": dict.fromkeys(("log_loss", "auc", "brier"), estimate())}, "money": {"cost": {}}}
    (short,), (long,) = list(estimate_lines(quality)), list(estimate_lines(quality, every=True))
    assert "AUC" in short and "brier" not in short and "brier" in long


def test_a_record_of_an_earlier_version_has_none() -> None:
    assert list(estimate_lines({"high": {"rows": 80}})) == []
