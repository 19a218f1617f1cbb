from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from homeostat.core.findings import Finding, Interval
from homeostat.core.incidents import update_incidents
from homeostat.core.promises import WindowFigures, hold, metrics_finding, within_range
from homeostat.core.rules import Rule
from homeostat.core.sentences import sentence

START = datetime(2024, 1, 1)
WEEK = timedelta(days=7)
AUCS = (0.77, 0.79, 0.77, 0.79, 0.73, 0.81, 0.83, 0.83, 0.80, 0.79, 0.80, 0.81)


def window(
    number: int, auc: float = 0.79, loss: float = 0.32, level: float = 1.0, release: str = "v1"
) -> WindowFigures:
    figures = {"log_loss": (loss, 0.4), "auc": (auc, 0.66), "calibration": (level, 1.0)}
    return WindowFigures("late", "lightgbm", release, START + number * WEEK, START + (number + 1) * WEEK, 6000, figures)


PAST = [window(n, auc) for n, auc in enumerate(AUCS)]


@pytest.mark.parametrize(
    ("aucs", "outcome"),
    [
        ((0.714,), "pass"),  # a poor week as good windows have them, whatever one holdout promised
        ((0.63,), "fail"),
        ((0.63, 0.64, 0.62), "fail"),
        ((0.9,), "pass"),  # better than promised
    ],
)
def test_auc_is_held_to_its_range(aucs: tuple[float, ...], outcome: str) -> None:
    current = [window(20 + n, auc, release="v2") for n, auc in enumerate(aucs)]
    finding = metrics_finding("late", "log_loss", hold(current, PAST, 0.95), 0.1)
    assert finding.outcome == outcome
    assert finding.facts["metric"] == "auc" and finding.facts["ranges"]["auc"]["windows"] == len(PAST)
    assert sentence(finding).startswith("AUC 0.")
    assert ("outside" in sentence(finding)) == (outcome == "fail")


def test_a_difference_too_small_to_matter_is_none() -> None:
    alike = [window(n, 0.79 + n * 1e-5) for n in range(12)]
    held = hold([window(20, 0.785, release="v2")], alike, 0.95)
    assert held["auc"].worse and metrics_finding("late", "log_loss", held, 0.1).outcome == "pass"


def test_few_windows_are_too_few_to_say() -> None:
    finding = metrics_finding("late", "log_loss", hold([window(20, 0.5)], PAST[:3], 0.95), 0.1)
    assert finding.outcome == "too few to say"
    assert sentence(finding) == "fewer than 4 good windows to compare with are too few to say"


CALIBRATED = [window(n, level=level) for n, level in enumerate((0.6, 1.2, 0.8, 1.5, 2.1, 0.9, 1.1, 0.7))]


@pytest.mark.parametrize(
    ("ratio", "interval", "past", "usual"),
    [
        (2.2, (1.5, 5.4), CALIBRATED, True),  # a week of a rare class
        (9.0, (7.0, 12.0), CALIBRATED, False),
        (9.0, (1.9, 30.0), CALIBRATED, True),  # nobody knows where it lies
        (0.1, (0.08, 0.12), CALIBRATED, False),
        (9.0, (7.0, 12.0), CALIBRATED[:2], True),  # too little to say for an alert; the decision starts all the same
    ],
)
def test_calibration_alerts_where_good_windows_never_were(
    ratio: float, interval: tuple[float, float], past: list[WindowFigures], usual: bool
) -> None:
    failed = Finding(
        Rule.CALIBRATION, "late", "fail", abs(ratio - 1), 0.5, Interval(*interval, 0.95), rows=6000,
        facts={"ratio": ratio},
    )  # fmt: skip
    held = hold([window(20, level=ratio, release="v2")], past, 0.95).get("calibration")
    finding = within_range(failed, held, usual_if_unknown=True)
    assert finding.failed and finding.usual == usual
    assert Finding.from_dict(finding.to_dict()) == finding
    opened = update_incidents([], [finding], START).opened
    assert len(opened) == (0 if usual else 1)


def test_an_open_incident_stays_open_while_its_rule_fails_as_usual() -> None:
    failed = Finding(Rule.CALIBRATION, "late", "fail", 0.6, 0.5, rows=10, facts={"ratio": 1.6})
    (incident,) = update_incidents([], [failed], START).opened
    changes = update_incidents([incident], [replace(failed, usual=True)], START + WEEK)
    assert [i.passes for i in changes.open] == [0] and not changes.opened


def test_windows_are_read_back_as_they_were_written() -> None:
    assert WindowFigures.from_dict(PAST[0].to_dict()) == PAST[0]
