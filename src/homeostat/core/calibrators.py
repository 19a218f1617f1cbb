"""A calibrator of probabilities: they keep their order and move to the level at which things happen now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from homeostat.core.beta_calibration import Beta, fit_beta
from homeostat.core.calibration import Platt, fit_platt, log_odds, sigmoid
from homeostat.core.isotonic_calibration import Isotonic, fit_isotonic
from homeostat.core.metrics import Array

Curve = Platt | Beta | Isotonic
Kind = Literal["platt", "beta", "isotonic"]
CURVES: Mapping[str, type[Platt] | type[Beta] | type[Isotonic]] = {"platt": Platt, "beta": Beta, "isotonic": Isotonic}
FITS: Mapping[Kind, Callable[[Array, Array], Curve | None]] = {  # the fewest numbers first
    "platt": fit_platt, "beta": fit_beta, "isotonic": fit_isotonic,
}  # fmt: skip


@dataclass(frozen=True)
class Calibrator:
    """A curve, fitted on the ``rows`` events in [since, until]."""

    curve: Curve
    since: datetime
    until: datetime
    rows: int

    def apply(self, score: Array) -> Array:
        """Calibrated probabilities, (n,).

        >>> import numpy as np
        >>> when = datetime(2024, 3, 1)
        >>> Calibrator(Platt(1.0, 0.0), when, when, 0).apply(np.array([0.25, 0.5])).round(12).tolist()
        [0.25, 0.5]
        """
        return sigmoid(self.curve.moved(log_odds(score)))

    def to_dict(self) -> dict[str, Any]:
        times = {"since": self.since.isoformat(), "until": self.until.isoformat()}
        return {**self.curve.to_dict(), **times, "rows": self.rows}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Calibrator:
        """What ``to_dict`` wrote.

        Raises:
            ValueError, KeyError: it is of another kind, or damaged.
        """
        if raw["kind"] not in CURVES:
            raise ValueError(f"a calibrator of kind {raw['kind']!r}")
        since, until = (datetime.fromisoformat(raw[name]) for name in ("since", "until"))
        return cls(CURVES[raw["kind"]].from_dict(raw), since, until, int(raw["rows"]))
