"""The champion watched: how it does on what was observed since, and how far its inputs and scores have moved."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from homeostat.adapters import evidently
from homeostat.adapters.parquet import read_table
from homeostat.core.drift import drift_findings
from homeostat.core.findings import Finding
from homeostat.core.health import Window, health_findings
from homeostat.monitoring import outcomes
from homeostat.project.layout import Project, stamp
from homeostat.project.whole_files import write_text
from homeostat.releases.feature_rows import FeatureRows
from homeostat.releases.registry import Serving
from homeostat.training import evaluate
from homeostat.training.bundle import Bundle


@dataclass(frozen=True)
class Check:
    """What one check of the champion found; ``paths`` are the records that the findings cite."""

    findings: tuple[Finding, ...]
    paths: tuple[str, ...]
    quality: dict[str, Any]


def check_champion(tree: Project, serving: Serving, now: datetime) -> Check:
    """Judge the drift record that is stored for ``now``, and the outcomes of the window.

    What is stored decides: ``record_drift`` comes first.
    """
    path = tree.drift / f"{stamp(now)}.json"
    recorded = path.is_file() and json.loads(path.read_text())["release"] == serving.event.version
    findings = judge_drift(tree, serving.bundle, path) if recorded else []
    health, quality = judge_health(tree, serving, now)
    return Check((*health, *findings), (tree.cited(path),) if recorded else (), quality)


def record_drift(tree: Project, serving: Serving, features: FeatureRows, now: datetime) -> Path | None:
    """Store how far features and scores have moved in one round of decisions; None where nothing was served."""
    bundle, limits = serving.bundle, serving.bundle.scope.monitoring
    current = served_rows(tree, serving, features, now - tree.scope.rhythm.decide, now)
    if current.is_empty():
        return None
    reference = watched(bundle, bundle.reference)
    record = evidently.drift_record(current, reference, limits.drift_method, limits.drift_limit)
    text = json.dumps({"at": now.isoformat(), "release": serving.event.version, **record}, indent=1) + "\n"
    return write_text(text, tree.drift / f"{stamp(now)}.json")


def judge_drift(tree: Project, bundle: Bundle, path: Path) -> list[Finding]:
    """The findings of a stored record, by the champion's limits."""
    return drift_findings(json.loads(path.read_text()), bundle.scope.monitoring, tree.cited(path))


def judge_health(tree: Project, serving: Serving, now: datetime) -> tuple[list[Finding], dict[str, dict[str, Any]]]:
    """Observed quality on matured events of the window, against the champion's promise; the figures with it.

    ``quality`` holds by objective the values behind the findings and each metric, observed and promised; and ``money``.
    """
    scope, watch = tree.scope, serving.bundle.scope.monitoring
    report = evaluate.Report.from_dict(serving.bundle.evaluation)
    findings: list[Finding] = []
    quality: dict[str, dict[str, Any]] = {}
    cited = tree.cited(tree.decisions / f"{stamp(now)}.json")
    table = outcomes.rows(tree, now - watch.window, now)
    for objective, rows in outcomes.observed(scope, table, now, serving.event.version).items():
        trial = report.trials[objective]
        window = Window(
            objective, trial.candidate.task, trial.candidate.loss, rows.y, rows.score, rows.baseline, rows.block,
            rows.group,
        )  # fmt: skip
        promised = trial.against_baseline.overall.share
        of_objective = health_findings(window, promised, watch, evaluate.settings(scope), cited)
        findings += of_objective
        quality[objective] = {"rows": len(rows.y), "promised": trial.candidate.metric(trial.candidate.loss).value}
        quality[objective] |= {f.name: f.value for f in of_objective}
        quality[objective]["metrics"] = {
            metric: {"realised": value, "promised": trial.candidate.metric(metric).value}
            for metric, value in outcomes.figures(scope, objective, rows).items()
        }
    if quality:
        quality["money"] = outcomes.money(scope, table, now)
    return findings, quality


def served_rows(tree: Project, serving: Serving, features: FeatureRows, since: datetime, now: datetime) -> pl.DataFrame:
    """Features and scores of the events between the two times that the release predicted."""
    bundle = serving.bundle
    table = features.between(bundle.sql, since, now)
    paths = [tree.predictions / f"{label}.parquet" for label in features.labels_since(since)]
    scored = [read_table(path) for path in paths if path.is_file()]
    if not scored or table.is_empty():
        return table.clear()
    rows = pl.concat(scored, how="diagonal_relaxed").filter(pl.col("release") == serving.event.version)
    key = list(bundle.scope.key)
    scores = rows.select(*key, *(c for c in rows.columns if c.startswith("score__")))
    return watched(bundle, table.join(scores, key, "inner", nulls_equal=True, maintain_order="left"))


def watched(bundle: Bundle, table: pl.DataFrame) -> pl.DataFrame:
    """The columns that drift is measured on: what the models use, and their scores."""
    used = dict.fromkeys(feature for model in bundle.models.values() for feature in model.features)
    return table.select(c for c in table.columns if c in used or c.startswith("score__"))
