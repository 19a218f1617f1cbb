"""What features add to a score makes up the score."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl
import pytest

from homeostat import models
from homeostat.core.beta_calibration import Beta
from homeostat.core.calibration import Platt
from homeostat.core.calibrators import Calibrator, Curve
from homeostat.core.isotonic_calibration import Isotonic
from homeostat.models.calibrated import Calibrated
from homeostat.models.contributions import contributions
from homeostat.project.objective_scope import Objective
from homeostat.project.training_scope import Baseline, LightGBM, Training

ROWS = 300
N = np.arange(ROWS)
TABLE = pl.DataFrame({"x": np.where(N % 7 == 0, np.nan, N % 13).astype(float), "kind": [f"k{n % 3}" for n in N]})
Y = ((N % 13 > 6) ^ (N % 3 == 0)).astype(float)


@pytest.mark.parametrize("task", ["binary", "regression"])
@pytest.mark.parametrize("kind", ["linear", "lightgbm"])
def test_parts_make_up_the_score(kind: str, task: str) -> None:
    objective = Objective(task=task, label="y", known="g", weight=1.0, features=("x", "kind"))
    trees = LightGBM(trees=10, leaves=4, learning_rate=0.2, min_leaf=5)
    training = Training(model="lightgbm", refit=True, lightgbm=trees, baseline=Baseline())
    model = models.fit(kind, objective, training, TABLE, Y, 1, 1)
    for n in (0, 5, 77):
        found = contributions(model, TABLE[n])
        assert found is not None and set(found.by_feature) == {"x", "kind"}
        total = 1 / (1 + np.exp(-found.total)) if task == "binary" else found.total
        assert total == pytest.approx(model.predict(TABLE[n])[0], abs=1e-12)


@pytest.mark.parametrize("curve", [
    Platt(0.8, 0.3), Beta(0.5, 1.7, -0.2), Isotonic((-2.0, 0.1, 1.5), (-1.5, -0.3, 2.5)),
], ids=repr)  # fmt: skip
def test_through_a_calibrator_they_make_up_the_score_that_it_gives(curve: Curve) -> None:
    objective = Objective(task="binary", label="y", known="g", weight=1.0, features=("x", "kind"))
    trees = LightGBM(trees=10, leaves=4, learning_rate=0.2, min_leaf=5)
    training = Training(model="lightgbm", refit=True, lightgbm=trees, baseline=Baseline())
    when = datetime(2024, 3, 1)
    plain = models.fit("lightgbm", objective, training, TABLE, Y, 1, 1)
    model = Calibrated(plain, Calibrator(curve, when, when, ROWS))
    for n in (0, 5, 77):
        parts, before = contributions(model, TABLE[n]), contributions(plain, TABLE[n])
        assert parts is not None and before is not None
        assert 1 / (1 + np.exp(-parts.total)) == pytest.approx(model.predict(TABLE[n])[0], abs=1e-9)
        assert all(part * before.by_feature[name] >= 0 for name, part in parts.by_feature.items())  # no sign turns


def test_a_heuristic_adds_nothing_up() -> None:
    objective = Objective(task="binary", label="y", known="g", weight=1.0, features=())
    trees = LightGBM(trees=10, leaves=4, learning_rate=0.2, min_leaf=5)
    training = Training(model="heuristic", refit=True, lightgbm=trees, baseline=Baseline())
    assert contributions(models.fit("heuristic", objective, training, TABLE, Y, 1, 1), TABLE[0]) is None
