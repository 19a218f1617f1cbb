"""Labelled rows in order of time, cut into bins of equal numbers of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from homeostat.scaffold.audit.issue import Chart
from homeostat.scaffold.audit.predictive_power import Array

BINS = 48
LEAST = 15  # rows of a bin


@dataclass(frozen=True)
class TimeBins:
    """``rows`` in order of time, with ``__t`` and ``__y``; bin n is rows ``cuts[n]`` to ``cuts[n + 1]``."""

    rows: pl.DataFrame
    cuts: tuple[int, ...]
    starts: tuple[datetime, ...]

    @classmethod
    def of(cls, rows: pl.DataFrame) -> TimeBins:
        """As many bins as leave each enough rows; equal times are in one bin."""
        many = max(1, min(BINS, rows.height // LEAST))
        times = rows["__t"]
        inner = (int(times.search_sorted(times[rows.height * n // many], side="left")) for n in range(1, many))
        cuts = sorted({0, rows.height, *inner})
        return cls(rows, tuple(cuts), tuple(times[c] for c in cuts[:-1]))

    def parts(self, column: str) -> list[pl.Series]:
        """The values of a column in each bin."""
        values = self.rows[column]
        return [values[a:b] for a, b in zip(self.cuts, self.cuts[1:], strict=False)]

    def medians(self, column: str) -> Array:
        """The median of a column in each bin, NaN where it has no value."""
        middles = [part.median() for part in self.parts(column)]
        return np.array([np.nan if m is None else float(m) for m in middles])  # type: ignore[arg-type]

    def means(self, column: str) -> Array:
        """The mean of a column in each bin, 0 where it has no value."""
        return np.array([float(part.mean() or 0.0) for part in self.parts(column)])  # type: ignore[arg-type]

    def chart(self, values: Sequence[float | None] | Array) -> Chart:
        """A value a bin, with the bin's first day."""
        finite = [None if v is None or not np.isfinite(v) else float(v) for v in values]
        return tuple((f"{t:%Y-%m-%d}", v) for t, v in zip(self.starts, finite, strict=True))
