"""Gradient-boosted trees by LightGBM, kept in its text format with the categories' codes beside it."""

from __future__ import annotations

import hashlib
import platform
import re
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from homeostat.core.errors import DataError
from homeostat.models import encoding, stored
from homeostat.models.encoding import Feature
from homeostat.project.executor import IN_PROCESS, Executor, Ring

if TYPE_CHECKING:
    import polars as pl
    from lightgbm import Booster, Dataset

    from homeostat.project.learning_scope import Learn
    from homeostat.project.objective_scope import Objective
    from homeostat.project.training_scope import LightGBM

NAME = "trees.txt"
LOSS = {"binary": "binary", "regression": "regression", "ranking": "lambdarank"}


@dataclass(frozen=True)
class Trees:
    """``text`` is LightGBM's own; features are columns f0, f1, ... in it, in the order of ``encoded``."""

    task: str
    encoded: tuple[Feature, ...]
    text: str = field(repr=False)
    booster: Booster = field(repr=False, compare=False)
    threads: int = field(default=1, compare=False)

    @property
    def kind(self) -> str:
        return "lightgbm"

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(f.name for f in self.encoded)

    def predict(self, table: pl.DataFrame) -> np.ndarray:
        if len(table) == 0:
            return np.empty(0)
        # NumPy only: LightGBM ends the whole process on Arrow columns of strings or dictionaries.
        scores = self.booster.predict(encoding.matrix(self.encoded, table), num_threads=self.threads)
        return np.asarray(scores, dtype=np.float64)

    def raw(self, table: pl.DataFrame) -> np.ndarray:
        """The sums (n,) of the trees' leaves, before any sigmoid."""
        x = encoding.matrix(self.encoded, table)
        return np.asarray(self.booster.predict(x, raw_score=True, num_threads=self.threads), dtype=np.float64)

    def strongest(self, many: int) -> tuple[str, ...]:
        gains = self.booster.feature_importance("gain")
        return tuple(self.features[n] for n in np.argsort(-gains, kind="stable")[:many] if gains[n] > 0)

    def save(self, folder: Path) -> None:
        features = [feature.to_dict() for feature in self.encoded]
        body = {"kind": self.kind, "task": self.task, "features": features, "sha256": _digest(self.text)}
        stored.write(folder, body)
        (folder / NAME).write_bytes(self.text.encode())


def library() -> ModuleType:
    """LightGBM without scikit-learn and pandas, which it would import for estimators and frames that we never give it.

    LightGBM 4.7.0 has no setting for it. It saves each process a second of CPU and 100 MB (``benchmarks/startup.py``):
    workers of the service, stages from the shell, and a rollback, which is typed in a hurry. On ARM scikit-learn has to
    be loaded before LightGBM, for the two share a library of threads.
    """
    with _not_importable("pandas", *(["sklearn"] if platform.machine() in ("x86_64", "AMD64") else [])):
        import lightgbm
    return lightgbm


@contextmanager
def _not_importable(*names: str) -> Iterator[None]:
    """Let this thread's imports of packages that are not loaded yet fail; those of other threads go on."""
    refusing = _Refusing(names, threading.get_ident())
    sys.meta_path.insert(0, refusing)
    try:
        yield
    finally:
        sys.meta_path.remove(refusing)


class _Refusing(MetaPathFinder):
    """What Python asks for a module first: raises for ``names`` in one thread, and knows of no other module."""

    def __init__(self, names: Sequence[str], thread: int) -> None:
        self._names, self._thread = names, thread

    def find_spec(self, name: str, path: object, target: object = None) -> None:
        if name in self._names and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def fit(
    objective: Objective,
    settings: LightGBM,
    table: pl.DataFrame,
    y: np.ndarray,
    seed: int,
    threads: int,
    group: np.ndarray | None,
    weight: np.ndarray | None = None,
    executor: Executor = IN_PROCESS,
    ranks: int = 1,
) -> Trees:
    """Boost trees; the same inputs give the same text at any number of threads, and at the same number of ranks.

    ``weight`` (n,): of rows. From two ``ranks`` on they are workers of the executor, by LightGBM's own distributed
    learner.
    """
    encoded = encoding.learn(objective.features, table)
    rows = _by_group(Rows(encoding.matrix(encoded, table), y, None, weight), group, objective.task)
    recipe = _recipe(encoded, _params(objective.task, settings, seed, threads), settings.trees)
    if ranks == 1:
        text = boost(recipe, rows)
    else:
        text = executor.together(partial(boost_rank, recipe), parts(rows, ranks))[0]
    return _trees(objective.task, encoded, text, threads)


def continued(
    parent: Trees, settings: LightGBM, learn: Learn, table: pl.DataFrame, y: np.ndarray, seed: int,
    group: np.ndarray | None,
) -> Trees:  # fmt: skip
    """The parent with further trees, or with other values of its leaves; itself where one class alone has come.

    Categories are coded as the parent has them: a value that is new to it counts as missing until a full retrain.
    """
    if len(y) == 0 or (parent.task == "binary" and y.min() == y.max()):
        return parent
    rows = _by_group(Rows(encoding.matrix(parent.encoded, table), y), group, parent.task)
    if learn.how == "refit":
        booster = parent.booster.refit(rows.x, rows.y, decay_rate=learn.decay, group=rows.sizes)
    else:
        # Each step draws other features: the seed of the parent's would draw those of its first trees again.
        params = _params(parent.task, settings, seed + parent.booster.num_trees(), parent.threads)
        recipe = _recipe(parent.encoded, params, learn.trees)
        data = _data_set(recipe, rows, free_raw_data=False)
        booster = library().train(dict(recipe.params), data, recipe.trees, init_model=parent.booster)
    text = _of_recipe_alone(booster.model_to_string())
    return _trees(parent.task, parent.encoded, text, parent.threads)


def _trees(task: str, encoded: tuple[Feature, ...], text: str, threads: int) -> Trees:
    """The model as it is read back from its text."""
    return Trees(task, encoded, text, library().Booster(model_str=text), threads)


@dataclass(frozen=True)
class Recipe:
    """LightGBM's parameters, how many trees, and the places of the columns that hold categories."""

    params: Mapping[str, Any]
    trees: int
    categorical: tuple[int, ...]


@dataclass
class Rows:
    """A matrix (n, features), labels and weights (n,), and for ranking how many rows each list has, in turn."""

    x: np.ndarray
    y: np.ndarray
    sizes: np.ndarray | None = None
    weight: np.ndarray | None = None


def _recipe(encoded: tuple[Feature, ...], params: Mapping[str, Any], trees: int) -> Recipe:
    return Recipe(params, trees, tuple(i for i, f in enumerate(encoded) if f.categories is not None))


def _by_group(rows: Rows, group: np.ndarray | None, task: str) -> Rows:
    """Rows; for ranking, of which those of one group lie side by side, and without weights."""
    if group is None or task != "ranking":
        return rows
    _, at, counts = np.unique(group, return_inverse=True, return_counts=True)
    order = np.argsort(at, kind="stable")
    return Rows(rows.x[order], rows.y[order], counts)


def _data_set(recipe: Recipe, rows: Rows, free_raw_data: bool) -> Dataset:
    return library().Dataset(
        rows.x, rows.y, weight=rows.weight, group=rows.sizes, params=dict(recipe.params), free_raw_data=free_raw_data,
        feature_name=[f"f{i}" for i in range(rows.x.shape[1])], categorical_feature=list(recipe.categorical),
    )  # fmt: skip


def parts(rows: Rows, ranks: int) -> list[Rows]:
    """The rows of each rank: every so manyth row, or list, so that each rank has some of all times.

    Raises:
        DataError: there are fewer lists than ranks.
    """
    if rows.sizes is None:
        weight = rows.weight
        return [
            Rows(rows.x[rank::ranks], rows.y[rank::ranks], None, None if weight is None else weight[rank::ranks])
            for rank in range(ranks)
        ]
    if len(rows.sizes) < ranks:
        raise DataError(f"{len(rows.sizes)} lists to rank for {ranks} ranks; lower training.distribute.ranks")
    of_rank = np.arange(len(rows.sizes)) % ranks
    of_row = np.repeat(of_rank, rows.sizes)
    return [
        Rows(rows.x[of_row == rank], rows.y[of_row == rank], rows.sizes[of_rank == rank]) for rank in range(ranks)
    ]


def boost_rank(recipe: Recipe, rows: Rows, ring: Ring) -> str:
    """What one rank of LightGBM's data-parallel learner does: the text of the whole model, the same on each rank."""
    network = {
        "machines": ",".join(ring.machines), "local_listen_port": ring.port, "num_machines": len(ring.machines),
        "tree_learner": "data", "pre_partition": True,
    }  # fmt: skip
    return boost(replace(recipe, params={**recipe.params, **network}), rows)


def boost(recipe: Recipe, rows: Rows) -> str:
    """The text of the model that is fitted to the rows."""
    lightgbm, params = library(), dict(recipe.params)
    data = _data_set(recipe, rows, free_raw_data=True)
    if "machines" in params:  # bins are sought by all ranks together, once they are connected
        booster = lightgbm.train(params, data, recipe.trees)
        booster.free_network()
    else:
        data.construct()
        rows.x = np.empty(0)  # it is large, and the data set has its own form of it
        booster = lightgbm.train(params, data, recipe.trees)
    return _of_recipe_alone(booster.model_to_string())


def read(body: Mapping[str, Any], folder: Path, threads: int) -> Trees:
    """The model whose ``model.json`` is ``body``.

    Raises:
        DataError: the trees are missing or are not those that the model was saved with.
    """
    lightgbm = library()
    path = folder / NAME
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; restore it or train again") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: damaged, not text; restore it or train again") from error
    if _digest(text) != body["sha256"]:
        raise DataError(f"{path}: not the trees that {stored.NAME} was saved with; restore both or train again")
    encoded = tuple(Feature.from_dict(raw) for raw in body["features"])
    try:
        booster = lightgbm.Booster(model_str=text)
    except lightgbm.basic.LightGBMError as error:
        raise DataError(f"{path}: LightGBM cannot read it ({error}); use the version that made it") from error
    if booster.num_feature() != len(encoded):
        raise DataError(
            f"{path}: {booster.num_feature()} features where {stored.NAME} names {len(encoded)}; restore both"
        )
    return Trees(str(body["task"]), encoded, text, booster, threads)


def _params(task: str, settings: LightGBM, seed: int, threads: int) -> dict[str, Any]:
    return {
        "objective": LOSS[task],
        "num_leaves": settings.leaves,
        "learning_rate": settings.learning_rate,
        "min_data_in_leaf": settings.min_leaf,
        "feature_fraction": settings.feature_share,
        "bagging_fraction": settings.row_share,
        "bagging_freq": 1 if settings.row_share < 1 else 0,
        "lambda_l2": settings.l2,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": threads,
        "verbosity": -1,
    }


def _of_recipe_alone(text: str) -> str:
    """The text as one thread would have written it, at no address: the trees are the same, but its end names these."""
    for setting, value in (("num_threads", "1"), ("machines", ""), ("local_listen_port", "12400")):
        text = re.sub(rf"(?m)^\[{setting}: .*\]$", f"[{setting}: {value}]", text)
    return text


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
