"""New calibrators for the champion's models, where things happen more or less often than its scores say."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import numpy as np
import polars as pl

from homeostat import models
from homeostat.adapters import dvc_yaml
from homeostat.core import metrics
from homeostat.core.calibrators import FITS, Calibrator, Kind
from homeostat.core.errors import EnvironmentFault
from homeostat.core.findings import Decision, Finding, Versions, objections
from homeostat.core.policy import is_cooling, off_level
from homeostat.core.promises import CALIBRATION as RATIO
from homeostat.core.release_gate import WEIGHTED_LOSS, BesideChampion, Endpoint, against_champion
from homeostat.core.rules import Reason
from homeostat.data.contamination import left_out
from homeostat.decisions.calibration_kind import choose_kinds
from homeostat.decisions.evidence import trained_to
from homeostat.decisions.pairing import Pairing, Scores, margins
from homeostat.decisions.session import Session
from homeostat.features.tables import without
from homeostat.monitoring.quality import windows_on_record
from homeostat.project.layout import CALIBRATION
from homeostat.releases.derived import Derived, Edits, derive
from homeostat.releases.feature_rows import FeatureRows
from homeostat.releases.registry import Serving
from homeostat.training import bundle as bundles
from homeostat.training import evaluate
from homeostat.training.bundle import Bundle

log = logging.getLogger("homeostat.recalibrate")


@dataclass(frozen=True)
class Recalibration:
    """What the gate says of the champion's models with new calibrators, and what was made of them."""

    gate: Decision
    made: Derived


def recalibrated(
    session: Session, serving: Serving, features: FeatureRows, findings: Sequence[Finding], now: datetime
) -> Recalibration | None:
    """The champion's models with new calibrators where calibration failed, if these pass their gate.

    They are fitted on recent mature events, judged on later ones, and fitted once more on both. None too where there is
    nothing to fit, or where the release was made by code that knows no calibrators.
    """
    scope, bundle = session.tree.scope, serving.bundle
    names = [name for name in off_level(findings) if scope.objectives[name].task == "binary" and name in bundle.models]
    if not scope.training.calibrate or bundles.is_baseline(bundle.training) or not names:
        return None
    if _taken_back(session, now):
        return None
    recent = recent_events(session, bundle, features, names, now)
    kinds = choose_kinds(scope, recent, now)
    trial = recent.fitted(kinds, recent.judged_since)
    gate = _judged(session, serving, recent, trial, now) if trial else None
    if gate is None or gate.action != "release":
        return None
    gate = replace(gate, facts={**gate.facts, "kinds": {name: kinds[name] for name in trial}})
    wanted = {**bundle.calibrators, **recent.fitted(kinds)}
    try:
        made = derive(session.project, serving.event, edits_with(wanted), now)
    except EnvironmentFault as error:
        log.warning("not recalibrated: %s", error)  # and a candidate is fitted instead
        return None
    if made.bundle.calibrators != wanted:
        log.warning("%s was made by code that knows no calibrators; it is not recalibrated", serving.event.version)
        return None
    return Recalibration(gate, made)


def _taken_back(session: Session, now: datetime) -> bool:
    """Whether a calibrated release was rolled back so lately that the loop makes no other by itself."""
    ledger, cool_down = session.registry.ledger, session.tree.scope.monitoring.cool_down
    if len(ledger.events) < 2 or ledger.events[-1].action != "rollback" or not is_cooling(ledger, now, cool_down):
        return False
    return bool(session.registry.load(ledger.events[-2].version).calibrators)


@dataclass(frozen=True)
class Recent:
    """Recent events that are new to the champion's models: mature labels, and scores without calibrators, (n,) each.

    Those after ``judged_since`` are new to the champion's calibrators too, and judge.
    """

    rows: pl.DataFrame
    labels: Mapping[str, np.ndarray]
    scores: Scores
    judged_since: datetime

    @property
    def first(self) -> datetime:
        """The time of the first event."""
        first = self.rows["event_time"].min()
        return first if isinstance(first, datetime) else self.judged_since

    def fitted(self, kinds: Mapping[str, Kind], until: datetime | None = None) -> dict[str, Calibrator]:
        """A calibrator by objective, of the events up to a time, or of all; without those that cannot be fitted."""
        fits = {name: self.fit(name, kind, until) for name, kind in kinds.items()}
        return {name: one for name, one in fits.items() if one is not None}

    def fit(self, name: str, kind: Kind, until: datetime | None) -> Calibrator | None:
        """One objective's calibrator of a kind; None where it cannot be fitted."""
        mature = ~np.isnan(self.labels[name])
        if until is not None:
            mature &= (self.rows["event_time"] <= until).to_numpy()
        curve = FITS[kind](self.scores[name][mature], self.labels[name][mature])
        times = self.rows["event_time"].filter(pl.Series(mature, dtype=pl.Boolean))
        first, last = times.min(), times.max()
        if curve is None or not (isinstance(first, datetime) and isinstance(last, datetime)):
            return None
        return Calibrator(curve, first, last, len(times))


def recent_events(
    session: Session, bundle: Bundle, features: FeatureRows, names: Sequence[str], now: datetime
) -> Recent:
    """The events of the window, without those left out; the later half of it judges."""
    scope = session.tree.scope
    since = max(now - scope.monitoring.window, trained_to(bundle))
    rows = without(features.between(bundle.sql, since, now), left_out(session.tree))
    labels = {name: label for name, label in evaluate.mature_labels(scope, rows, now).items() if name in names}
    scores = models.predict_each({name: bundle.uncalibrated[name] for name in names}, rows)
    half = since + (now - scope.events.label_horizon - since) / 2
    fitted_to = [one.until for name, one in bundle.calibrators.items() if name in names]
    return Recent(rows, labels, scores, max([half, *fitted_to]))


def _judged(
    session: Session, serving: Serving, recent: Recent, trial: Mapping[str, Calibrator], now: datetime
) -> Decision:
    """The gate on the events that fitted nothing: better on the losses by weight, and worse nowhere."""
    scope, bundle, ledger = session.tree.scope, serving.bundle, session.registry.ledger
    later = (recent.rows["event_time"] > recent.judged_since).to_numpy()
    raw = {name: recent.scores[name][later] for name in trial}
    ours = {name: trial[name].apply(score) for name, score in raw.items()}
    theirs = {n: bundle.calibrators[n].apply(score) if n in bundle.calibrators else score for n, score in raw.items()}
    pairing = Pairing(scope, recent.rows.filter(later), ours, theirs, now)
    beside = BesideChampion(
        serving.event.version, recent.judged_since, now, pairing.objectives(),
        margins(scope, bundle.training, windows_on_record(session.tree, now, ledger.barred())),
        Endpoint(WEIGHTED_LOSS, pairing.endpoint(WEIGHTED_LOSS)),
    )  # fmt: skip
    findings = tuple(against_champion(beside, scope.release, scope.evaluation.confidence, ()))
    ratios = {name: [_ratio(pairing.labels[name], scores[name]) for scores in (theirs, ours)] for name in trial}
    return Decision(
        "keep" if objections(findings) else "release", Reason.LEVEL, Versions(serving.event.version),
        findings=findings, facts={"calibrators": ratios},
    )  # fmt: skip


def _ratio(y: np.ndarray, score: np.ndarray) -> float:
    """Predicted to observed."""
    mature = ~np.isnan(y)
    return round(metrics.value("binary", RATIO, y[mature], score[mature]), 6)


def edits_with(calibrators: Mapping[str, Calibrator]) -> Edits:
    """The calibrators become an input of the commit, which its stage pack reads."""
    text = json.dumps({name: one.to_dict() for name, one in calibrators.items()}, indent=1, sort_keys=True) + "\n"
    return {CALIBRATION: lambda _: text, dvc_yaml.FILE.as_posix(): partial(dvc_yaml.with_dep, "pack", CALIBRATION)}
