"""How much worse is no worse: the margin of an objective's loss, drafted from how far its past windows differ."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from statistics import stdev
from typing import NamedTuple

from homeostat.core.promises import WindowFigures, on_its_scale
from homeostat.core.ranges import FEWEST_WINDOWS, LEAST

PART = 0.5  # of a standard deviation: about the least that matters (Norman, Sloan and Wyrwich, 2003, Medical Care 41)


class Margin(NamedTuple):
    """The share that a loss may be above another's; ``windows``: from how many it was drafted, if it was."""

    share: float
    windows: int = 0


def draft_margin(windows: Sequence[WindowFigures], loss: str, least: float, most: float) -> Margin:
    """Half the standard deviation of the loss of past windows, as a share of their baseline's, between two limits.

    A difference that is small beside that between one week and the next is nothing that anybody would notice. A
    baseline is always level with itself, so that its losses count as they are. ``least`` stands where there are too few
    windows to say.
    """
    values = [scaled for window in windows if (scaled := on_its_scale(window, loss)) is not None]
    if not any(values):
        values = [log(max(window.figures[loss][0], LEAST)) for window in windows if loss in window.figures]
    if len(values) < FEWEST_WINDOWS:
        return Margin(least)
    return Margin(float(f"{max(least, min(PART * stdev(values), most)):.3g}"), len(values))
