"""The kind of calibrator that is taken: the plainest allowed, unless another is better on later events, for certain."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import hourly
import numpy as np
import polars as pl
import pytest

from homeostat.adapters.dvc_yaml import FILE
from homeostat.core.beta_calibration import Beta
from homeostat.core.calibration import log_odds, sigmoid
from homeostat.core.calibrators import Calibrator, Kind
from homeostat.decisions.calibration_kind import choose_kinds
from homeostat.decisions.recalibrate import Recent, edits_with
from homeostat.project import scope as scopes
from homeostat.project.layout import CALIBRATION
from homeostat.project.scope import Scope

FIRST = datetime(2024, 3, 1)
HOURS = 24 * 28  # of which the first half fits, and the second judges
NOW = FIRST + timedelta(hours=HOURS + 2)


def scope(calibrate: str) -> Scope:
    return scopes.parse(hourly.PARAMS.replace("  model: linear\n", f"  model: linear\n  calibrate: {calibrate}\n"))


def recent(shape: str, each: int = 40) -> Recent:
    """Scores, ``each`` an hour, whose true log odds are moved by one, or bent at one end; the scope's objective."""
    rng = np.random.default_rng(3)
    odds = rng.normal(-0.5, 1.5, HOURS * each)
    chance = sigmoid(odds + 1 if shape == "moved" else Beta(0.4, 1.8, 0.2).moved(odds))
    times = [FIRST + timedelta(hours=n // each) for n in range(len(odds))]
    y = (rng.random(len(odds)) < chance).astype(float)
    rows = pl.DataFrame({"event_time": times, "label__high": y}).with_columns(known__high=pl.col("event_time"))
    return Recent(rows, {"high": y}, {"high": sigmoid(odds)}, FIRST + timedelta(hours=HOURS // 2))


@pytest.mark.parametrize(
    ("allowed", "shape", "each", "kind"),
    [
        ("platt", "bent", 40, "platt"),  # the scope's default asks for no other
        ("[platt, beta, isotonic]", "moved", 40, "platt"),  # what chance explains is no reason for more numbers
        ("[platt, beta]", "bent", 40, "beta"),
        ("[platt, isotonic]", "bent", 40, "isotonic"),
        ("beta", "bent", 40, "beta"),
        ("[beta, isotonic]", "moved", 40, "beta"),
        ("[platt, beta, isotonic]", "bent", 2, "platt"),  # events are not plenty
        ("isotonic", "bent", 2, None),
        ("none", "bent", 40, None),
    ],
)
def test_the_plainest_unless_another_is_better_on_later_events(
    allowed: str, shape: str, each: int, kind: Kind | None
) -> None:
    assert choose_kinds(scope(allowed), recent(shape, each), NOW) == ({} if kind is None else {"high": kind})


def test_what_judges_is_not_looked_at() -> None:
    """Labels of the later half say the opposite of all; the choice is the same."""
    events = recent("bent")
    later = (events.rows["event_time"] > events.judged_since).to_numpy()
    y = np.where(later, 1 - events.labels["high"], events.labels["high"])
    other = Recent(events.rows.with_columns(label__high=pl.Series(y)), {"high": y}, events.scores, events.judged_since)
    chosen = [choose_kinds(scope("[platt, beta]"), one, NOW) for one in (events, other)]
    assert chosen == [{"high": "beta"}, {"high": "beta"}]
    fits = [one.fitted({"high": "beta"}, events.judged_since) for one in (events, other)]
    assert fits[0] == fits[1] and fits[0] != events.fitted({"high": "beta"})


@pytest.mark.parametrize("kind", ["platt", "beta", "isotonic"])
def test_it_is_a_file_of_json_that_reads_back_to_the_bit(kind: Kind) -> None:
    events = recent("bent")
    fitted = events.fitted({"high": kind})
    edits = edits_with(fitted)
    text = edits[CALIBRATION]("")
    assert set(edits) == {CALIBRATION, FILE.as_posix()}
    assert text == edits_with(events.fitted({"high": kind}))[CALIBRATION]("")
    again = Calibrator.from_dict(json.loads(text)["high"])
    assert again == fitted["high"]
    assert again.apply(events.scores["high"]).tolist() == fitted["high"].apply(events.scores["high"]).tolist()
    assert np.isfinite(log_odds(again.apply(events.scores["high"]))).all()
