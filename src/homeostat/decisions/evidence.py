"""Evidence for a decision: the previous version and a fresh candidate, judged beside the champion on the same rows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import polars as pl

from homeostat import models
from homeostat.adapters import dvc
from homeostat.core.evaluation import Comparison
from homeostat.core.findings import Decision, Finding, Versions
from homeostat.core.ledger import is_continued, release_line
from homeostat.core.margins import Margin
from homeostat.core.optional_gates import covers, fair, slice_floor, slice_gap, within_budget
from homeostat.core.policy import Bar, barred_by
from homeostat.core.promises import WindowFigures
from homeostat.core.release_gate import (
    MONEY,
    WEIGHTED_LOSS,
    BesideChampion,
    Endpoint,
    behaviour_finding,
    decide_release,
    too_good,
)
from homeostat.data.contamination import left_out
from homeostat.decisions.budgets import spent
from homeostat.decisions.history import CARRIED
from homeostat.decisions.pairing import Pairing, Scores, margins, recipe, same_models
from homeostat.decisions.session import Session
from homeostat.features.sql import read_features_sql
from homeostat.features.tables import without
from homeostat.monitoring.quality import windows_on_record
from homeostat.project.layout import Project
from homeostat.project.scope import Scope
from homeostat.project.scope_values import changes
from homeostat.project.window import write_window
from homeostat.releases.feature_rows import FeatureRows
from homeostat.releases.registry import Registry, Serving
from homeostat.training import bundle as bundles
from homeostat.training import evaluate
from homeostat.training.bundle import Bundle

SCORING = ("models/", bundles.CALIBRATION)  # what the scores of a bundle come from
ROW = "__row"
Kind = Literal["judged", "models", "baseline"]  # fitted before the holdout; in service; beside it, which rates are
RESTS_ON = 3  # features that a finding names
ByObjective = Mapping[str, Comparison]


@dataclass(frozen=True)
class Candidate:
    """A fresh candidate: its sealed bundle, what its gate says, and its losses against the previous version's.

    ``scores`` are those of its judged models on its holdout, by event key; ``training`` says what that is.
    """

    bundle: str
    inputs: Mapping[str, str]
    gate: Decision
    previous: ByObjective
    training: Mapping[str, Any]
    scores: pl.DataFrame


class Judge:
    """Compares releases on events after ``since``, in the feature rows as they are at first use.

    It is made for one decision, and each release scores each event once.
    """

    def __init__(self, tree: Project, since: datetime, now: datetime, features: FeatureRows | None = None) -> None:
        self._scope = tree.scope
        self._sql = read_features_sql(tree)
        self._since, self._now = since, now
        self._left_out = left_out(tree)
        self._features = features or FeatureRows(tree)
        self._scores: dict[tuple[str, str], Scores] = {}

    @cached_property
    def rows(self) -> pl.DataFrame:
        """The feature rows of the events, by the tree's own SQL, in order of batch; without those left out."""
        return without(self._features.between(self._sql, self._since, self._now), self._left_out)

    def scores(self, bundle: Bundle, kind: Kind = "models") -> Scores:
        """A release's scores of ``rows``; NaN for the events that its models of that kind may have learned from."""
        if (bundle.hash, kind) not in self._scores:
            new = self.rows["event_time"] > learned_to(bundle, kind)
            table = self._as_sql_has_them(self.rows.filter(new), bundle.sql)
            scores = models.predict_each(getattr(bundle, kind), table)
            spread = {name: _spread(values, new.to_numpy()) for name, values in scores.items()}
            self._scores[bundle.hash, kind] = spread
        return self._scores[bundle.hash, kind]

    def held_out_scores(self, candidate: Candidate) -> Scores:
        """The judged models' scores of ``rows``, from its holdout; NaN elsewhere."""
        key = list(self._scope.key)
        held_out = candidate.scores
        joined = self.rows.select(key).join(held_out, key, "left", nulls_equal=True, maintain_order="left")
        return {name: joined[f"score__{name}"].fill_null(np.nan).to_numpy() for name in self._scope.objectives}

    def _as_sql_has_them(self, rows: pl.DataFrame, sql: str) -> pl.DataFrame:
        if sql == self._sql or rows.is_empty():
            return rows
        key = list(self._scope.key)
        theirs = self._features.between(sql, self._since, self._now)
        return rows.select(key).join(theirs, key, "left", nulls_equal=True, maintain_order="left")

    def compare(self, one: Bundle, other: Bundle, since: datetime) -> ByObjective:
        """``one`` against ``other`` on the matured events after ``since`` that neither has learned from."""
        new = (self.rows["event_time"] > max(since, learned_to(one), learned_to(other))).to_numpy()
        if set(one.models) != set(other.models) or not new.any():
            return {}
        ours, theirs = (_part(self.scores(bundle), new) for bundle in (one, other))
        return evaluate.compare_models(self._scope, self.rows.filter(new), ours, theirs, self._now)

    def against(self, training: Mapping[str, Any], scores: pl.DataFrame, other: Bundle | None) -> ByObjective:
        """A candidate, by its ``scores`` of its holdout, against another release on held-out events new to both."""
        if other is None or set(other.models) != set(self._scope.objectives):
            return {}
        rows, ours = self._held_out(training, scores, learned_to(other))
        theirs = _part(self.scores(other), rows[ROW].to_numpy())
        return evaluate.compare_models(self._scope, rows.drop(ROW), ours, theirs, self._now)

    def beside_champion(
        self, candidate: Bundle, scores: pl.DataFrame, serving: Serving, windows: Sequence[WindowFigures]
    ) -> BesideChampion | None:
        """The candidate's judged models, by their ``scores`` of its holdout, and the champion's; see the gate.

        A champion from before its judged models were kept stands with those in service. None where the two have no
        objective in common. ``windows`` are those on record, for the margins.
        """
        champion, training = serving.bundle, candidate.training
        if not set(champion.models) & set(self._scope.objectives):
            return None
        kind: Kind = "judged" if champion.judged else "models"
        since, until = max(holdout_start(training), learned_to(champion, kind)), holdout_end(training)
        if same_models(candidate, champion):
            return BesideChampion(serving.event.version, since, until, same_models=True)
        carried = bundles.carried_objectives(training)
        pairing, recipes = self._pairing(training, scores, champion, kind, since), (recipe(champion), recipe(candidate))
        last, limits = None, margins(self._scope, training, windows)
        if _steps_down(self._scope, candidate, champion):  # all rungs were judged alike, and this one is good enough
            least = self._scope.ladder_margin
            limits = {name: max(margin, Margin(least)) for name, margin in limits.items()}
        elif len(set(recipes)) > 1:
            name = WEIGHTED_LOSS if bundles.is_baseline(champion.training) else MONEY
            last = Endpoint(name, pairing.endpoint(name), *self._refit(name, training, scores, champion))
        return BesideChampion(
            serving.event.version, since, until, pairing.objectives(carried), limits, last,
            " ".join(one[:12] for one in recipes),
        )  # fmt: skip

    def _refit(
        self, name: str, training: Mapping[str, Any], scores: pl.DataFrame, champion: Bundle
    ) -> tuple[float | None, float | None]:
        """By what share the champion's models in service, and the candidate's, lie off its judged ones: on an endpoint,
        over held-out rows that trained none of them.
        """
        if not champion.judged:
            return None, None
        unseen = self._pairing(training, scores, champion, "judged", learned_to(champion))
        in_service = replace(unseen, scores=_part(self.scores(champion), unseen.rows[ROW].to_numpy()))
        return in_service.endpoint(name).share, unseen.endpoint(name).share

    def _pairing(
        self, training: Mapping[str, Any], scores: pl.DataFrame, champion: Bundle, kind: Kind, since: datetime
    ) -> Pairing:
        rows, ours = self._held_out(training, scores, since)
        theirs = _part(self.scores(champion, kind), rows[ROW].to_numpy())
        return Pairing(self._scope, rows, ours, theirs, self._now)

    def _held_out(
        self, training: Mapping[str, Any], scores: pl.DataFrame, since: datetime
    ) -> tuple[pl.DataFrame, Scores]:
        """The rows of a candidate's holdout after ``since``, numbered by ``ROW``, with its scores of them."""
        rows = evaluate.held_out(training, self.rows.with_row_index(ROW))
        rows = rows.filter(pl.col("event_time") > max(since, holdout_start(training)))
        key = list(self._scope.key)
        scores = rows.select(key).join(scores, on=key, how="left", nulls_equal=True, maintain_order="left")
        return rows, {name: scores[f"score__{name}"].to_numpy() for name in self._scope.objectives}


def fresh_candidate(
    session: Session, now: datetime, previous: str = "", baseline: bool = False, labels_until: datetime | None = None,
    rung: str = "", carried: Mapping[str, str] = MappingProxyType({}), parent: str = "",
) -> tuple[Candidate, Judge]:  # fmt: skip
    """Reproduce the DAG as of ``now`` and judge what comes out; with who judged it, for further questions.

    ``baseline``: of the baseline alone; ``labels_until``: of events up to then; ``rung``: by that of the ladder;
    ``carried``: by objective the candidate whose models it takes over, which have passed their gate and are not judged
    again; ``parent``: the hash of the bundle whose models it continues.

    Raises:
        HomeostatError: what stops the DAG; the champion goes on serving.
    """
    tree, registry = session.tree, session.registry
    write_window(tree, session.start, now, baseline, labels_until, left_out(tree), rung, carried, parent)
    began = time.perf_counter()
    dvc.reproduce(tree.root)
    seconds = time.perf_counter() - began
    report = evaluate.read_report(tree.evaluation / "evaluation.json")
    candidate, scores = bundles.load(tree.bundle), evaluate.read_holdout_scores(tree)
    training = candidate.training
    judge = Judge(tree, min(holdout_start(training), now - tree.scope.monitoring.window), now)
    serving, ledger = registry.load_champion(), registry.ledger
    windows = windows_on_record(tree, now, ledger.barred())
    fresh = replace(report, trials={name: trial for name, trial in report.trials.items() if name not in carried})
    gate = decide_release(
        {name: trial.candidate for name, trial in fresh.trials.items()},
        {name: trial.against_baseline for name, trial in fresh.trials.items()},
        judge.beside_champion(candidate, scores, serving, windows) if serving else None,
        tree.scope.release,
        bundles.is_baseline(training),
        tree.scope.evaluation.confidence,
        [finding for decided in session.decisions if decided.at < now for finding in decided.decision.gate],
        (*scope_findings(tree.scope, fresh, candidate, seconds), *behaviour_findings(fresh)),
    )
    gate = replace(gate, findings=(*gate.findings, *_too_good(tree, fresh)))
    gate = replace(gate, facts={**gate.facts, CARRIED: dict(carried)}) if carried else gate
    against_previous = judge.against(training, scores, registry.load(previous) if previous else None)
    champion, version = serving.event.version if serving else "", ledger.version_of(candidate.hash)
    gate = replace(gate, versions=Versions(champion, previous, version))
    return Candidate(candidate.hash, candidate.manifest["inputs"], gate, against_previous, training, scores), judge


def behaviour_findings(report: evaluate.Report) -> Iterator[Finding]:
    """Whether the behavioural tests of the objectives that are judged hold."""
    return (behaviour_finding(result) for result in report.behaviour if result.objective in report.trials)


def alert_findings(scope: Scope, report: evaluate.Report) -> list[Finding]:
    """How many events the scores decide, and whether alerts are fair, where the scope has a rule of it."""
    abstain, limits = scope.costs.abstain, scope.release.fairness
    covered = [covers(report.coverage, abstain.most if abstain else 1.0)] if report.coverage else []
    return covered + (list(fair(report.fairness, limits.parity, limits.odds)) if limits else [])


def scope_findings(scope: Scope, report: evaluate.Report, bundle: Bundle, seconds: float) -> Iterator[Finding]:
    """Findings of rules that the scope adds to the gate; none where it has none of these entries.

    ``seconds`` is what the candidate took to make.
    """
    yield from alert_findings(scope, report)
    limits, confidence = scope.release, scope.evaluation.confidence
    learned = {} if bundles.is_baseline(bundle.training) else report.trials  # the baseline need not beat itself
    for name, trial in learned.items():
        if limits.slice_floor is not None:
            yield slice_floor(name, trial.against_baseline, limits.slice_floor, confidence)
        if limits.slice_gap is not None:
            yield slice_gap(name, trial.against_baseline, limits.slice_gap)
    if limits.budget is not None:
        taken = spent(bundle, seconds, limits.budget)
        yield from within_budget(taken, limits.budget.limits)


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


def learned_to(bundle: Bundle, kind: Kind = "models") -> datetime:
    """Later events are new to every model of that kind of the bundle, and to its calibrators."""
    return max(trained_to(bundle, kind), *(one.until for one in bundle.calibrators.values()), datetime.min)


def trained_to(bundle: Bundle, kind: Kind = "models") -> datetime:
    """Later events have trained no model of that kind of the bundle."""
    objectives = bundle.training["objectives"].values()
    return max(datetime.fromisoformat(o["holdout"]["from"] if kind == "judged" else o["to"]) for o in objectives)


def previous_version(registry: Registry) -> str:
    """The version to go back to where the champion's scores are bad, if any: other weights alone do not change them.

    From a continuation it is the full retrain of its line.
    """
    serving = registry.load_champion()
    if serving is None:
        return ""
    champion = serving.event.version

    def is_alike(one: str) -> bool:
        near = release_line(one) == release_line(champion) and is_continued(one)  # learned from much the same events
        return near or _reweighed(registry.load(one), serving.bundle)

    return registry.ledger.previous_healthy(is_alike) or ""


def _reweighed(one: Bundle, other: Bundle) -> bool:
    """Whether both have the same models and calibrators, with other weights or costs."""
    ours, theirs = (
        {name: content for name, content in bundle.manifest["files"].items() if name.startswith(SCORING)}
        for bundle in (one, other)
    )
    return ours == theirs and bool(changes(one.scope, other.scope))


def holdout_start(training: Mapping[str, Any]) -> datetime:
    """When the first objective's holdout begins."""
    return min(datetime.fromisoformat(o["holdout"]["from"]) for o in training["objectives"].values())


def holdout_end(training: Mapping[str, Any]) -> datetime:
    """When the last objective's holdout ends."""
    return max(datetime.fromisoformat(o["holdout"]["to"]) for o in training["objectives"].values())


def _steps_down(scope: Scope, candidate: Bundle, champion: Bundle) -> bool:
    """Whether a candidate is of a simpler rung of the ladder than the champion, which is no mere stand-in."""
    return not bundles.lacks_model(champion) and scope.training.is_simpler(candidate.rung, champion.rung)


def _spread(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    spread = np.full(len(where), np.nan)
    spread[where] = values
    return spread


def _part(scores: Scores, where: np.ndarray) -> Scores:
    return {name: values[where] for name, values in scores.items()}
