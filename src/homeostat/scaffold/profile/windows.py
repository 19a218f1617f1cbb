"""The holdout and the warm-up that the history allows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from homeostat.scaffold.profile.batch_period import rounded_up
from homeostat.scaffold.profile.history import History
from homeostat.scaffold.profile.label_delay import LabelDelay

EVENTS = 400  # least events of a holdout
NEW = 2 / 3  # of the time between two candidates; a holdout nearer to it judges a model that serves already


@dataclass(frozen=True)
class Windows:
    """``holdout``: the last mature events, which judge a model; ``warm_up``: history before the first model."""

    holdout: timedelta
    warm_up: timedelta


def choose_windows(history: History, delay: LabelDelay) -> tuple[History, Windows]:
    """A twelfth of the history as holdout, but no more than half of what comes until the next candidate, and a fifth as
    warm-up; more where batches are small or labels late.

    A candidate is judged by a model that has not seen the holdout: with a holdout about as long as the wait for the
    next candidate that model would be the one in service. Where the holdout has to be that long, candidates are made
    less often; where it is much longer, since labels are late, each is judged beside the one that judged the last.
    Of a history without its gaps: of a season's rows neither is longer for the months in which nothing comes.
    """
    rhythm, length = history.rhythm, history.covered
    period, fifth = rhythm.period, length * 0.2 // rhythm.period * rhythm.period
    holdout = max(
        period,
        min(rounded_up(length * 0.08, period), rhythm.retrain / 2 // period * period),
        min(rounded_up(period * (EVENTS / max(rhythm.rows, 1)), period), fifth),
        min(rounded_up(delay.usual, period), fifth),
    )
    wait = max(delay.usual, delay.horizon)
    wait = wait if wait >= period else timedelta(0)
    warm_up = rounded_up(max(wait + holdout + max(holdout, length * 0.1), length * 0.2), period)
    most = max(length * 0.6 // period * period, rounded_up(wait + holdout + period, period))
    windows = Windows(holdout, history.with_gaps(max(min(warm_up, most), holdout + period)))
    if NEW * rhythm.retrain < holdout < rhythm.retrain / NEW:
        rhythm = replace(rhythm, retrain=rounded_up(holdout / NEW, rhythm.decide))
    return replace(history, rhythm=rhythm), windows
