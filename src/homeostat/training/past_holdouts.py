"""Past holdouts: models fitted as of earlier cut-offs, each judged on the holdout that it would have had.

A project that begins has one holdout, and one window says nothing about how windows differ. This fits the few that are
wanted for that, once, beside the bundle: nothing of the release follows from them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from homeostat.features.tables import mature
from homeostat.training import train

if TYPE_CHECKING:
    import polars as pl

    from homeostat.project.scope import Scope

CUT_OFFS = 4  # as many as the fewest windows that have a range


@dataclass(frozen=True)
class PastHoldout:
    """Rows of one objective that were held out in [start, end), with scores (n,) of a model and of its baseline."""

    start: datetime
    end: datetime
    rows: pl.DataFrame
    score: np.ndarray
    baseline: np.ndarray


def past_holdouts(
    scope: Scope, table: pl.DataFrame, objective: str, kind: str, as_of: datetime
) -> Iterator[PastHoldout]:
    """The holdouts of the last cut-offs up to ``as_of``, one holdout apart; fewer where there is less history.

    ``table``: the feature rows of all batches.

    Raises:
        DataError: features or labels cannot be used.
    """
    for back in range(CUT_OFFS):
        cut_off = as_of - back * scope.windows.holdout
        if mature(table, objective, scope, cut_off).is_empty():
            return
        rows = train.split(scope, objective, table, cut_off)
        if len(rows.held) < scope.evaluation.min_slice or len(rows.before) < len(rows.held):
            return
        fitted = [train.fit_model(scope, objective, part, rows, every=False) for part in (kind, "heuristic")]
        held, (score, baseline) = rows.held, (model.predict(rows.held) for model in fitted)
        yield PastHoldout(rows.start, rows.end, held, score, baseline)
