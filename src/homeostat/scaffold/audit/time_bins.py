"""A table's columns over the history: the rows in order of time, in stretches of equal length."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import polars as pl

    from homeostat.scaffold.audit.predictive_power import Array

STRETCHES = 48
LEAST = 15  # rows of a stretch that says anything


@dataclass(frozen=True)
class Course:
    """``rows`` in order of time, with ``__t`` and ``__y``; stretch n is rows ``cuts[n]`` to ``cuts[n + 1]``."""

    rows: pl.DataFrame
    cuts: tuple[int, ...]
    starts: tuple[datetime, ...]

    @classmethod
    def of(cls, rows: pl.DataFrame) -> Course:
        """Stretches of equal numbers of rows; as many as leave each enough."""
        many = max(1, min(STRETCHES, rows.height // LEAST))
        times = rows["__t"]
        cuts = sorted({0, rows.height, *(_turn(times, rows.height * n // many) for n in range(1, many))})
        return cls(rows, tuple(cuts), tuple(times[c] for c in cuts[:-1]))

    def each(self, column: str) -> list[pl.Series]:
        values = self.rows[column]
        return [values[a:b] for a, b in zip(self.cuts, self.cuts[1:], strict=False)]

    def picture(self, values: list[float | None] | Array) -> tuple[tuple[str, float | None], ...]:
        """A value a stretch, with its date, for a drawing."""
        said = [None if v is None or not np.isfinite(v) else float(v) for v in values]
        return tuple((f"{t:%Y-%m-%d}", v) for t, v in zip(self.starts, said, strict=True))


def _turn(times: pl.Series, place: int) -> int:
    """The first row of the moment that the row at ``place`` belongs to: a moment is in one stretch."""
    return int(times.search_sorted(times[place], side="left"))
