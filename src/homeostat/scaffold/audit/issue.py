"""One thing that is wrong, or looks so, with a table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Doubt:
    """One thing that is wrong, or looks so, with a table: what, where, how sure, and the line that mends it.

    ``sure`` from 0 to 1; ``barred`` columns stay out of the first scope; ``weight`` orders, the worst first.
    """

    kind: str
    column: str
    said: str
    mend: str
    sure: float
    weight: float
    barred: bool = False
    picture: tuple[tuple[str, float | None], ...] = ()  # of the history: when, and a value
    drawn: str = ""  # what the picture shows

    @property
    def certainty(self) -> str:
        return "certain" if self.sure >= 0.95 else "likely" if self.sure >= 0.6 else "possible"
