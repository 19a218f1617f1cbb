"""Equality bit for bit."""

from __future__ import annotations

import polars as pl


def same_bits(left: pl.Series, right: pl.Series) -> pl.Series:
    """Where two columns have the same value bit for bit, or both have none.

    >>> same_bits(pl.Series([0.1 + 0.2, None, 0.0]), pl.Series([0.3, None, -0.0])).to_list()
    [False, True, False]
    """
    if left.dtype != right.dtype:
        return pl.Series([False] * len(left), dtype=pl.Boolean)
    if left.dtype == pl.Float64:
        bits = [pl.Series(s.fill_null(0.0).to_numpy().view("int64")) for s in (left, right)]
        return (bits[0] == bits[1]) & (left.is_null() == right.is_null())
    return left.eq_missing(right)
