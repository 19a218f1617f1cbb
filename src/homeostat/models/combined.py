"""One model of all objectives by the combined loss: the sum of each objective's loss times its weight.

Rows are stacked once an objective and weigh as it does, so no loss function of its own is needed. A column says whose
row it is; features that an objective does not list are blank in its rows, so what is barred from it stays unseen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from homeostat.models import encoding, heuristic, lightgbm, stored

if TYPE_CHECKING:
    from homeostat.models import Model
    from homeostat.models.lightgbm import Trees
    from homeostat.project.objective_scope import Objective
    from homeostat.project.training_scope import Training

KIND = "combined"
OF = "of__objective"


@dataclass(frozen=True)
class Combined:
    """The shared trees as they score one objective, by its ``own`` features."""

    objective: str
    own: tuple[str, ...]
    trees: Trees = field(repr=False)

    @property
    def kind(self) -> str:
        return KIND

    @property
    def features(self) -> tuple[str, ...]:
        return self.own

    def predict(self, table: pl.DataFrame) -> np.ndarray:
        return self.trees.predict(self.rows(table))

    def rows(self, table: pl.DataFrame) -> pl.DataFrame:
        """The rows of ``table`` as the trees know them."""
        others = [name for name in self.trees.features if name not in (*self.own, OF)]
        blank = (pl.lit(None).alias(name) for name in others)
        return _of(self.objective, self.own, table).with_columns(*blank)

    def strongest(self, many: int) -> tuple[str, ...]:
        every = self.trees.strongest(len(self.trees.features))
        return tuple(name for name in every if name in self.own)[:many]

    def save(self, folder: Path) -> None:
        self.trees.save(folder)
        own = {"kind": KIND, "objective": self.objective, "own": list(self.own)}
        stored.write(folder, stored.read(folder) | own)


def fit(
    objectives: Mapping[str, Objective], training: Training, tables: Mapping[str, pl.DataFrame],
    labels: Mapping[str, np.ndarray], seed: int, threads: int,
) -> dict[str, Model]:  # fmt: skip
    """One fit to the rows and labels (n,) of all objectives, which are of one task; the model of each.

    A row weighs as ``training.weights`` has its objective.

    Raises:
        DataError: features that cannot be used.
    """
    first = next(iter(objectives.values()))
    y = np.concatenate([labels[name] for name in objectives])
    if first.task == "binary" and y.min() == y.max():
        return {name: heuristic.rate_alone(first.task, labels[name]) for name in objectives}
    stacked = pl.concat([_of(name, one.features, tables[name]) for name, one in objectives.items()], how="diagonal")
    weight = np.concatenate([np.full(len(labels[name]), training.weights[name]) for name in objectives])
    weight *= len(weight) / weight.sum()  # a mean of one: what a leaf needs is counted in rows
    every = tuple(dict.fromkeys([*(feature for one in objectives.values() for feature in one.features), OF]))
    whole = first.model_copy(update={"features": every})
    trees = lightgbm.fit(whole, training.lightgbm, stacked, y, seed, threads, None, weight)
    return {name: Combined(name, one.features, trees) for name, one in objectives.items()}


def read(body: Mapping[str, Any], folder: Path, threads: int) -> Combined:
    """The model whose ``model.json`` is ``body``.

    Raises:
        DataError: as ``lightgbm.read``.
    """
    return Combined(str(body["objective"]), tuple(body["own"]), lightgbm.read(body, folder, threads))


def _of(objective: str, own: tuple[str, ...], table: pl.DataFrame) -> pl.DataFrame:
    return table.select(*(encoding.column(table, name) for name in own), pl.lit(objective).alias(OF))
