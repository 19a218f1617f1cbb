"""How far a continuation moves the scores in service: the guard rail against labels that are wrong.

The gate compares judged models, which learned before the holdout: it is blind to the newest labels. What they did shows
in the models in service, before any of their own predictions has an outcome.
"""

from __future__ import annotations

import numpy as np

from homeostat.core.findings import CANNOT_JUDGE, Finding, Outcome
from homeostat.core.metrics import Array
from homeostat.core.rules import Rule


def score_move(objective: str, task: str, new: Array, old: Array, limit: float) -> Finding:
    """The mean absolute difference of two models' scores (n,) of the same events, against the limit.

    Probabilities are compared as they are, other scores in standard deviations of the old ones.

    >>> import numpy as np
    >>> score_move("late", "binary", np.array([0.2, 0.4]), np.array([0.1, 0.4]), 0.1).outcome
    'pass'
    """
    facts = {"task": task}
    if len(new) == 0:
        return Finding(Rule.MOVE, objective, CANNOT_JUDGE, None, limit, rows=0, facts=facts)
    scale = 1.0 if task == "binary" else float(np.std(old))
    moved = float(np.mean(np.abs(new - old)))
    value = moved / scale if scale else (float("inf") if moved else 0.0)
    outcome: Outcome = "fail" if value > limit else "pass"
    return Finding(Rule.MOVE, objective, outcome, round(value, 6), limit, rows=len(new), facts=facts)
