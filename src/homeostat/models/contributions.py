"""What each feature of one event adds to a model's score, on the scale on which the model adds.

Trees: LightGBM's own SHAP values (Lundberg et al., 2018, Consistent Individualized Feature Attribution for Tree
Ensembles). Linear: a term's weight times the value. A heuristic adds nothing up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from homeostat.core.calibration import Platt
from homeostat.core.calibrators import Curve
from homeostat.models import encoding
from homeostat.models.calibrated import Calibrated
from homeostat.models.combined import Combined
from homeostat.models.lightgbm import Trees
from homeostat.models.linear import Linear, _contribution

if TYPE_CHECKING:
    import polars as pl

    from homeostat.models import Model


@dataclass(frozen=True)
class Contributions:
    """``base`` and the features' parts make up ``total``; a binary model's score is its sigmoid."""

    base: float
    by_feature: dict[str, float]

    @property
    def total(self) -> float:
        return self.base + sum(self.by_feature.values())


def contributions(model: Model, row: pl.DataFrame) -> Contributions | None:
    """Of the one row of ``row``; None where the model adds nothing up."""
    match model:
        case Trees():
            shares = model.booster.predict(encoding.matrix(model.encoded, row), pred_contrib=True, num_threads=1)
            *parts, base = np.asarray(shares)[0].tolist()
            return Contributions(base, dict(zip(model.features, parts, strict=True)))
        case Linear():
            pairs = zip(model.encoded, model.terms, strict=True)
            by_feature = {f.name: float(_contribution(term, encoding.codes(f, row))[0]) for f, term in pairs}
            return Contributions(model.intercept, by_feature)
        case Combined():
            whole = contributions(model.trees, model.rows(row))
            return None if whole is None else _of_own(whole, model.own)
        case Calibrated():  # on the log odds, where trees and linear models of a binary label add
            inner = contributions(model.model, row)
            return None if inner is None else _moved(inner, model.calibrator.curve)
        case _:
            return None


def _of_own(whole: Contributions, own: tuple[str, ...]) -> Contributions:
    """With what the blank features and the objective itself add in the base."""
    by_feature = {name: whole.by_feature[name] for name in own}
    return Contributions(whole.total - sum(by_feature.values()), by_feature)


def _moved(inner: Contributions, curve: Curve) -> Contributions:
    """What a model adds up, through a calibrator: each part grows as the whole does between base and total."""
    base, total = (float(curve.moved(np.array([odds]))[0]) for odds in (inner.base, inner.total))
    whole = inner.total - inner.base
    steep = curve.slope if isinstance(curve, Platt) else (total - base) / whole if whole else 0.0
    return Contributions(base, {name: steep * part for name, part in inner.by_feature.items()})
