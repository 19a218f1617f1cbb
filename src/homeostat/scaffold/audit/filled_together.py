"""Columns that are filled when the label is: by their presence alone, or together with a column that leaks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from homeostat.scaffold.audit.candidates import Candidates
from homeostat.scaffold.audit.issue import Issue, leak
from homeostat.scaffold.profile.identifiers import spaced
from homeostat.scaffold.profile.table import Column

RIGHT = 0.95  # share of the labels that presence alone tells
GAIN = 0.1  # by which it is better than the more frequent class
TOGETHER = 0.995  # share of the rows in which two columns are both filled or both not
BLANKS = (0.01, 0.99)  # share missing, between which presence can say something


def late_presence(candidates: Candidates) -> Iterator[Issue]:
    """Columns whose being filled tells the label, though not always."""
    if candidates.profile.label.task != "binary" or candidates.profile.series:
        return
    y, label = candidates.y > 0.5, candidates.profile.label.column
    most = max(float(y.mean()), 1 - float(y.mean()))
    for column in candidates.columns:
        if not BLANKS[0] < column.missing < BLANKS[1]:
            continue
        filled = candidates.rows[column.name].is_not_null().to_numpy()
        same = float((filled == y).mean())
        right = max(same, 1 - same)
        if right >= max(RIGHT, most + GAIN):
            state = "filled" if same == right else "blank"
            text = f"{column.raw} is {state} where {label} is yes, in {right:.1%} of the rows: written with the label"
            yield leak("label leakage by absence", column.name, text, 0.9, 94)


def siblings(candidates: Candidates, barred: Mapping[str, str]) -> Iterator[Issue]:
    """Columns that are filled together with one that leaks, or are called after it; ``barred`` are kinds by column."""
    by_name = {c.name: c for c in candidates.columns}
    leaking = [by_name[name] for name in barred if name in by_name]
    for column in candidates.columns:
        if column.name in barred:
            continue
        elder = _called_after(column, leaking)
        if elder is not None:
            text = f"{column.raw} is called after {elder.raw}, which leaks the label: it is written with it"
            yield leak("sibling of a leak", column.name, text, 0.75, 89)
            continue
        elder = _filled_with(candidates, column, leaking)
        if elder is not None:
            text = (
                f"{column.raw} is filled in the same rows as {elder.raw}, which leaks the label: it is written with it"
            )
            yield leak("sibling of a leak", column.name, text, 0.85, 89)


def _called_after(column: Column, leaking: Sequence[Column]) -> Column | None:
    name = spaced(column.raw).replace("_", " ")
    longer = (c for c in leaking if len(c.raw) >= 6 and name.startswith(spaced(c.raw).replace("_", " ") + " "))
    return next(longer, None)


def _filled_with(candidates: Candidates, column: Column, leaking: Sequence[Column]) -> Column | None:
    if not BLANKS[0] < column.missing < BLANKS[1]:
        return None
    filled = candidates.rows[column.name].is_not_null().to_numpy()
    for other in leaking:
        if BLANKS[0] < other.missing < BLANKS[1]:
            both = candidates.rows[other.name].is_not_null().to_numpy()
            if float(np.mean(filled == both)) >= TOGETHER:
                return other
    return None
