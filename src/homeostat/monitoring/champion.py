"""The champion watched: how it does on what was observed since, and how far its inputs and scores have moved."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import polars.selectors as cs

from homeostat.adapters import evidently
from homeostat.adapters.parquet import read_table
from homeostat.core.drift import SCORE, drift_findings
from homeostat.core.findings import Finding
from homeostat.core.health import Window, health_findings, in_doubt
from homeostat.core.ledger import release_line
from homeostat.core.promises import metrics_finding
from homeostat.core.rules import Rule
from homeostat.monitoring import outcomes
from homeostat.monitoring.change import check_change, importance_of
from homeostat.monitoring.quality import (
    MONEY,
    QualityRecords,
    estimated,
    held_figures,
    reading_since,
    record_quality,
)
from homeostat.project.layout import Project, stamp
from homeostat.project.records import read_body
from homeostat.project.whole_files import write_text
from homeostat.releases.feature_rows import FeatureRows
from homeostat.releases.registry import Registry, Serving
from homeostat.training import evaluate
from homeostat.training.bundle import Bundle

WINDOWS = 4  # of the reference, that show how far its columns move anyway
LEAST = 100  # rows of a window, and of what is before it, that show anything
BEFORE = 5_000  # rows of what is before it: more cost time and tell no more
NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True)
class Check:
    """What one check of the champion found; ``paths`` are the records that the findings cite."""

    findings: tuple[Finding, ...]
    paths: tuple[str, ...]
    quality: dict[str, Any]


def check_champion(
    tree: Project, registry: Registry, serving: Serving, at_once: Sequence[Finding], now: datetime
) -> Check:
    """Judge the drift record that is stored for ``now`` and the outcomes of the window.

    What is stored decides: ``record_drift`` comes first. ``at_once``: what every tick watches, the labels and a fresh
    switch.
    """
    path = tree.drift / f"{stamp(now)}.json"
    recorded = path.is_file() and read_body(path)["release"] == serving.event.version
    findings = judge_drift(tree, serving.bundle, path) if recorded else []
    doubted = {f.subject: f.since for f in at_once if f.failed and f.rule == Rule.LABELS}
    health, quality = judge_health(tree, serving, now, registry.ledger.barred(), doubted)
    paths = [path, tree.quality / f"{stamp(now)}.json"] if recorded else [tree.quality / f"{stamp(now)}.json"]
    cited = tuple(tree.cited(record) for record in paths if record.is_file())
    change = check_change(tree, registry, now, partial(importance_of, serving.bundle), doubted)
    return Check((*health, *at_once, *findings, *change), cited, quality)


def record_drift(tree: Project, serving: Serving, features: FeatureRows, now: datetime) -> Path | None:
    """Store how far features and scores have moved in one round of decisions; None where nothing was served."""
    bundle, limits = serving.bundle, serving.bundle.scope.monitoring
    current = watched(bundle, served_rows(tree, serving, features, now - tree.scope.rhythm.decide, now))
    if current.is_empty():
        return None
    reference = watched(bundle, bundle.reference)
    usual = _usual_drift(tree, serving)
    record = evidently.drift_record(current, reference, limits.drift_method, limits.drift_limit, usual)
    text = json.dumps({"at": now.isoformat(), "release": serving.event.version, **record}, indent=1) + "\n"
    return write_text(text, tree.drift / f"{stamp(now)}.json")


def _usual_drift(tree: Project, serving: Serving) -> Mapping[str, Sequence[float]]:
    """How far windows of the release's own reference lie from all before them, by column; measured once a release."""
    records = sorted(tree.drift.glob("*.json"))
    last = read_body(records[-1]) if records else {}
    if release_line(last.get("release", "")) == release_line(serving.event.version):
        return {name: column.get("usual", ()) for name, column in last["columns"].items()}
    windows = reference_windows(serving.bundle.reference, tree.scope.rhythm.decide)
    features = [[watched(serving.bundle, part) for part in pair] for pair in windows]
    pairs = [(now.drop(cs.starts_with(SCORE)), before.drop(cs.starts_with(SCORE))) for now, before in features]
    return evidently.usual_scores(pairs, serving.bundle.scope.monitoring.drift_method)


def reference_windows(reference: pl.DataFrame, length: timedelta) -> list[tuple[pl.DataFrame, pl.DataFrame]]:
    """The last windows of ``length`` of a reference that is in order of time, each with a sample of the rows before."""
    windows = []
    end = reference["event_time"].max()
    for number in range(WINDOWS if isinstance(end, datetime) else 0):
        since, until = (end - (number + more) * length for more in (1, 0))  # type: ignore[operator]
        now = reference.filter((pl.col("event_time") > since) & (pl.col("event_time") <= until))
        before = reference.filter(pl.col("event_time") <= since)
        if min(len(now), len(before)) >= LEAST:
            windows.append((now, before.gather_every(max(1, len(before) // BEFORE))))
    return windows


def judge_drift(tree: Project, bundle: Bundle, path: Path) -> list[Finding]:
    """The findings of a stored record, by the champion's limits."""
    return drift_findings(read_body(path), bundle.scope.monitoring, tree.cited(path))


def judge_health(
    tree: Project, serving: Serving, now: datetime, barred: Collection[str] = (), doubted: Mapping[str, str] = NOTHING
) -> tuple[list[Finding], dict[str, dict[str, Any]]]:
    """Observed quality on matured events of the window, against the champion's promise; the figures with it.

    ``barred``: releases that are no measure of what is good. ``doubted``: the objectives whose labels are in doubt, and
    the batch since when: nothing is said of them, and their windows are no measure either.
    ``quality`` holds by objective the values behind the findings and each metric, observed and promised, and the
    estimates; and ``money``.
    """
    scope, watch = tree.scope, serving.bundle.scope.monitoring
    report = evaluate.Report.from_dict(serving.bundle.evaluation)
    findings: list[Finding] = []
    quality: dict[str, dict[str, Any]] = {}
    cited = tree.cited(tree.decisions / f"{stamp(now)}.json")
    before = QualityRecords.read(tree, now)
    table = outcomes.rows(tree, reading_since(scope, before, now), now)
    records = record_quality(tree, serving, before, table, now, doubted)
    held, estimates = held_figures(tree, serving, records, barred, now), estimated(records)
    if not table.is_empty():
        table = table.filter(pl.col("event_time") >= now - watch.window)
    for objective, rows in outcomes.observed(scope, table, now, serving.event.version).items():
        trial, ranges = report.trials[objective], held.get(objective, {})
        loss = trial.candidate.loss
        window = Window(
            objective, trial.candidate.task, loss, rows.y, rows.score, rows.baseline, rows.block, rows.group,
            rows.slices,
        )  # fmt: skip
        promised = trial.against_baseline.overall.share
        of_objective = health_findings(window, promised, watch, evaluate.settings(scope), cited, ranges)
        of_objective.append(metrics_finding(objective, loss, ranges, watch.quality_drop))
        if objective in doubted:
            of_objective = in_doubt(of_objective, doubted[objective])
        findings += of_objective
        quality[objective] = {"rows": len(rows.y), "promised": trial.candidate.metric(loss).value}
        quality[objective] |= {f.name: f.value for f in of_objective}
        quality[objective]["metrics"] = {
            metric: {"realised": value, "promised": trial.candidate.metric(metric).value}
            for metric, value in outcomes.figures(scope, objective, rows).items()
        }
        quality[objective]["ranges"] = {metric: figure.to_dict() for metric, figure in ranges.items()}
        quality[objective]["estimates"] = estimates.get(objective, {})
    if quality:
        quality["money"] = outcomes.money(scope, table, now)
        cost = metrics_finding(MONEY, "", held.get(MONEY, {}), watch.quality_drop)
        findings += in_doubt([cost], min(doubted.values())) if doubted else [cost]
    return findings, quality


def served_rows(tree: Project, serving: Serving, features: FeatureRows, since: datetime, now: datetime) -> pl.DataFrame:
    """Feature rows and scores of the events between the two times that the release, or one of its line, predicted."""
    bundle = serving.bundle
    table = features.between(bundle.sql, since, now)
    paths = [tree.predictions / f"{label}.parquet" for label in features.labels_since(since)]
    scored = [read_table(path) for path in paths if path.is_file()]
    if not scored or table.is_empty():
        return table.clear()
    rows = pl.concat(scored, how="diagonal_relaxed").filter(outcomes.of_line(serving.event.version))
    key = list(bundle.scope.key)
    scores = rows.select(*key, *(c for c in rows.columns if c.startswith("score__")))
    return table.join(scores, key, "inner", nulls_equal=True, maintain_order="left")


def watched(bundle: Bundle, table: pl.DataFrame) -> pl.DataFrame:
    """The columns that drift is measured on: what the models use, and their scores."""
    used = dict.fromkeys(feature for model in bundle.models.values() for feature in model.features)
    return table.select(c for c in table.columns if c in used or c.startswith("score__"))
