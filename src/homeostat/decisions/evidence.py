"""Evidence for a decision: the previous version and a fresh candidate, judged beside the champion on the same rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from homeostat import models
from homeostat.adapters import dvc
from homeostat.adapters.parquet import digest
from homeostat.core.evaluation import Comparison
from homeostat.core.findings import Decision, Finding, Versions
from homeostat.core.policy import Bar, barred_by
from homeostat.core.release_gate import decide_release, too_good
from homeostat.decisions.session import Session
from homeostat.features.sql import read_features_sql
from homeostat.project.layout import Project
from homeostat.project.window import write_window
from homeostat.releases.feature_rows import FeatureRows
from homeostat.releases.registry import Registry
from homeostat.training import bundle as bundles
from homeostat.training import evaluate
from homeostat.training.bundle import Bundle

MANIFEST = "manifest.json"
ROW = "__row"
RESTS_ON = 3  # features that a finding names
Scores = Mapping[str, np.ndarray]  # by objective, (n,) each
ByObjective = Mapping[str, Comparison]


@dataclass(frozen=True)
class Candidate:
    """A fresh candidate: its sealed bundle, what its gate says, and how it compares on its holdout."""

    bundle: str
    inputs: Mapping[str, str]
    gate: Decision
    champion: ByObjective
    previous: ByObjective


class Judge:
    """Compares releases on events after ``since``, in the feature rows as they are at first use.

    It is made for one decision, and each release scores each event once.
    """

    def __init__(self, tree: Project, since: datetime, now: datetime, features: FeatureRows | None = None) -> None:
        self._scope = tree.scope
        self._sql = read_features_sql(tree)
        self._since, self._now = since, now
        self._features = features or FeatureRows(tree)
        self._scores: dict[str, Scores] = {}

    @cached_property
    def rows(self) -> pl.DataFrame:
        """The feature rows of the events, by the tree's own SQL, in order of batch."""
        return self._features.between(self._sql, self._since, self._now)

    def scores(self, bundle: Bundle) -> Scores:
        """A release's scores of ``rows``; NaN for the events that its models may have learned from."""
        if bundle.hash not in self._scores:
            new = self.rows["event_time"] > trained_to(bundle)
            table = self._as_sql_has_them(self.rows.filter(new), bundle.sql)
            scores = models.predict_each(bundle.models, table)
            self._scores[bundle.hash] = {name: _spread(values, new.to_numpy()) for name, values in scores.items()}
        return self._scores[bundle.hash]

    def _as_sql_has_them(self, rows: pl.DataFrame, sql: str) -> pl.DataFrame:
        if sql == self._sql or rows.is_empty():
            return rows
        key = list(self._scope.key)
        theirs = self._features.between(sql, self._since, self._now)
        return rows.select(key).join(theirs, key, "left", nulls_equal=True, maintain_order="left")

    def compare(self, one: Bundle, other: Bundle, since: datetime) -> ByObjective:
        """``one`` against ``other`` on the matured events after ``since`` that neither has learned from."""
        new = (self.rows["event_time"] > max(since, trained_to(one), trained_to(other))).to_numpy()
        if set(one.models) != set(other.models) or not new.any():
            return {}
        ours, theirs = (_part(self.scores(bundle), new) for bundle in (one, other))
        return evaluate.compare_models(self._scope, self.rows.filter(new), ours, theirs, self._now)

    def on_holdout(
        self, training: Mapping[str, Any], scores: pl.DataFrame, others: Sequence[Bundle | None]
    ) -> list[ByObjective]:
        """A candidate, by its ``scores`` of its holdout, against each other release on held-out events new to both."""
        comparable = [other is not None and set(other.models) == set(self._scope.objectives) for other in others]
        if not any(comparable):
            return [{} for _ in others]
        rows = evaluate.held_out(training, self.rows.with_row_index(ROW))
        key = list(self._scope.key)
        scores = rows.select(key).join(scores, on=key, how="left", nulls_equal=True, maintain_order="left")
        ours = {name: scores[f"score__{name}"].to_numpy() for name in self._scope.objectives}
        return [
            self._on_rows(rows, ours, max(holdout_start(training), trained_to(other)), other) if other and fits else {}
            for other, fits in zip(others, comparable, strict=True)
        ]

    def _on_rows(self, rows: pl.DataFrame, ours: Scores, since: datetime, other: Bundle) -> ByObjective:
        """Scores of some of ``rows``, numbered by ``ROW``, against another release's, after ``since``."""
        new = (rows["event_time"] > since).to_numpy()
        part = rows.filter(new)
        theirs = _part(self.scores(other), part[ROW].to_numpy())
        return evaluate.compare_models(self._scope, part.drop(ROW), _part(ours, new), theirs, self._now)


def fresh_candidate(
    session: Session, now: datetime, previous: str = "", baseline: bool = False, labels_until: datetime | None = None
) -> tuple[Candidate, Judge]:
    """Reproduce the DAG as of ``now`` and judge what comes out; with who judged it, for further questions.

    ``baseline``: of the baseline alone; ``labels_until``: of events up to then.

    Raises:
        HomeostatError: what stops the DAG; the champion goes on serving.
    """
    tree, registry = session.tree, session.registry
    write_window(tree, session.start, now, baseline, labels_until)
    dvc.reproduce(tree.root)
    report = evaluate.read_report(tree.evaluation / "evaluation.json")
    training = evaluate.read_training(tree)
    scores = evaluate.read_holdout_scores(tree)
    judge = Judge(tree, min(holdout_start(training), now - tree.scope.monitoring.window), now)
    serving = registry.load_champion()
    others = (serving.bundle if serving else None, registry.load(previous) if previous else None)
    against_champion, against_previous = judge.on_holdout(training, scores, others)
    gate = decide_release(
        {name: trial.candidate for name, trial in report.trials.items()},
        {name: trial.against_baseline for name, trial in report.trials.items()},
        against_champion or None,
        tree.scope.release,
        bundles.is_baseline(training),
        tree.scope.evaluation.confidence,
    )
    gate = replace(gate, findings=(*gate.findings, *_too_good(tree, report)))
    manifest = (tree.bundle / MANIFEST).read_bytes()
    bundle, inputs = digest(manifest), json.loads(manifest)["inputs"]
    champion, version = serving.event.version if serving else "", registry.ledger.version_of(bundle)
    gate = replace(gate, versions=Versions(champion, previous, version))
    return Candidate(bundle, inputs, gate, against_champion, against_previous), judge


def _too_good(tree: Project, report: evaluate.Report) -> Iterator[Finding]:
    """Findings on judged models that are better than honest ones, with the features that they rest on."""
    for name, trial in report.trials.items():
        finding = too_good(trial.candidate, trial.against_baseline)
        if finding is not None:
            judged = models.load(tree.candidate / name / "judged", tree.scope.threads)
            yield replace(finding, facts={**finding.facts, "features": list(judged.strongest(RESTS_ON))})


def barred(registry: Registry, candidate: Candidate, cool_down: timedelta, now: datetime) -> Bar | None:
    """Why the candidate may not be released by itself, if so: it was yanked, or is as what was rolled back."""
    ledger = registry.ledger
    yank = ledger.yanked_bundle(candidate.bundle)
    if yank is not None:
        return Bar(yank.version, yank.at, None, yank.who, yank.why)
    away = [(before, event) for before, event in zip(ledger.events, ledger.events[1:], strict=False)
            if event.action == "rollback"]  # fmt: skip
    if not away:
        return None
    left, event = away[-1]
    made = registry.load(left.version).manifest["inputs"]
    ours, theirs = ((inputs["code"], inputs["scope"]) for inputs in (candidate.inputs, made))
    return barred_by(ours, theirs, left.version, event.at, now, cool_down)


def beside_champion(session: Session, judge: Judge, version: str, now: datetime) -> ByObjective:
    """A version against the champion, on matured events of the window that trained neither."""
    serving = session.registry.load_champion()
    if not version or serving is None:
        return {}
    since = now - session.tree.scope.monitoring.window
    return judge.compare(session.registry.load(version), serving.bundle, since)


def baseline_release(registry: Registry) -> str:
    """The last version of the baseline that has served and may serve again; empty where a model was the first."""
    ledger = registry.ledger
    barred = {yank.version for yank in ledger.yanks}
    served = dict.fromkeys(event.version for event in reversed(ledger.terms) if event.version not in barred)
    return next((version for version in served if bundles.is_baseline(registry.load(version).training)), "")


def trained_to(bundle: Bundle) -> datetime:
    """The event time of the last event that any model of the bundle learned from."""
    return max(datetime.fromisoformat(o["to"]) for o in bundle.training["objectives"].values())


def holdout_start(training: Mapping[str, Any]) -> datetime:
    """When the first objective's holdout begins."""
    return min(datetime.fromisoformat(o["holdout"]["from"]) for o in training["objectives"].values())


def _spread(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    spread = np.full(len(where), np.nan)
    spread[where] = values
    return spread


def _part(scores: Scores, where: np.ndarray) -> Scores:
    return {name: values[where] for name, values in scores.items()}
