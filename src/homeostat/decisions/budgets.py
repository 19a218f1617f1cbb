"""What a candidate spends of the budgets of the scope: bytes, time to score, time to make."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from homeostat import models

if TYPE_CHECKING:
    from homeostat.project.scope import Budget
    from homeostat.training.bundle import Bundle

ROUNDS = 5  # times that each golden event is scored: a few hundred scores say where 95 % of them lie


def spent(bundle: Bundle, seconds: float, limits: Budget) -> dict[str, float]:
    """What the candidate takes of each limit there is; it was made in ``seconds``."""
    made: dict[str, float] = {}
    if limits.megabytes is not None:
        made["megabytes"] = _megabytes(bundle)
    if limits.score_seconds is not None:
        made["score_seconds"] = _score_seconds(bundle)
    if limits.make_seconds is not None:
        made["make_seconds"] = seconds
    return made


def _megabytes(bundle: Bundle) -> float:
    """All files of the bundle, in millions of bytes."""
    return sum(path.stat().st_size for path in bundle.folder.rglob("*") if path.is_file()) / 1e6


def _score_seconds(bundle: Bundle) -> float:
    """Within which 95 % of golden events are scored, one at a time, by the models of all objectives."""
    rows, fitted, took = bundle.golden, bundle.models, []
    models.predict_each(fitted, rows[:1])  # the first loads what the others find loaded
    for place in list(range(len(rows))) * ROUNDS:
        began = time.perf_counter()
        models.predict_each(fitted, rows[place])
        took.append(time.perf_counter() - began)
    return float(np.quantile(took, 0.95)) if took else 0.0
