"""Columns that order the rows as an amount to predict does: its logarithm, its class of size, the same before tax."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from homeostat.scaffold.audit.candidates import Candidates, as_learned, floats, names_entities
from homeostat.scaffold.audit.issue import Issue, leak
from homeostat.scaffold.audit.late_columns import BEFORE, name_words
from homeostat.scaffold.audit.predictive_power import Array

PAIRS, SEED = 20_000, 1  # pairs of rows that are compared
FEWEST, TELLS = 400, 0.1  # pairs that a column tells apart at least, and their share
AGREE, AGREE_SERIES = 0.995, 0.999  # share of those that it orders as the label, from which it is made of it
AGREE_NAMED = 0.95  # the same of a column that is called after the label
TREND = 0.95  # share of those that the time orders alike, from which both only grow


def same_order(candidates: Candidates) -> Iterator[Issue]:
    """Numbers and times that order pairs of rows as the label does, and not only by growing with time."""
    profile, y = candidates.profile, candidates.y
    if profile.label.task != "regression" or len(y) < FEWEST:
        return
    chosen = np.random.default_rng(SEED).integers(0, len(y), (2, PAIRS))
    apart, later = _signs(y, chosen), np.sign(chosen[0] - chosen[1])
    for column in candidates.columns:
        if column.kind == "string" or names_entities(column):
            continue
        told = _signs(floats(as_learned(candidates.rows, column)), chosen)
        judged = (apart != 0) & np.isfinite(told) & (told != 0)
        if judged.sum() < max(FEWEST, TELLS * (apart != 0).sum()):
            continue
        agreed = _either((told == apart)[judged])
        called = name_words(column.raw)
        named = name_words(profile.label.column) <= called and not called & BEFORE and not profile.series
        least = AGREE_NAMED if named else AGREE_SERIES if profile.series else AGREE
        if agreed >= least and _either((told == later)[judged]) < TREND:
            text = (
                f"{column.raw} orders the rows as {profile.label.column} does ({agreed:.1%} of the pairs that it tells "
                "apart): it is made of it"
            )
            yield leak("label leakage", column.name, text, 0.9, 97)


def _signs(values: Array, pairs: np.ndarray) -> Array:
    with np.errstate(invalid="ignore"):
        signs: Array = np.sign(values[pairs[0]] - values[pairs[1]])
    return signs


def _either(alike: Array) -> float:
    """The share of pairs in one order, or in the opposite one."""
    share = float(alike.mean())
    return max(share, 1 - share)
