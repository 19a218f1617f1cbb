"""Gradient-boosted trees by LightGBM, kept in its text format with the categories' codes beside it."""

from __future__ import annotations

import hashlib
import platform
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from homeostat.core.errors import DataError
from homeostat.models import encoding, stored
from homeostat.models.encoding import Feature

if TYPE_CHECKING:
    import polars as pl
    from lightgbm import Booster

    from homeostat.project.scope import Objective
    from homeostat.project.training_scope import LightGBM

NAME = "trees.txt"
_importing = threading.Lock()  # a name that cannot be imported meanwhile cannot be in any thread
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
    """LightGBM without scikit-learn, which it would import for estimator classes that nothing here uses.

    LightGBM 4.7.0 has no setting for it. It saves each process a second of CPU and 70 MB (``benchmarks/startup.py``):
    workers of the service, stages from the shell, and a rollback, which is typed in a hurry. On ARM scikit-learn has to
    be loaded before LightGBM, for the two share a library of threads.
    """
    with _importing:
        if platform.machine() not in ("x86_64", "AMD64"):
            import lightgbm
        else:
            with _not_importable("sklearn"):
                import lightgbm
    return lightgbm


@contextmanager
def _not_importable(name: str) -> Iterator[None]:
    """Let imports of a package that is not loaded yet fail: None in ``sys.modules`` has that meaning in Python."""
    absent = name not in sys.modules
    if absent:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if absent:
            del sys.modules[name]


def fit(
    objective: Objective,
    settings: LightGBM,
    table: pl.DataFrame,
    y: np.ndarray,
    seed: int,
    threads: int,
    group: np.ndarray | None,
    weight: np.ndarray | None = None,
) -> Trees:
    """Boost trees; the same inputs give the same text at any number of threads. ``weight`` (n,): of rows."""
    lightgbm = library()
    encoded = encoding.learn(objective.features, table)
    x = encoding.matrix(encoded, table)
    sizes = None
    if group is not None and objective.task == "ranking":
        _, at, counts = np.unique(group, return_inverse=True, return_counts=True)
        order = np.argsort(at, kind="stable")
        x, y, sizes = x[order], y[order], counts
    params = _params(objective.task, settings, seed, threads)
    data = lightgbm.Dataset(
        x, y, weight=weight, group=sizes, params=params, free_raw_data=True,
        feature_name=[f"f{i}" for i in range(len(encoded))],
        categorical_feature=[i for i, f in enumerate(encoded) if f.categories is not None],
    ).construct()  # fmt: skip
    del x  # it is large, and the data set has its own form of it
    text = _without_threads(lightgbm.train(params, data, settings.trees).model_to_string())
    return Trees(objective.task, encoded, text, lightgbm.Booster(model_str=text), threads)


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


def _without_threads(text: str) -> str:
    """The text as one thread would have written it: the trees are the same, the settings at its end say how many."""
    return re.sub(r"(?m)^\[num_threads: \d+\]$", "[num_threads: 1]", text)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
