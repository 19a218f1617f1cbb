"""Monitoring: how the champion does on what has come true since, and how far its inputs and scores have moved."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from homeostat.adapters.parquet import read_table, write_text
from homeostat.core.drift import drift_findings
from homeostat.core.findings import Finding
from homeostat.core.health import Window, health_findings
from homeostat.monitoring import outcomes
from homeostat.project.layout import stamp
from homeostat.releases import registry
from homeostat.releases.feature_rows import labels_since, rows_of
from homeostat.training import evaluate

if TYPE_CHECKING:
    from homeostat.project.layout import Project
    from homeostat.training.bundle import Bundle


@dataclass(frozen=True)
class Look:
    """What one look at the champion found; ``paths`` are the records that the findings cite."""

    findings: tuple[Finding, ...]
    paths: tuple[str, ...]
    quality: dict[str, Any]


def look(project: Project, now: datetime) -> Look:
    """Measure and judge; the drift record is written first and read back, so that what is stored is what decides.

    Raises:
        EnvironmentFault: nothing serves.
    """
    serving = registry.serving(project)
    assert serving is not None, "nothing serves"
    event, bundle = serving
    write_drift(project, bundle, event.version, now)
    return judge(project, now)


def judge(project: Project, now: datetime) -> Look:
    """What is found of the champion in the drift record that is stored for ``now``, and in what has come true."""
    serving = registry.serving(project)
    assert serving is not None, "nothing serves"
    event, bundle = serving
    path = project.drift / f"{stamp(now)}.json"
    recorded = path.is_file() and json.loads(path.read_text())["release"] == event.version
    findings = judge_drift(project, bundle, path) if recorded else []
    health, quality = judge_health(project, bundle, event.version, now)
    return Look((*health, *findings), (project.cited(path),) if recorded else (), quality)


def write_drift(project: Project, bundle: Bundle, version: str, now: datetime) -> Path | None:
    """Record how far features and scores have moved in one round of decisions; None where nothing was served."""
    from homeostat.adapters import evidently

    limits, reference = bundle.scope.monitoring, watched(bundle, bundle.reference)
    current = served_rows(project, bundle, version, now - project.ledger.scope.rhythm.decide, now)
    if current.is_empty():
        return None
    record = evidently.drift_record(current, reference, limits.drift_method, limits.drift_limit)
    text = json.dumps({"at": now.isoformat(), "release": version, **record}, indent=1) + "\n"
    return write_text(text, project.drift / f"{stamp(now)}.json")


def judge_drift(project: Project, bundle: Bundle, path: Path) -> list[Finding]:
    """The findings of a stored record, by the champion's limits."""
    return drift_findings(json.loads(path.read_text()), bundle.scope.monitoring, project.cited(path))


def judge_health(
    project: Project, bundle: Bundle, version: str, now: datetime
) -> tuple[list[Finding], dict[str, dict[str, Any]]]:
    """Realised quality on matured events of the window, against the champion's promise; the figures with it.

    ``quality`` holds by objective the values behind the findings and each metric, realised and promised; and ``money``.
    """
    scope = project.ledger.scope
    report = evaluate.Report.from_dict(bundle.evaluation)
    findings: list[Finding] = []
    quality: dict[str, dict[str, Any]] = {}
    since = now - bundle.scope.monitoring.window
    cited = project.cited(project.decisions / f"{stamp(now)}.json")
    for objective, rows in outcomes.realised(project, since, now, version).items():
        trial = report.trials[objective]
        window = Window(
            objective, trial.candidate.task, trial.candidate.loss, rows.y, rows.score, rows.baseline, rows.block,
            rows.group,
        )  # fmt: skip
        promised = trial.against_baseline.overall.share
        found = health_findings(window, promised, bundle.scope.monitoring, evaluate.settings(scope), cited)
        findings += found
        quality[objective] = {"rows": len(rows.y), "promised": trial.candidate.metric(trial.candidate.loss).value}
        quality[objective] |= {f.name: f.value for f in found}
        quality[objective]["metrics"] = {
            metric: {"realised": value, "promised": trial.candidate.metric(metric).value}
            for metric, value in outcomes.figures(scope, objective, rows).items()
        }
    if quality:
        quality["money"] = outcomes.money(project, since, now)
    return findings, quality


def served_rows(project: Project, bundle: Bundle, version: str, since: datetime, now: datetime) -> pl.DataFrame:
    """Features and scores of the events between the two times that the version predicted."""
    table = rows_of(project.ledger, bundle, since, now)
    paths = [project.predictions / f"{label}.parquet" for label in labels_since(project.ledger, since)]
    scored = [read_table(path) for path in paths if path.is_file()]
    if not scored or table.is_empty():
        return table.clear()
    rows = pl.concat(scored, how="diagonal_relaxed").filter(pl.col("release") == version)
    key = list(bundle.scope.key)
    scores = rows.select(*key, *(c for c in rows.columns if c.startswith("score__")))
    return watched(bundle, table.join(scores, key, "inner", nulls_equal=True, maintain_order="left"))


def watched(bundle: Bundle, table: pl.DataFrame) -> pl.DataFrame:
    """The columns that drift is measured on: what the models use, and their scores."""
    used = dict.fromkeys(feature for model in bundle.models.values() for feature in model.features)
    return table.select(c for c in table.columns if c in used or c.startswith("score__"))


def render_page(project: Project, path: Path, target: Path) -> Path:
    """Draw the page of a stored drift record, for a reader."""
    from homeostat.adapters import evidently

    record = json.loads(path.read_text())
    now, version = datetime.fromisoformat(record["at"]), record["release"]
    bundle = registry.restore(project, version)
    current = served_rows(project, bundle, version, now - project.ledger.scope.rhythm.decide, now)
    limits = bundle.scope.monitoring
    reference = watched(bundle, bundle.reference)
    return evidently.render_page(current, reference, target, limits.drift_method, limits.drift_limit)
