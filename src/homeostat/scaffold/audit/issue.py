"""One issue of a table: what is wrong, or looks so, and the line that fixes it."""

from __future__ import annotations

from dataclasses import dataclass

Chart = tuple[tuple[str, float | None], ...]  # a date or a value, and what was measured there


@dataclass(frozen=True)
class Issue:
    """``confidence`` is from 0 to 1; ``severity`` orders, the worst first; ``barred``: kept out of the first scope.

    ``categories``: the chart is by values that have no order.
    """

    kind: str
    column: str
    text: str
    fix: str
    confidence: float
    severity: float
    barred: bool = False
    chart: Chart = ()
    chart_title: str = ""
    categories: bool = False

    @property
    def certainty(self) -> str:
        return "certain" if self.confidence >= 0.95 else "likely" if self.confidence >= 0.6 else "possible"


def leak(kind: str, column: str, text: str, confidence: float, severity: float) -> Issue:
    """An issue of a column that is kept out of the first scope."""
    fix = f"left out of the first scope; if it is known in time, move it to the first known_at group: {column}"
    return Issue(kind, column, text, fix, confidence, severity, barred=True)
