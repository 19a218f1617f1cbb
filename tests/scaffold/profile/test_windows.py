"""The holdout and the time between two candidates: the judged model is not the one in service."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from homeostat.scaffold.profile.batch_period import DAY, HOUR, choose_rhythm
from homeostat.scaffold.profile.history import History
from homeostat.scaffold.profile.label_delay import DueTime, LabelDelay
from homeostat.scaffold.profile.windows import EVENTS, choose_windows

PERIODS = (HOUR, DAY, 7 * DAY, 28 * DAY)


@given(
    period=st.sampled_from(PERIODS), batches=st.integers(3, 420), rows=st.integers(1, 5000),
    due=st.none() | st.integers(1, 120),
)  # fmt: skip
def test_the_holdout_is_never_about_as_long_as_the_time_between_candidates(
    period: timedelta, batches: int, rows: int, due: int | None
) -> None:
    rhythm = choose_rhythm({period: [rows] * batches})
    start = datetime(2023, 1, 2)
    history = History(start, start + batches * period, rhythm, (rows,) * batches)
    wait = None if due is None else DueTime("due", "due", DAY, due * DAY, 2 * due * DAY)
    history, windows = choose_windows(history, LabelDelay(None, {}, timedelta(0), DAY, wait))
    retrain = history.rhythm.retrain
    assert retrain >= rhythm.retrain and retrain % history.rhythm.decide == timedelta(0)
    assert windows.holdout % period == timedelta(0) and windows.warm_up > windows.holdout
    assert period <= windows.holdout <= max(period, history.length * 0.2)
    few = windows.holdout / period * rows < EVENTS
    assert not retrain * 2 / 3 < windows.holdout < retrain * 3 / 2, (windows, retrain)
    if few:  # no longer holdout would have been allowed
        assert windows.holdout + period > history.length * 0.2
