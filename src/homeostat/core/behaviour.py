"""Behavioural tests of a model: what an expert says that must hold of its scores, and how far it does.

The three kinds of Ribeiro et al., 2020, "Beyond accuracy: behavioral testing of NLP models with CheckList", ACL:
invariance (a change moves the score by little), direction (a change must not lower, or raise, it), and minimum
functionality (rows whose score is as good as given).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from homeostat.core.intervals import tidy

Severity = Literal["critical", "warning"]
EXPECTED = {  # by key of a test, what the score must do
    "moves_at_most": "moves by {:g} at most",
    "falls_at_most": "falls by {:g} at most",
    "rises_at_most": "rises by {:g} at most",
    "at_least": "is at least {:g}",
    "at_most": "is at most {:g}",
}


@dataclass(frozen=True)
class Behaviour:
    """One test on ``rows`` rows: in ``broken`` of them it does not hold, by ``worst`` in score where furthest off.

    ``expected`` is a key of ``EXPECTED`` and ``bound`` its number; ``share`` of the rows may break it.
    """

    test: str
    objective: str
    severity: Severity
    reason: str
    expected: str
    bound: float
    share: float
    rows: int
    broken: int = 0
    worst: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Behaviour:
        return cls(**raw)

    @property
    def holds(self) -> bool:
        return self.broken <= self.share * self.rows

    def measured(self, excess: NDArray[np.float64]) -> Behaviour:
        """The same with how far each row (n,) is beyond what is expected; up to zero it holds there."""
        broken = excess > 0
        worst = tidy(excess.max()) if broken.any() else 0.0
        return Behaviour(**asdict(self) | {"rows": len(excess), "broken": int(broken.sum()), "worst": worst})


def excess(expected: str, bound: float, score: NDArray[np.float64], before: NDArray[np.float64]) -> NDArray[np.float64]:
    """By how much each score (n,) is beyond what is expected; ``before`` is that of the same rows without the change.

    >>> excess("falls_at_most", 0.1, np.array([0.5, 0.5]), np.array([0.55, 0.75])).round(2).tolist()
    [-0.05, 0.15]
    """
    match expected:
        case "moves_at_most":
            return np.abs(score - before) - bound
        case "falls_at_most":
            return before - score - bound
        case "rises_at_most":
            return score - before - bound
        case "at_least":
            return bound - score
    return score - bound
