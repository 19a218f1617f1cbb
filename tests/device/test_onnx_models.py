"""A model as ONNX gives the raw scores of the model it was made from, to the last bit."""

from __future__ import annotations

import numpy as np
import onnxruntime
import polars as pl
import pytest

from homeostat import models
from homeostat.core.errors import UsageError
from homeostat.device.onnx_models import as_onnx, runnable
from homeostat.models import Model, encoding
from homeostat.project.objective_scope import Objective
from homeostat.project.training_scope import Baseline, LightGBM, Training

NAMES = ("size", "age", "flag", "shape", "whole")
FEW = LightGBM(trees=30, leaves=9, learning_rate=0.3, min_leaf=5)


def table(rows: int, seed: int, gaps: float = 0.2) -> pl.DataFrame:
    """Features of every type that there is, with gaps and with sizes far apart."""
    chance = np.random.default_rng(seed)
    columns = {
        "size": np.exp(chance.normal(0, 8, rows)), "age": chance.normal(0, 1, rows),
        "flag": chance.random(rows) < 0.5, "shape": chance.choice(list("abcdefgh"), rows),
        "whole": chance.integers(-5, 2**40, rows),
    }  # fmt: skip
    blanks = {name: chance.random(rows) < gaps for name in columns}
    return pl.DataFrame(columns).with_columns(
        pl.when(~pl.Series(blanks[name])).then(pl.col(name)).alias(name) for name in columns
    ).with_columns(pl.col("shape").alias("given__shape"))


def label(rows: pl.DataFrame, task: str) -> np.ndarray:
    effect = rows["age"].fill_null(0.3).to_numpy() + rows["shape"].is_in(["b", "e"]).fill_null(False).to_numpy()
    return effect if task == "regression" else np.clip(np.round(effect), 0, 1 if task == "binary" else 3)


def fitted(kind: str, task: str, gaps: float = 0.2, settings: LightGBM = FEW) -> Model:
    rows = table(400, 1, gaps)
    group = np.arange(400) // 20 if task == "ranking" else None
    stated = {"task": task, "label": "y", "known": "k", "weight": 1, "features": NAMES}
    objective = Objective.model_validate(stated | ({"group": "g"} if task == "ranking" else {}))
    training = Training(model=kind, refit=True, lightgbm=settings, baseline=Baseline(by=("shape",)))  # type: ignore[arg-type]
    return models.fit(kind, objective, training, rows, label(rows, task), 1, 1, group)


def answered(model: Model, rows: pl.DataFrame) -> list[float]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(as_onnx(model, "one"), options)
    codes = np.ascontiguousarray(encoding.matrix(runnable(model, "one").encoded, rows))
    return session.run(None, {"rows": codes})[0][:, 0].tolist()  # type: ignore[no-any-return]


def raw(model: Model, rows: pl.DataFrame) -> list[float]:
    return runnable(model, "one").raw(rows).tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize("task", ["binary", "regression", "ranking"])
@pytest.mark.parametrize("kind", ["lightgbm", "linear"])
@pytest.mark.parametrize("gaps", [0.2, 0.0], ids=["gaps in training", "none in training"])
def test_raw_scores_are_equal_to_the_bit(kind: str, task: str, gaps: float) -> None:
    model = fitted(kind, task, gaps)
    rows = table(3000, 2, 0.3).with_columns(pl.col("shape").replace("h", "never seen"))
    assert answered(model, rows) == raw(model, rows)
    assert len(set(raw(model, rows))) > 50


def test_trees_of_one_leaf_are_ensembles_too() -> None:
    model = fitted("lightgbm", "regression", settings=LightGBM(trees=3, leaves=9, learning_rate=0.3, min_leaf=300))
    rows = table(10, 2)
    assert answered(model, rows) == raw(model, rows)


def test_a_table_of_rates_is_refused() -> None:
    with pytest.raises(UsageError, match=r"objective one: its model is a heuristic.* promote a learned release"):
        as_onnx(fitted("heuristic", "binary"), "one")
