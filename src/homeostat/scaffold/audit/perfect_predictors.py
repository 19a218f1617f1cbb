"""Columns that alone predict the label almost perfectly: such columns are known only afterwards."""

from __future__ import annotations

from collections.abc import Iterator

from homeostat.scaffold.audit.candidates import Candidates, names_entities
from homeostat.scaffold.audit.issue import Issue

PERFECT, PERFECT_SERIES = 0.965, 0.995  # power from which a column predicts too much; a series is like its neighbours


def leak(kind: str, column: str, text: str, confidence: float, severity: float) -> Issue:
    """An issue of a column that is kept out of the first scope."""
    fix = f"left out of the first scope; if it is known in time, move it to the first known_at group: {column}"
    return Issue(kind, column, text, fix, confidence, severity, barred=True)


def perfect_predictors(candidates: Candidates) -> Iterator[Issue]:
    profile = candidates.profile
    least = PERFECT_SERIES if profile.series and profile.label.task == "regression" else PERFECT
    for column in candidates.columns:
        power = candidates.powers[column.name]
        if power < least or names_entities(column):  # an entity's label is memorized, not leaked
            continue
        measure = f"AUC {0.5 + power / 2:.3f}" if profile.label.task == "binary" else f"R2 {power:.3f}"
        text = (
            f"{column.raw} alone predicts {profile.label.column} almost perfectly ({measure} on later rows): it is "
            "known only afterwards"
        )
        yield leak("label leakage", column.name, text, min(1.0, power), 100 + power)
