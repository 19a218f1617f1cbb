"""The values of a column on two sides, one over the other: SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import polars as pl

BINS, CATEGORIES = 16, 8  # bars of a picture
OUTER = (0.01, 0.99)  # quantiles between which numbers are drawn
WIDE, HIGH = 240, 44  # of a picture
STYLES = ("baseline", "served")  # of the two sides


def overlaid(name: str, before: pl.Series, now: pl.Series) -> str:
    """The distribution of a column before and now; empty where a side has no values."""
    sides = [before.drop_nulls(), now.drop_nulls()]
    if any(side.is_empty() for side in sides):
        return ""
    shares = _shares(*sides)
    top = max((share for side in shares for share in side), default=0) or 1
    wide = WIDE / max(len(shares[0]), 1)
    bars = [
        f'<rect class="{style}" x="{place * wide:.1f}" y="{HIGH * (1 - share / top):.1f}" width="{wide - 1:.1f}" '
        f'height="{HIGH * share / top:.1f}"/>'
        for style, side in zip(STYLES, shares, strict=True)
        for place, share in enumerate(side)
    ]
    return f'<svg viewBox="0 0 {WIDE} {HIGH}" role="img" aria-label="{escape(name)}">{"".join(bars)}</svg>'


def _shares(before: pl.Series, now: pl.Series) -> list[Sequence[float]]:
    """The share of each side's values in each bar: the commonest categories, or equal steps between the quantiles."""
    if not (before.dtype.is_numeric() and now.dtype.is_numeric()):
        texts = [side.cast(pl.String) for side in (before, now)]
        names = pl.concat(texts).value_counts(sort=True).head(CATEGORIES)[before.name].to_list()
        return [[float((side == value).mean() or 0.0) for value in names] for side in texts]
    values = [side.to_numpy().astype(float) for side in (before, now)]
    values = [side[np.isfinite(side)] for side in values]
    low, high = np.quantile(np.concatenate(values), OUTER) if all(map(len, values)) else (0.0, 1.0)
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    clipped = [np.clip(side, edges[0], edges[-1]) for side in values]
    return [(np.histogram(side, edges)[0] / max(len(side), 1)).tolist() for side in clipped]
