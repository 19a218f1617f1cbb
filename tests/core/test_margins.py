"""How much worse is no worse, from windows made by hand."""

from __future__ import annotations

from datetime import datetime
from math import exp

import pytest

from homeostat.core.margins import Margin, draft_margin
from homeostat.core.promises import WindowFigures

DAY = datetime(2024, 3, 1)


def window(loss: float, baseline: float, metric: str = "log_loss") -> WindowFigures:
    return WindowFigures("o", "linear", "v0.1.0", DAY, DAY, 900, {metric: (loss, baseline)})


def apart(by: float, many: int) -> list[WindowFigures]:
    """Windows whose loss lies by turns so far above and below its share of the baseline's, at levels of their own."""
    levels = [0.4, 0.2, 0.6, 0.3] * many
    return [window(0.8 * level * exp(by if n % 2 else -by), level) for n, level in enumerate(levels)]


@pytest.mark.parametrize(
    ("windows", "margin"),
    [
        ([], Margin(0.005)),
        (apart(0.05, 1)[:3], Margin(0.005)),  # too few to say how windows differ
        (apart(0.05, 1), Margin(0.0289, 4)),  # half the standard deviation of -0.05, 0.05, -0.05, 0.05
        (apart(0.05, 10), Margin(0.0253, 40)),
        (apart(0.001, 1), Margin(0.005, 4)),  # never less than the scope's least
        (apart(0.3, 1), Margin(0.05, 4)),  # nor more than what would be rolled back
        ([window(0.4, 0.4, "rmse")] * 4, Margin(0.005)),  # of another loss
        # a baseline is level with itself: its losses count as they are
        ([window(loss, loss) for loss in (0.40, 0.42, 0.40, 0.42)], Margin(0.0141, 4)),
    ],
)
def test_the_margin_follows_from_how_far_windows_differ(windows: list[WindowFigures], margin: Margin) -> None:
    assert draft_margin(windows, "log_loss", least=0.005, most=0.05) == margin
