"""What a label has to be before anything is fitted to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from homeostat.core.errors import DataError

if TYPE_CHECKING:
    from homeostat.project.objective_scope import Objective

GRADES = 31  # LightGBM knows gains for the grades 0 to 30


def check(objective: Objective, y: np.ndarray, group: np.ndarray | None) -> None:
    """Refuse labels that the objective's task cannot use.

    Raises:
        DataError: one line that says what is wrong with which label.
    """
    what = f"label {objective.label!r}"
    if len(y) == 0:
        raise DataError(f"{what}: no rows to fit; wait for mature events or widen windows.train")
    odd = int(np.count_nonzero(~np.isfinite(y)))
    if odd:
        raise DataError(f"{what}: {odd} of {len(y)} values are no finite number; fix it or leave them out by `where`")
    if objective.task == "binary" and not ((y == 0) | (y == 1)).all():
        raise DataError(f"{what}: values other than 0 and 1; a binary label is a condition, or the task is another")
    if objective.task == "ranking":
        if not np.isin(y, np.arange(GRADES)).all():
            raise DataError(f"{what}: a ranking label is a whole grade from 0 to {GRADES - 1}; fix it")
        if group is None:
            raise DataError(f"{what}: ranking needs the group of each row; name it in `group`")
