"""Which kind of calibrator: the plainest that the scope allows, unless another predicts later events better."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homeostat.core.calibrators import FITS, Calibrator, Kind
from homeostat.core.release_gate import WEIGHTED_LOSS
from homeostat.decisions.pairing import Pairing

if TYPE_CHECKING:
    from datetime import datetime

    from homeostat.decisions.recalibrate import Recent
    from homeostat.project.scope import Scope


def choose_kinds(scope: Scope, recent: Recent, now: datetime) -> dict[str, Kind]:
    """The kind of each objective, by the events before those that judge: fitted on their first half, tried on the rest.

    Another than the plainest has to lose less than that, significantly. Objectives for which none can be fitted are
    left out.
    """
    return {name: kind for name in recent.scores if (kind := _chosen(scope, recent, name, now)) is not None}


def _chosen(scope: Scope, recent: Recent, name: str, now: datetime) -> Kind | None:
    allowed = [kind for kind in FITS if kind in scope.training.calibrate]
    fitted = [kind for kind in allowed if recent.fit(name, kind, recent.judged_since) is not None]
    if len(fitted) < 2:
        return next(iter(fitted), None)
    middle = recent.first + (recent.judged_since - recent.first) / 2
    trials = {kind: one for kind in fitted if (one := recent.fit(name, kind, middle)) is not None}
    plain = trials.get(fitted[0])
    if plain is None:
        return fitted[0]
    return min(trials, key=lambda kind: _loss_beside(scope, recent, name, trials[kind], plain, middle, now))


def _loss_beside(
    scope: Scope, recent: Recent, name: str, one: Calibrator, plain: Calibrator, middle: datetime, now: datetime
) -> float:
    """The share of loss that ``one`` has above ``plain`` on the events from ``middle`` on; 0 where chance may be it."""
    there = ((recent.rows["event_time"] > middle) & (recent.rows["event_time"] <= recent.judged_since)).to_numpy()
    raw = recent.scores[name][there]
    pairing = Pairing(scope, recent.rows.filter(there), {name: one.apply(raw)}, {name: plain.apply(raw)}, now)
    paired = pairing.endpoint(WEIGHTED_LOSS)
    return paired.share if paired.share is not None and paired.high is not None and paired.high < 0 else 0.0
