"""The holdout and the warm-up that the history allows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from homeostat.scaffold.profile.batch_period import rounded_up
from homeostat.scaffold.profile.history import History
from homeostat.scaffold.profile.label_delay import LabelDelay

EVENTS = 400  # least events of a holdout


@dataclass(frozen=True)
class Windows:
    """``holdout``: the last mature events, which judge a model; ``warm_up``: history before the first model."""

    holdout: timedelta
    warm_up: timedelta


def choose_windows(history: History, delay: LabelDelay) -> Windows:
    """A twelfth of the history as holdout and a fifth as warm-up, more where batches are small or labels late.

    Of a history without its gaps: of a season's rows neither is longer for the months in which nothing comes.
    """
    period, length = history.rhythm.period, history.covered
    fifth = length * 0.2 // period * period
    holdout = max(
        period,
        rounded_up(length * 0.08, period),
        min(rounded_up(period * (EVENTS / max(history.rhythm.rows, 1)), period), fifth),
        min(rounded_up(delay.usual, period), fifth),
    )
    wait = max(delay.usual, delay.horizon)
    wait = wait if wait >= period else timedelta(0)
    warm_up = rounded_up(max(wait + holdout + max(holdout, length * 0.1), length * 0.2), period)
    most = max(length * 0.6 // period * period, rounded_up(wait + holdout + period, period))
    return Windows(holdout, history.with_gaps(max(min(warm_up, most), holdout + period)))
