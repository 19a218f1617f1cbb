"""Columns that are made of a series' own labels are told from what is known before each row."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from homeostat.scaffold.audit.neighbouring_labels import around, made_of
from homeostat.scaffold.audit.predictive_power import Array

SERIES = {"a": 10.0, "b": 30.0}


def _rows() -> pl.DataFrame:
    """Two series, a row of each in turn, with a rhythm of a week."""
    chance, n = np.random.default_rng(2), np.arange(700)
    of = [
        pl.DataFrame({"n": n, "of": name, "__y": level + 3 * np.sin(n / 7 * 2 * np.pi) + chance.normal(size=len(n))})
        for name, level in SERIES.items()
    ]
    return pl.concat(of).sort("n", "of")


def _mean(shifts: range) -> Callable[[pl.DataFrame], pl.Series]:
    mean = sum((pl.col("__y").shift(-k).over("of") for k in shifts), pl.lit(0.0)) / len(shifts)
    return lambda rows: rows.select(mean.round(2)).to_series()


@pytest.mark.parametrize(
    ("column", "leaks"),
    [
        (_mean(range(-3, 4)), True),
        (_mean(range(1, 13)), True),
        (_mean(range(1, 2)), True),
        (_mean(range(-6, 1)), True),
        (_mean(range(-1, 0)), False),
        (_mean(range(-14, 0)), False),
        (lambda rows: rows["n"], False),
        (lambda rows: rows["__y"] + pl.Series(np.random.default_rng(3).normal(size=len(rows))), False),
    ],
    ids=["centred", "ahead", "next", "with this row", "last", "trailing", "count", "noisy copy"],
)
def test_what_is_made_of_later_labels_is_found(column: Callable[[pl.DataFrame], pl.Series], leaks: bool) -> None:
    rows = _rows()
    values: Array = column(rows).cast(pl.Float64).fill_null(float("nan")).to_numpy()
    assert made_of(values, around(rows, ["of"])) == leaks
