"""The model that learns online: each event once, as river's own model would, whatever the cut into continuations."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat import models
from homeostat.core.errors import DataError
from homeostat.faults.bad_release import turned_around
from homeostat.models.contributions import contributions
from homeostat.models.online import Online, continued
from homeostat.project.learning_scope import Learn
from homeostat.project.objective_scope import Objective
from homeostat.project.training_scope import Baseline, LightGBM, Training
from homeostat.project.training_scope import Online as Settings

RATE = 0.2
TREES = LightGBM(trees=20, leaves=7, learning_rate=0.1, min_leaf=5)
TRAINING = Training(model="online", refit=True, lightgbm=TREES, online=Settings(rate=RATE), baseline=Baseline())
TASKS = ("binary", "regression")


def objective(task: str) -> Objective:
    return Objective(task=task, label="y", known="k", weight=1, features=("size", "shape"))  # type: ignore[arg-type]


def events(rows: int, seed: int, since: int = 0, shift: float = 0.0) -> tuple[pl.DataFrame, np.ndarray]:
    """Features with gaps and times, and what labels follow from; ``shift`` moves the relation of the two."""
    rng = np.random.default_rng(seed)
    size, shape = rng.normal(10, 3, rows), rng.choice(["a", "b"], rows)
    level = (size - 10) / 3 * (1 - shift) + (shape == "a") + rng.normal(0, 0.5, rows)
    size[::13] = np.nan
    times = [datetime(2024, 1, 1) + timedelta(minutes=since + n) for n in range(rows)]
    return pl.DataFrame({"size": size, "shape": shape, "event_time": times}), level


def labels(task: str, level: np.ndarray) -> np.ndarray:
    return (level > 0.5).astype(np.float64) if task == "binary" else 100 + 20 * level


def fitted(task: str) -> Online:
    table, level = events(600, 1)
    model = models.fit("online", objective(task), TRAINING, table, labels(task, level), 1, 1)
    assert isinstance(model, Online)
    return model


@given(cuts=st.lists(st.integers(0, 300), max_size=4).map(sorted))
def test_in_any_cut_the_same_is_learned(cuts: list[int]) -> None:
    parent = fitted("regression")
    table, level = events(300, 2, since=600)
    y = labels("regression", level)
    model = parent
    for start, end in zip([0, *cuts], [*cuts, 300], strict=True):
        model = continued(model, RATE, table[start:end], y[start:end])
    assert model == continued(parent, RATE, table, y)


@pytest.mark.parametrize("task", TASKS)
def test_it_follows_a_relation_that_turns_and_comes_back_from_its_file(task: str, tmp_path: Path) -> None:
    parent = fitted(task)
    table, level = events(2000, 2, since=600, shift=2.0)
    y = labels(task, level)
    model = models.continue_from(parent, objective(task), TRAINING, Learn(batch=1), table, y, 1)
    losses = [float(np.mean((one.predict(table) - y) ** 2)) for one in (parent, model)]
    assert losses[1] < 0.8 * losses[0]
    model.save(tmp_path)
    again = models.load(tmp_path)
    assert again == model and (again.predict(table) == model.predict(table)).all()
    assert model.strongest(1) and isinstance(model, Online) and model.until == table["event_time"][-1]


@pytest.mark.parametrize("task", TASKS)
def test_it_learns_as_the_libraries_own_model_does(task: str) -> None:
    from river import linear_model, optim

    begun = fitted(task)
    nothing = (0.0,) * len(begun.weights)
    first = replace(begun, weights=nothing, squares=nothing)
    table, level = events(200, 3)
    y = labels(task, level)
    kind = linear_model.LogisticRegression if task == "binary" else linear_model.LinearRegression
    theirs = kind(optimizer=optim.AdaGrad(RATE), intercept_lr=0)
    size, a_shape, _ = begun.encoded[0], begun.encoded[1], begun.terms
    assert size.name == "size" and a_shape.categories == ("a", "b")
    number = begun.terms[0]
    for row, label in zip(table.iter_rows(named=True), y, strict=True):
        given_size = np.array([row["size"]])
        values = {"one": 1.0, "size": float(number.standard(given_size)[0]), row["shape"]: 1.0}  # type: ignore[union-attr]
        values |= {"no size": 1.0} if np.isnan(row["size"]) else {}
        target = bool(label) if task == "binary" else (label - begun.level) / begun.spread
        theirs.learn_one(values, target)  # type: ignore[arg-type]
    ours = dict(zip(("one", "size", "no size", "a", "b"), continued(first, RATE, table, y).weights, strict=True))
    assert ours == pytest.approx(theirs.weights, rel=1e-9)


def test_labels_of_one_class_wait_for_the_other() -> None:
    parent = fitted("binary")
    table, level = events(50, 4, since=600)
    assert continued(parent, RATE, table, np.zeros(50)) is parent
    assert continued(parent, RATE, table[:0], np.zeros(0)) is parent
    assert continued(parent, RATE, table, labels("binary", level)).until == table["event_time"][-1]


@pytest.mark.parametrize("task", TASKS)
def test_it_is_a_linear_model_to_whoever_explains_or_turns_it(task: str, tmp_path: Path) -> None:
    model = fitted(task)
    table, _ = events(5, 5)
    whole = contributions(model, table[1:2])
    assert whole is not None and whole.total == pytest.approx(model.raw(table[1:2])[0])
    turned = turned_around(model)
    turned.save(tmp_path)
    assert models.load(tmp_path).predict(table) == pytest.approx(
        1 - model.predict(table) if task == "binary" else -model.predict(table)
    )


def test_another_recipe_is_refused() -> None:
    table, level = events(50, 4)
    other = Objective(task="binary", label="y", known="k", weight=1, features=("size",))
    with pytest.raises(DataError, match="fit from the start"):
        models.continue_from(fitted("binary"), other, TRAINING, Learn(batch=1), table, labels("binary", level), 1)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    fitted("binary").save(tmp_path)
    path = tmp_path / "model.json"
    path.write_text(path.read_text().replace('"squares": [', '"squares": [1.0, '))
    with pytest.raises(DataError, match="not a whole model"):
        models.load(tmp_path)
