"""Features of a table as float64 columns: numbers as they are, categories as codes kept with the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from homeostat.core.errors import DataError


@dataclass(frozen=True)
class Feature:
    """One column: a number, or a category with the values seen in training, in order of their codes."""

    name: str
    categories: tuple[str, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name} | ({} if self.categories is None else {"categories": list(self.categories)})

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Feature:
        values = raw.get("categories")
        return cls(str(raw["name"]), None if values is None else tuple(str(v) for v in values))


def learn(names: Iterable[str], table: pl.DataFrame) -> tuple[Feature, ...]:
    """How each feature is encoded: strings become categories, numbers and booleans numbers.

    Raises:
        DataError: a feature is missing from the table, or neither a string nor a number.
    """
    return tuple(_learn(column(table, name)) for name in names)


def _learn(values: pl.Series) -> Feature:
    if _is_text(values.dtype):
        return Feature(values.name, tuple(values.cast(pl.String).unique().drop_nulls().sort()))
    _check_number(values)
    return Feature(values.name)


def column(table: pl.DataFrame, name: str) -> pl.Series:
    """The column ``name``.

    Raises:
        DataError: there is none.
    """
    if name not in table.columns:
        raise DataError(f"feature {name}: no such column in the feature table; add it to features.sql or drop it")
    return table.get_column(name)


def codes(feature: Feature, table: pl.DataFrame) -> np.ndarray:
    """One feature as float64 (n,): NaN where it is missing, infinite, or a value never seen in training.

    Raises:
        DataError: the column is missing or of another type than in training.
    """
    values = column(table, feature.name)
    if feature.categories is None:
        _check_number(values)
        numbers = values.cast(pl.Float64).to_numpy()
        return np.where(np.isfinite(numbers), numbers, np.nan)
    if not _is_text(values.dtype) and values.dtype != pl.Null:
        raise DataError(f"feature {feature.name}: {values.dtype} where the model learned strings; cast it")
    known = values.cast(pl.String).cast(pl.Enum(feature.categories), strict=False)
    return known.to_physical().cast(pl.Float64).to_numpy()


def matrix(features: tuple[Feature, ...], table: pl.DataFrame) -> np.ndarray:
    """All features as float64 (n, p), by column in memory."""
    columns = np.empty((len(table), len(features)), order="F")
    for place, values in enumerate(_each(features, table)):
        columns[:, place] = values
    return columns


def _each(features: tuple[Feature, ...], table: pl.DataFrame) -> Iterator[np.ndarray]:
    return (codes(feature, table) for feature in features)


def _is_text(kind: pl.DataType) -> bool:
    return kind in (pl.String, pl.Categorical, pl.Enum)


def _check_number(values: pl.Series) -> None:
    kind = values.dtype
    if not (kind.is_numeric() or kind in (pl.Boolean, pl.Null)):
        raise DataError(f"feature {values.name}: {kind} where a number or a string is needed; cast it in features.sql")
