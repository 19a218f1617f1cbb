"""The profile of one batch, computed at once by Polars."""

from __future__ import annotations

from collections import OrderedDict
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from homeostat.core.profiles import CLOCK, LEVELS, PARTS, QUANTILES, Profile
from homeostat.core.repairs import Array

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

KEPT = 1_000  # profiles, of some 50 kB
MOST_VALUES = 5_000  # distinct texts of a column above which they are names of rows, not categories
NAMES = 0.9  # distinct texts a row, the same
BOUNDS = (0.02, 0.25, 0.75, 0.98)  # of the parts of a column's values, in order, whose means are its levels
DAY = timedelta(days=1)
SEPARATOR = "\0"  # between statistic and column in the names of one select


class Profiles:
    """Profiles of batches by what they were made from, the last ones used."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Profile] = OrderedDict()

    def get(self, key: str, make: Callable[[], Profile]) -> Profile:
        """The profile kept under ``key``, or else the one that ``make`` returns."""
        if key not in self._kept:
            self._kept[key] = make()
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return self._kept[key]


def profile_of(rows: pl.DataFrame, times: pl.Series, span: tuple[datetime, datetime]) -> Profile:
    """Profile the rows of a batch in declared types; ``times`` are their event times, ``span`` the batch's period.

    A row without a time, as a correction may hold, is in no batch.
    """
    rows, times = rows.filter(times.is_not_null()), times.drop_nulls()
    if rows.is_empty():
        return Profile(0)
    numbers, texts, clocks = _numbers(rows, times), rows.select(pl.col(pl.String)), rows.select(pl.col(pl.Datetime))
    sorted_values = {c: numbers[c].drop_nulls().sort().to_numpy() for c in numbers.columns}
    sorted_values = {c: values for c, values in sorted_values.items() if len(values)}
    levels = {c: _levels(values) for c, values in sorted_values.items()}
    stats = {**_statistics(numbers, texts), **_of_times(clocks)}
    stats |= {(c, name): level for c, of in levels.items() for name, level in zip(LEVELS, of, strict=True)}
    place = _place(times, span)
    ranked = numbers.with_columns(place.alias(CLOCK)) if CLOCK not in numbers.columns else numbers
    values = {c: _values(texts[c]) for c in texts.columns}
    ranks = texts.select(pl.all().rank("dense").cast(pl.Float64))
    codes = ranks.with_columns(pl.lit(None, dtype=pl.Float64).alias(c) for c in texts.columns if not values[c])
    part = np.clip((place.to_numpy() * PARTS).astype(int), 0, PARTS - 1)
    course = _course(times, span, part)
    return Profile(
        rows=rows.height,
        stats=stats,
        quantiles={c: _quantiles(values) for c, values in sorted_values.items()},
        spread={c: _spread(values) for c, values in sorted_values.items()},
        values=values,
        copies=1 - rows.n_unique() / rows.height,
        clock=np.bincount(part, minlength=PARTS).astype(float),
        course=np.bincount(course, minlength=PARTS).astype(float),
        ranked=(*ranked.columns, *codes.columns),
        by_part=np.vstack([_by_part(ranked.to_numpy(), course), np.full((codes.width, PARTS), np.nan)]),
        order=_rank_correlations(pl.concat([ranked, codes], how="horizontal")),
        columns=tuple(rows.columns),
        apart=_apart(rows),
    )


def _numbers(rows: pl.DataFrame, times: pl.Series) -> pl.DataFrame:
    """Every column that can be ordered, as numbers: times as hours after the event."""
    hours = [
        ((pl.col(c) - times).dt.total_seconds() / 3600).alias(c) for c, t in rows.schema.items() if t == pl.Datetime
    ]
    kept = [c for c, t in rows.schema.items() if t.is_numeric() or t in (pl.Boolean, pl.Datetime)]
    table = rows.with_columns(hours).select(pl.col(kept).cast(pl.Float64))
    return table.select(pl.when(pl.all().is_finite()).then(pl.all()))


def _place(times: pl.Series, span: tuple[datetime, datetime]) -> pl.Series:
    """Where in the period each row lies: 0 to 1."""
    start, end = span
    return (times - start).dt.total_microseconds() / ((end - start).total_seconds() * 1e6)


def _course(times: pl.Series, span: tuple[datetime, datetime], part: NDArray[np.intp]) -> NDArray[np.intp]:
    """(n,) the part of the day of each row where the period is several days, for it is days that repeat; else ``part``.

    Times without an hour have no course of the day.
    """
    start, end = span
    if end - start < 2 * DAY or times.n_unique() == times.dt.date().n_unique():
        return part
    since = (times - start).dt.total_microseconds() % (DAY // timedelta(microseconds=1))
    return np.asarray((since * PARTS // (DAY // timedelta(microseconds=1))).to_numpy(), dtype=np.intp)


def _statistics(numbers: pl.DataFrame, texts: pl.DataFrame) -> Mapping[tuple[str, str], float]:
    wanted = {
        f"{name}{SEPARATOR}{column}": expression
        for columns, statistics in ((numbers.columns, _of_numbers), (texts.columns, _of_texts))
        for column in columns
        for name, expression in statistics(column).items()
    }
    if not wanted:
        return {}
    table = pl.concat([numbers, texts], how="horizontal")
    answer = table.select(expression.alias(name) for name, expression in wanted.items()).row(0)
    keys = [name.split(SEPARATOR, 1) for name in wanted]
    return {(c, name): float(v) for (name, c), v in zip(keys, answer, strict=True) if v is not None and np.isfinite(v)}


def _of_times(clocks: pl.DataFrame) -> dict[tuple[str, str], float]:
    """The share of a column's times that are of a day as a whole, and not of a time of it."""
    whole = clocks.select((pl.all() == pl.all().dt.truncate("1d")).mean())
    return {(c, "midnight"): float(whole[c][0]) for c in whole.columns if whole[c][0] is not None}


def _of_any(column: str) -> dict[str, pl.Expr]:
    c = pl.col(column)
    return {"missing": c.is_null().mean(), "same": c.drop_nulls().unique_counts().max() / c.count()}


def _of_numbers(column: str) -> dict[str, pl.Expr]:
    c = pl.col(column)
    return _of_any(column) | {
        "repeated": (c == c.shift(1)).mean(),
        "run": c.drop_nulls().rle_id().unique_counts().max() / c.count(),
        "zero": (c == 0).mean(),
        "negative": (c < 0).mean(),
        "distinct": c.drop_nulls().n_unique(),
        "size": c.filter(c != 0).abs().log().mean(),
    }


def _of_texts(column: str) -> dict[str, pl.Expr]:
    c = pl.col(column)
    return _of_any(column) | {
        "blanks": (c != c.str.strip_chars()).mean(),
        "lower": (c != c.str.to_uppercase()).mean(),
        "odd": (c.str.len_bytes() != c.str.len_chars()).mean(),
        "length": c.str.len_chars().mean(),
    }


def _quantiles(values: Array) -> Array:
    """At ``QUANTILES``, of sorted values."""
    return values[np.round(np.array(QUANTILES) * (len(values) - 1)).astype(int)]


def _levels(values: Array) -> list[float]:
    """The means of the lowest quarter, the middle half and the highest quarter of sorted values, less the outer 2 %.

    A mean of many values moves smoothly also where a column holds few different ones.
    """
    ends = np.round(np.array(BOUNDS) * len(values)).astype(int)
    starts = np.minimum(ends[:-1], len(values) - 1)
    return [float(values[a : max(b, a + 1)].mean()) for a, b in zip(starts, ends[1:], strict=True)]


def _spread(values: Array) -> float:
    low, high = (round(share * (len(values) - 1)) for share in (BOUNDS[0], BOUNDS[-1]))
    return float(values[low : high + 1].std())


def _values(column: pl.Series) -> dict[str, int]:
    """How often each text comes; none where they are too many to be categories."""
    counts = column.drop_nulls().value_counts()
    if counts.height > MOST_VALUES or (counts.height > 20 and counts.height > NAMES * column.len()):
        return {}
    return dict(counts.iter_rows())


def _by_part(table: Array, part: NDArray[np.intp]) -> Array:
    """(n, PARTS): the mean of each column by part of the period; NaN where no row has a value."""
    here = np.eye(PARTS)[part]  # (rows, PARTS)
    there = ~np.isnan(table)
    many = there.T.astype(float) @ here
    return np.divide(np.nan_to_num(table).T @ here, many, out=np.full_like(many, np.nan), where=many > 0)


def _apart(rows: pl.DataFrame) -> Array:
    """(m, m): the share of rows in which one column is missing and another is not."""
    missing = rows.select(pl.all().is_null().cast(pl.Float64)).to_numpy()
    return (missing.T @ (1 - missing)) / len(missing)


def _rank_correlations(table: pl.DataFrame) -> Array:
    """(n, n), of each pair of columns, texts in their order; NaN where one is constant. A missing value counts as
    average.
    """
    ranks = table.select(pl.all().rank()).select(pl.all() - pl.all().mean()).fill_null(0.0).to_numpy()
    size = np.sqrt((ranks**2).sum(axis=0))
    size[size == 0] = np.nan
    return (ranks.T @ ranks) / np.outer(size, size)
