"""Evidence for a decision: the previous version and a fresh candidate, judged beside the champion on the same rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from homeostat import models
from homeostat.adapters import dvc
from homeostat.adapters.parquet import digest
from homeostat.core.evaluation import Comparison
from homeostat.core.findings import Decision, Versions
from homeostat.core.policy import Bar, barred_by
from homeostat.core.release_gate import decide_release
from homeostat.features.tables import read_features
from homeostat.releases import registry
from homeostat.releases.feature_rows import labels_since, rows_of
from homeostat.training import bundle as bundles
from homeostat.training import evaluate

if TYPE_CHECKING:
    from homeostat.core.ledger import Ledger
    from homeostat.project.layout import Project
    from homeostat.training.bundle import Bundle

MANIFEST = "manifest.json"
Scores = Mapping[str, Any]
ByObjective = Mapping[str, Comparison]


@dataclass(frozen=True)
class Candidate:
    """A fresh candidate: its sealed bundle, what its gate says, and how it compares on its holdout."""

    bundle: str
    inputs: Mapping[str, str]
    gate: Decision
    champion: ByObjective
    previous: ByObjective


def fresh_candidate(project: Project, now: datetime, known: Ledger, previous: str | None) -> Candidate:
    """Reproduce the DAG as of ``now`` and judge what comes out.

    Raises:
        HomeostatError: what stops the DAG; the champion goes on serving.
    """
    ledger = project.ledger
    start, _ = ledger.window
    ledger.set_window(start, now)
    dvc.reproduce(ledger.root)
    report = evaluate.read_report(ledger.evaluation / "evaluation.json")
    training = evaluate.read_training(ledger)
    champion = registry.restore(project, known.champion.version) if known.champion else None
    against_champion = _on_holdout(ledger, training, champion)
    gate = decide_release(
        {name: trial.candidate for name, trial in report.trials.items()},
        {name: trial.against_baseline for name, trial in report.trials.items()},
        against_champion or None,
        ledger.scope.release,
        bundles.is_baseline(training),
        ledger.scope.evaluation.confidence,
    )
    manifest = (ledger.bundle / MANIFEST).read_bytes()
    bundle = digest(manifest)
    versions = Versions(known.champion.version if known.champion else "", previous or "", known.version_of(bundle))
    theirs = _on_holdout(ledger, training, registry.restore(project, previous)) if previous else {}
    inputs = json.loads(manifest)["inputs"]
    return Candidate(bundle, inputs, replace(gate, versions=versions), against_champion, theirs)


def barred(project: Project, known: Ledger, candidate: Candidate, now: datetime) -> Bar | None:
    """Why the candidate may not be released by itself, if so: it was yanked, or is as what was rolled back."""
    yank = known.yanked_bundle(candidate.bundle)
    if yank is not None:
        return Bar(yank.version, yank.at, None, yank.who, yank.why)
    away = [(before, event) for before, event in zip(known.events, known.events[1:], strict=False)
            if event.action == "rollback"]  # fmt: skip
    if not away:
        return None
    left, event = away[-1]
    made = registry.restore(project, left.version).manifest["inputs"]
    ours, theirs = ((inputs["code"], inputs["scope"]) for inputs in (candidate.inputs, made))
    cool_down = project.ledger.scope.monitoring.cool_down
    return barred_by(ours, theirs, left.version, event.at, now, cool_down)


def previous_beside_champion(project: Project, now: datetime, known: Ledger, previous: str | None) -> ByObjective:
    """The previous healthy version against the champion, on matured events of the window that trained neither."""
    if previous is None or known.champion is None:
        return {}
    ledger = project.ledger
    theirs, ours = registry.restore(project, previous), registry.restore(project, known.champion.version)
    since = max(now - ledger.scope.monitoring.window, trained_to(ours), trained_to(theirs))
    tables = [rows_of(ledger, bundle, since, now) for bundle in (theirs, ours)]
    if tables[0].is_empty() or set(theirs.models) != set(ours.models):
        return {}
    scores = [_scores(bundle.models, table) for bundle, table in zip((theirs, ours), tables, strict=True)]
    return evaluate.compare_models(ledger.scope, tables[1], scores[0], scores[1], now)


def baseline_release(project: Project, known: Ledger) -> str | None:
    """The last version of the baseline that has served and may serve again; None where a model was the first."""
    barred = {yank.version for yank in known.yanks}
    served = dict.fromkeys(event.version for event in reversed(known.terms) if event.version not in barred)
    return next((v for v in served if bundles.is_baseline(registry.restore(project, v).training)), None)


def trained_to(bundle: Bundle) -> datetime:
    """The event time of the last event that any model of the bundle learned from."""
    return max(datetime.fromisoformat(o["to"]) for o in bundle.training["objectives"].values())


def _on_holdout(ledger: Project, training: Mapping[str, Any], other: Bundle | None) -> dict[str, Comparison]:
    """The candidate, as fitted before its holdout, against another release, on held-out events that it has not seen."""
    scope = ledger.scope
    if other is None or set(other.models) != set(scope.objectives):
        return {}
    now = datetime.fromisoformat(training["as_of"])
    start = min(datetime.fromisoformat(o["holdout"]["from"]) for o in training["objectives"].values())
    since = max(start, trained_to(other))
    ours = evaluate.held_out(training, read_features(ledger, labels_since(ledger, since)))
    ours = ours.filter(pl.col("event_time") > since)
    theirs = ours.select(scope.key).join(
        rows_of(ledger, other, since, now), list(scope.key), "left", nulls_equal=True, maintain_order="left"
    )
    judged = {name: models.load(ledger.candidate / name / "judged", scope.threads) for name in scope.objectives}
    return evaluate.compare_models(scope, ours, _scores(judged, ours), _scores(other.models, theirs), now)


def _scores(fitted: Mapping[str, models.Model], table: pl.DataFrame) -> Scores:
    return {name: model.predict(table) for name, model in fitted.items()}
