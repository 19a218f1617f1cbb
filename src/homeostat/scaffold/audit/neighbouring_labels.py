"""Columns of a series that are made of its own labels, this row's or later ones: centred means, sums ahead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from homeostat.scaffold.audit.candidates import Candidates, floats
from homeostat.scaffold.audit.issue import Issue, leak
from homeostat.scaffold.audit.predictive_power import Array
from homeostat.scaffold.profile.identifiers import quoted
from homeostat.scaffold.profile.workspace import Workspace

REACH = 15  # rows before and after whose labels are tried
ROWS, FEWEST = 6000, 400  # in one run of the history
EXACT = 1e-4  # share of a column's variance that rounding leaves
MUCH_LESS = 0.01  # share of what earlier labels leave


def neighbouring_labels(work: Workspace, candidates: Candidates) -> Iterator[Issue]:
    """Numbers that labels of the rows around them give, and those of earlier rows do not."""
    profile = candidates.profile
    numbers = [c for c in candidates.columns if c.kind in ("integer", "float") and c.distinct > 2]
    if not profile.series or not numbers:
        return
    names = ", ".join(quoted(c.name) for c in (*(profile.table.column(e) for e in profile.entities), *numbers))
    rows = work.frame(
        f"SELECT {names}, {profile.label.number_sql} AS __y FROM {profile.table.sql} "
        f"WHERE __t >= TIMESTAMP '{profile.history.start}' ORDER BY __t LIMIT {ROWS}"
    )
    shifted = around(rows, profile.entities)
    for column in numbers:
        if made_of(floats(rows[column.name]), shifted):
            label = profile.label.column
            text = f"{column.raw} is made of {label}, of its own row or of later ones: it is known only afterwards"
            yield leak("label leakage", column.name, text, 0.9, 98)


def around(rows: pl.DataFrame, entities: Sequence[str]) -> Array:
    """The labels ``__y`` of the rows before and after each, (n, 2 * ``REACH`` + 1): earlier ones first."""
    labels = pl.col("__y").cast(pl.Float64)
    shifts = [labels.shift(-n) for n in range(-REACH, REACH + 1)]
    of = [s.over(entities) for s in shifts] if entities else shifts
    return rows.select(s.alias(str(n)) for n, s in enumerate(of)).fill_null(float("nan")).to_numpy()


def made_of(values: Array, labels: Array) -> bool:
    """Whether a weighted sum of ``labels``, as by ``around``, gives ``values`` (n,), and none of earlier ones does.

    >>> y = np.random.default_rng(1).normal(size=800)
    >>> rows = pl.DataFrame({"__y": y})
    >>> trailing, centred = np.roll(y, 1) + np.roll(y, 2), np.roll(y, 1) + y + np.roll(y, -1)
    >>> made_of(trailing, around(rows, ())), made_of(centred, around(rows, ())), made_of(y**2, around(rows, ()))
    (False, True, False)
    """
    finite = np.isfinite(values) & np.isfinite(labels).all(axis=1)
    if finite.sum() < FEWEST or not (spread := float(values[finite].var())):
        return False
    left = _unexplained(values[finite], labels[finite])
    return left < EXACT * spread and left < MUCH_LESS * _unexplained(values[finite], labels[finite, :REACH])


def _unexplained(values: Array, labels: Array) -> float:
    """The variance that a weighted sum and a constant leave."""
    design = np.column_stack([labels, np.ones(len(labels))])
    return float((values - design @ np.linalg.lstsq(design, values, rcond=None)[0]).var())
