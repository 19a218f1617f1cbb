"""Models continued on newer events: for each task, by trees that are added and by leaves that move."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from homeostat import models
from homeostat.core.errors import DataError
from homeostat.core.score_move import score_move
from homeostat.models.lightgbm import Trees
from homeostat.project.learning_scope import Learn
from homeostat.project.objective_scope import Objective
from homeostat.project.training_scope import Baseline, LightGBM, Training

TASKS = ("binary", "regression", "ranking")
HOW = ("continue", "refit")
TREES = LightGBM(trees=20, leaves=7, learning_rate=0.1, min_leaf=5, feature_share=0.5)
TRAINING = Training(model="lightgbm", refit=True, lightgbm=TREES, baseline=Baseline())


def objective(task: str) -> Objective:
    group = "g" if task == "ranking" else None
    return Objective(task=task, label="y", known="k", weight=1, features=("size", "shape"), group=group)  # type: ignore[arg-type]


def events(rows: int, seed: int, shift: float = 0.0) -> tuple[pl.DataFrame, np.ndarray, np.ndarray]:
    """Features, what labels follow from, and groups; ``shift`` moves the relation of the two."""
    rng = np.random.default_rng(seed)
    size, shape = rng.normal(0, 1, rows), rng.choice(["a", "b", "new" if shift else "b"], rows)
    level = size * (1 - shift) + (shape == "a") + rng.normal(0, 0.5, rows)
    group = np.array([f"g{n // 10}" for n in range(rows)])
    return pl.DataFrame({"size": size, "shape": shape}), level, group


def labels(task: str, level: np.ndarray) -> np.ndarray:
    if task == "binary":
        return (level > 0.5).astype(np.float64)
    return level if task == "regression" else np.clip(np.round(level + 1), 0, 3)


def fitted(task: str) -> models.Model:
    table, level, group = events(600, 1)
    return models.fit("lightgbm", objective(task), TRAINING, table, labels(task, level), 1, 1, group)


def continued(
    parent: models.Model, task: str, how: str, y: np.ndarray, table: pl.DataFrame, group: np.ndarray
) -> Trees:
    learn = Learn(batch=1, how=how, trees=3)  # type: ignore[arg-type]
    made = models.continue_from(parent, objective(task), TRAINING, learn, table, y, 1, group)
    assert isinstance(made, Trees)
    return made


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("task", TASKS)
def test_a_continuation_follows_newer_events_and_is_a_function_of_its_inputs(
    task: str, how: str, tmp_path: Path
) -> None:
    parent = fitted(task)
    table, level, group = events(400, 2, shift=1.5)
    y = labels(task, level)
    one, other = (continued(parent, task, how, y, table, group) for _ in range(2))
    parent.save(tmp_path / "parent")  # as the stage has it: read back from its files
    again = continued(models.load(tmp_path / "parent"), task, how, y, table, group)
    assert one.text == other.text == again.text
    assert one.booster.num_trees() == 20 + (3 if how == "continue" else 0)
    one.save(tmp_path / "one")
    assert (models.load(tmp_path / "one").predict(table) == one.predict(table)).all()
    if task != "ranking":
        before, after = (np.mean((model.predict(table) - y) ** 2) for model in (parent, one))
        assert after < before


def test_each_continuation_draws_other_features() -> None:
    table, level, group = events(400, 2)
    y = labels("regression", level)
    first = continued(fitted("regression"), "regression", "continue", y, table, group)
    used = []
    for _ in range(6):
        first, before = continued(first, "regression", "continue", y, table, group), first.booster.num_trees()
        trees = first.booster.dump_model()["tree_info"][before:]
        used += [tree["tree_structure"]["split_feature"] for tree in trees]
    assert set(used) == {0, 1}  # half of two features is one: with one seed it would be the same each time


@pytest.mark.parametrize("how", HOW)
def test_one_class_alone_and_no_event_at_all_move_nothing(how: str) -> None:
    parent = fitted("binary")
    table, _, group = events(200, 3)
    for rows in (200, 0):
        made = continued(parent, "binary", how, np.ones(rows), table.head(rows), group[:rows])
        assert made.text == parent.text  # type: ignore[attr-defined]


@pytest.mark.parametrize("how", HOW)
def test_poisoned_labels_move_scores_beyond_the_guard_rail_and_honest_ones_do_not(how: str) -> None:
    parent, limit = fitted("binary"), 0.035
    table, level, group = events(400, 4)
    honest = labels("binary", level)
    held_out = events(400, 5)[0]
    nearly_all = np.where(np.arange(400) % 50 == 0, 0.0, 1.0)
    for y, outcome in ((honest, "pass"), (1 - honest, "fail"), (nearly_all, "fail")):
        made = continued(parent, "binary", how, y, table, group)
        moved = score_move("late", "binary", made.predict(held_out), parent.predict(held_out), limit)
        assert moved.outcome == outcome, moved


def test_what_has_no_trees_of_these_features_cannot_be_continued() -> None:
    table, level, group = events(200, 6)
    y, learn = labels("binary", level), Learn(batch=1)
    linear = models.fit("linear", objective("binary"), TRAINING, table, y, 1, 1)
    with pytest.raises(DataError, match="no trees or online model of these features"):
        models.continue_from(linear, objective("binary"), TRAINING, learn, table, y, 1, group)
    fewer = objective("binary").model_copy(update={"features": ("size",)})
    with pytest.raises(DataError, match="no trees or online model of these features"):
        models.continue_from(fitted("binary"), fewer, TRAINING, learn, table, y, 1, group)
