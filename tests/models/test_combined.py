"""One model of two objectives: each scored by its own features, both by one fit, in which weights count."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from homeostat import models
from homeostat.core import metrics
from homeostat.models import combined
from homeostat.models.contributions import contributions
from homeostat.project.objective_scope import Objective
from homeostat.project.training_scope import Baseline, LightGBM, Training

SETTINGS = LightGBM(trees=40, leaves=7, learning_rate=0.2, min_leaf=20)
ROWS = 4000


def objective(*features: str) -> Objective:
    return Objective(task="binary", label="true", known="all", weight=1, features=features)


def training(**weights: float) -> Training:
    body = {"model": "combined", "refit": True, "lightgbm": SETTINGS, "baseline": Baseline(), "weights": weights}
    return Training.model_validate(body)


def table() -> tuple[pl.DataFrame, dict[str, np.ndarray]]:
    """Late by wind and airline; cancelled by wind alone, and given away by ``tail``, which only late may use."""
    rng = np.random.default_rng(7)
    wind, airline = rng.normal(size=ROWS), rng.choice(["aa", "bb", "cc"], ROWS)
    cancelled = (wind + rng.normal(0, 0.7, ROWS) > 1.5).astype(float)
    late = (0.6 * wind + (airline == "bb") + rng.normal(0, 0.7, ROWS) > 0.9).astype(float)
    frame = pl.DataFrame({"wind": wind, "airline": airline, "tail": np.where(cancelled == 1, np.nan, rng.random(ROWS))})
    return frame, {"late": late, "cancelled": cancelled}


def fitted(late: float = 1.0, cancelled: float = 1.0) -> dict[str, models.Model]:
    rows, labels = table()
    objectives = {"late": objective("airline", "wind", "tail"), "cancelled": objective("wind")}
    recipe = training(late=late, cancelled=cancelled)
    return combined.fit(objectives, recipe, dict.fromkeys(objectives, rows), labels, seed=1, threads=1)


def loss(model: models.Model, name: str) -> float:
    rows, labels = table()
    return float(metrics.value("binary", "log_loss", labels[name], model.predict(rows)))


def test_each_objective_has_scores_of_its_own_level() -> None:
    rows, labels = table()
    for name, model in fitted().items():
        assert abs(model.predict(rows).mean() - labels[name].mean()) < 0.01
        rate = np.full(ROWS, labels[name].mean())
        assert loss(model, name) < 0.8 * metrics.value("binary", "log_loss", labels[name], rate)


def test_what_an_objective_does_not_list_is_blank_in_its_rows() -> None:
    rows, _ = table()
    model = fitted()["cancelled"]
    assert model.features == ("wind",) and model.strongest(5) == ("wind",)
    other = rows.with_columns(tail=pl.lit(0.5), airline=pl.lit("bb"))
    assert (model.predict(rows) == model.predict(other)).all()
    assert (model.predict(rows) == model.predict(rows.select("wind"))).all()


def test_weights_are_part_of_the_loss() -> None:
    """The heavier objective comes nearer to its own best, at the other's cost."""
    for name in ("late", "cancelled"):
        heavy, light = (loss(fitted(**{name: weight})[name], name) for weight in (50.0, 0.02))
        assert heavy < light


def test_it_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    rows, _ = table()
    for name, model in fitted().items():
        model.save(tmp_path / name)
        back = models.load(tmp_path / name)
        assert (back.kind, back.features) == ("combined", model.features)
        assert (back.predict(rows) == model.predict(rows)).all()
    trees = [(tmp_path / name / "trees.txt").read_bytes() for name in ("late", "cancelled")]
    assert trees[0] == trees[1]


@pytest.mark.parametrize("name", ["late", "cancelled"])
def test_contributions_are_of_its_own_features_and_add_up(name: str) -> None:
    row = table()[0].head(1)
    model = fitted()[name]
    parts = contributions(model, row)
    assert parts is not None and set(parts.by_feature) == set(model.features)
    assert 1 / (1 + np.exp(-parts.total)) == pytest.approx(model.predict(row)[0], abs=1e-9)


def test_labels_of_one_class_leave_a_rate() -> None:
    rows, labels = table()
    objectives = {"late": objective("wind"), "cancelled": objective("wind")}
    nothing = {name: np.zeros(ROWS) for name in labels}
    recipe, tables = training(late=1, cancelled=1), dict.fromkeys(objectives, rows)
    made = combined.fit(objectives, recipe, tables, nothing, seed=1, threads=1)
    assert {model.kind for model in made.values()} == {"heuristic"}
