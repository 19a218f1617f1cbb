"""Version 0, the one to beat: the label's rate by a few columns of the events, or a score that is already there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from homeostat.core.errors import DataError
from homeostat.models import stored

if TYPE_CHECKING:
    from homeostat.project.objective_scope import Objective
    from homeostat.project.training_scope import Baseline

GIVEN = "given__"
PRIOR = 20.0  # rows that the overall rate counts for beside a group's own


@dataclass(frozen=True)
class Rates:
    """The label's mean by the values of ``columns``, drawn towards the mean of all; that one where a value is new."""

    task: str
    columns: tuple[str, ...]
    overall: float
    rates: Mapping[tuple[str | None, ...], float]

    @property
    def kind(self) -> str:
        return "heuristic"

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(GIVEN + c for c in self.columns)

    def predict(self, table: pl.DataFrame) -> np.ndarray:
        if not self.columns:
            return np.full(len(table), self.overall)
        keys = _keys(table, self.columns)
        known = pl.DataFrame(list(self.rates), schema=keys.schema, orient="row")
        known = known.with_columns(pl.Series("rate", list(self.rates.values()), dtype=pl.Float64))
        matched = keys.join(known, on=self.columns, how="left", nulls_equal=True, maintain_order="left")
        return matched["rate"].fill_null(self.overall).to_numpy()

    def strongest(self, many: int) -> tuple[str, ...]:
        return self.features[:many]

    def save(self, folder: Path) -> None:
        rates = [[list(values), rate] for values, rate in self.rates.items()]
        body = {"kind": self.kind, "task": self.task, "by": list(self.columns)}
        stored.write(folder, body | {"overall": self.overall, "rates": rates})


@dataclass(frozen=True)
class Given:
    """A score that the events carry already; the label's mean where there is none."""

    task: str
    column: str
    overall: float

    @property
    def kind(self) -> str:
        return "heuristic"

    @property
    def features(self) -> tuple[str, ...]:
        return (GIVEN + self.column,)

    def predict(self, table: pl.DataFrame) -> np.ndarray:
        scores = _given(table, self.column).cast(pl.Float64).to_numpy()
        scores = np.where(np.isfinite(scores), scores, self.overall)
        return np.clip(scores, 0.0, 1.0) if self.task == "binary" else scores

    def strongest(self, many: int) -> tuple[str, ...]:
        return self.features[:many]

    def save(self, folder: Path) -> None:
        body = {"kind": self.kind, "task": self.task, "column": self.column}
        stored.write(folder, body | {"overall": self.overall})


def fit(objective: Objective, baseline: Baseline, table: pl.DataFrame, y: np.ndarray) -> Rates | Given:
    """The baseline that the scope names.

    Raises:
        DataError: a column that it needs is missing, or a score for a binary label is no probability.
    """
    column = "sql" if baseline.sql is not None else baseline.column
    if column is not None:
        return _given_score(objective.task, column, table, y)
    overall = _overall(objective.task, y)
    if not baseline.by:
        return Rates(objective.task, (), overall, {})
    keys = _keys(table, baseline.by)
    groups = keys.unique().sort(baseline.by, nulls_last=False).with_row_index("at")
    at = keys.join(groups, on=baseline.by, how="left", nulls_equal=True, maintain_order="left")["at"].to_numpy()
    # Not Polars: its sums of floats depend on the number of threads.
    rows, sums = np.bincount(at, minlength=len(groups)), np.bincount(at, weights=y, minlength=len(groups))
    rates = (sums + PRIOR * overall) / (rows + PRIOR)
    return Rates(objective.task, baseline.by, overall, dict(zip(groups.drop("at").rows(), rates.tolist(), strict=True)))


def rate_alone(task: str, y: np.ndarray) -> Rates:
    """The mean of ``y`` for every event."""
    return Rates(task, (), _overall(task, y), {})


def read(body: Mapping[str, Any]) -> Rates | Given:
    """The model that ``save`` wrote as ``body``."""
    task, overall = str(body["task"]), float(body["overall"])
    if "column" in body:
        return Given(task, str(body["column"]), overall)
    rates = {tuple(values): float(rate) for values, rate in body["rates"]}
    return Rates(task, tuple(body["by"]), overall, rates)


def _overall(task: str, y: np.ndarray) -> float:
    """The mean; a rate is kept off 0 and 1, which no number of rows can prove."""
    if task == "binary":
        return (float(y.sum()) + 0.5) / (len(y) + 1)
    return float(y.mean())


def _given(table: pl.DataFrame, name: str) -> pl.Series:
    if GIVEN + name not in table.columns:
        raise DataError(f"training.baseline: no column {GIVEN}{name} in the feature table; build the features again")
    return table.get_column(GIVEN + name)


def _keys(table: pl.DataFrame, columns: tuple[str, ...]) -> pl.DataFrame:
    return pl.DataFrame({c: _given(table, c).cast(pl.String) for c in columns})


def _given_score(task: str, column: str, table: pl.DataFrame, y: np.ndarray) -> Given:
    values = _given(table, column)
    if not (values.dtype.is_numeric() or values.dtype in (pl.Boolean, pl.Null)):
        raise DataError(f"training.baseline: {column} is {values.dtype}, no score; name a number")
    scores = values.cast(pl.Float64).drop_nulls().drop_nans().to_numpy()
    if task == "binary" and not ((scores >= 0) & (scores <= 1)).all():
        span = f"{scores.min():g} to {scores.max():g}"
        raise DataError(f"training.baseline: {column} goes from {span}, no probability; scale it to 0..1 by sql")
    return Given(task, column, _overall(task, y))
