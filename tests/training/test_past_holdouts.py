from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from tides import tides

from homeostat.core import metrics
from homeostat.features.tables import read_features
from homeostat.training.past_holdouts import CUT_OFFS, past_holdouts
from homeostat.training.train import train

AS_OF = datetime(2024, 4, 10)
WEEK = timedelta(days=7)


@pytest.mark.parametrize("kind", ["lightgbm", "linear", "heuristic"])
def test_each_cut_off_is_judged_on_what_came_after_it(tmp_path: Path, kind: str) -> None:
    project = tides(tmp_path)
    found = list(past_holdouts(project.scope, read_features(project), "height", kind, AS_OF))
    assert [h.end for h in found] == [AS_OF - timedelta(days=2) - n * WEEK for n in range(CUT_OFFS)]
    for holdout in found:
        times = holdout.rows["event_time"]
        assert holdout.end - holdout.start == WEEK
        assert times.is_between(holdout.start, holdout.end, closed="left").all() and len(times) > 200
        assert len(holdout.score) == len(holdout.baseline) == len(times)
    loss = [metrics.value("regression", "rmse", h.rows["label__height"].to_numpy(), h.score) for h in found]
    base = [metrics.value("regression", "rmse", h.rows["label__height"].to_numpy(), h.baseline) for h in found]
    assert np.isfinite(loss).all() and (np.array(loss) <= base).all()


def test_the_first_of_them_is_the_holdout_of_the_candidate(tmp_path: Path) -> None:
    project = tides(tmp_path)
    held_out = train(project)["objectives"]["flood"]["holdout"]
    first = next(past_holdouts(project.scope, read_features(project), "flood", "lightgbm", AS_OF))
    assert (first.start.isoformat(), first.end.isoformat(), len(first.rows)) == tuple(held_out.values())


def test_a_short_history_has_fewer(tmp_path: Path) -> None:
    project = tides(tmp_path)
    scope, table = project.scope, read_features(project)
    assert len(list(past_holdouts(scope, table, "flood", "linear", datetime(2024, 3, 20)))) == 1
    assert list(past_holdouts(scope, table, "flood", "linear", datetime(2024, 3, 2))) == []
