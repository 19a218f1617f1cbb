"""Five kinds of model behind one small protocol: heuristic, linear, online, lightgbm, combined. Text formats only.

A model is a folder: ``model.json`` and, for trees, ``trees.txt``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from homeostat.core.errors import DataError, ScopeError
from homeostat.project.executor import IN_PROCESS, Executor

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from homeostat.project.learning_scope import Learn
    from homeostat.project.objective_scope import Objective
    from homeostat.project.training_scope import Training

MANY = 200  # rows from which on models predict side by side: starting a thread costs what a few rows do


class Model(Protocol):
    """What scores events; the same table gives the same scores to the bit, in one batch or row by row."""

    @property
    def kind(self) -> str: ...

    @property
    def features(self) -> tuple[str, ...]:
        """The columns of the table that ``predict`` reads."""

    def predict(self, table: pl.DataFrame) -> np.ndarray:
        """One float64 a row: a probability, an amount, or for ranking a score that only orders.

        Raises:
            DataError: a column is missing or of another type.
        """

    def strongest(self, many: int) -> tuple[str, ...]:
        """The features that it rests on most, the first first."""

    def save(self, folder: Path) -> None:
        """Write the model's files into ``folder``; equal models write equal bytes."""


def fit(
    kind: str,
    objective: Objective,
    training: Training,
    table: pl.DataFrame,
    y: np.ndarray,
    seed: int,
    threads: int,
    group: np.ndarray | None = None,
    executor: Executor = IN_PROCESS,
) -> Model:
    """Fit a model of ``kind`` to the labels ``y`` (n,) of the rows of ``table``, which are in order of event time.

    ``group`` (n,) is for ranking.

    Where ``training`` spreads so many rows over ranks, they are workers of the ``executor``.

    A binary label with one class only leaves nothing to learn but its rate: the answer is then a heuristic. Of one
    objective alone a combined model is lightgbm; ``combined.fit`` fits that of several.

    Raises:
        DataError: no rows, or labels or features that cannot be used.
        ScopeError: a kind that learns, and no features to learn from.
    """
    from homeostat.models import heuristic, lightgbm, linear, online, targets

    targets.check(objective, y, group)
    if kind == "heuristic":
        return heuristic.fit(objective, training.baseline, table, y)
    if not objective.features:
        raise ScopeError(f"params.yaml: the objective with label {objective.label!r} has no features; name some")
    if objective.task == "binary" and y.min() == y.max():
        return heuristic.rate_alone(objective.task, y)
    if kind == "linear":
        return linear.fit(objective, table, y)
    if kind == online.KIND:
        return online.fit(objective, table, y)
    ranks = training.ranks(kind, len(y))
    settings = training.lightgbm
    return lightgbm.fit(objective, settings, table, y, seed, threads, group, executor=executor, ranks=ranks)


def continue_from(
    parent: Model,
    objective: Objective,
    training: Training,
    learn: Learn,
    table: pl.DataFrame,
    y: np.ndarray,
    seed: int,
    group: np.ndarray | None = None,
) -> Model:
    """The parent, gone on with on the labels ``y`` (n,) of the rows of ``table``; see ``learn`` in the scope.

    The rows are in order of event time, those of an online model later than all it has learned.

    Raises:
        DataError: the parent is of another kind, task or features, or labels cannot be used.
    """
    from homeostat.models import lightgbm, online, targets

    if len(y):
        targets.check(objective, y, group)
    alike = parent.features == objective.features
    if not isinstance(parent, lightgbm.Trees | online.Online) or parent.task != objective.task or not alike:
        what = "no trees or online model of these features and this task"
        raise DataError(f"the release to continue has {what}; fit from the start")
    if isinstance(parent, online.Online):
        return online.continued(parent, training.online.rate, table, y)
    return lightgbm.continued(parent, training.lightgbm, learn, table, y, seed, group)


def predict_each(fitted: Mapping[str, Model], table: pl.DataFrame) -> dict[str, np.ndarray]:
    """The scores (n,) of the same rows by each model; of many rows on as many processors as there are.

    Raises:
        DataError: as ``Model.predict``.
    """
    at_once = min(len(fitted), os.cpu_count() or 1) if len(table) >= MANY else 1
    if at_once < 2:
        return {name: model.predict(table) for name, model in fitted.items()}
    with ThreadPoolExecutor(at_once) as pool:  # LightGBM leaves Python's lock alone while it predicts
        return dict(zip(fitted, pool.map(lambda model: model.predict(table), fitted.values()), strict=True))


def load(folder: Path, threads: int = 1) -> Model:
    """Read a model that ``save`` wrote; ``threads`` bear on speed alone.

    Raises:
        DataError: a file is missing, damaged, or of a form that this version does not know.
    """
    from homeostat.models import combined, heuristic, lightgbm, linear, online, stored

    body = stored.read(folder)
    try:
        match body["kind"]:
            case "heuristic":
                return heuristic.read(body)
            case "linear":
                return linear.read(body)
            case online.KIND:
                return online.read(body)
            case "lightgbm":
                return lightgbm.read(body, folder, threads)
            case combined.KIND:
                return combined.read(body, folder, threads)
            case other:
                raise DataError(
                    f"{folder / stored.NAME}: a model of unknown kind {other!r}; use the version that made it"
                )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{folder / stored.NAME}: not a whole model ({error}); restore the file") from error
