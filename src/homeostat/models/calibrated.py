"""A model whose scores pass through a calibrator: to whoever scores events it is a model like any other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from homeostat.core.calibrators import Calibrator

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from homeostat.models import Model


@dataclass(frozen=True)
class Calibrated:
    """``model`` is stored by itself; the calibrator beside it, once for all models of its objective."""

    model: Model
    calibrator: Calibrator

    @property
    def kind(self) -> str:
        return self.model.kind

    @property
    def features(self) -> tuple[str, ...]:
        return self.model.features

    def predict(self, table: pl.DataFrame) -> np.ndarray:
        return self.calibrator.apply(self.model.predict(table))

    def strongest(self, many: int) -> tuple[str, ...]:
        return self.model.strongest(many)

    def save(self, folder: Path) -> None:
        self.model.save(folder)
