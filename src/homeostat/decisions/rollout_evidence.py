"""What a step of a rollout came to: the challenger's events, errors, latency, scores and losses beside the champion's.

Errors and latency are the service's, from its prediction log; scores are from there and from the prediction rows, each
event once; losses are on the prediction rows whose labels have come, since the first step.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from homeostat.adapters import evidently
from homeostat.adapters.parquet import read_table
from homeostat.core.confidence_sequence import Bounds, Moments, block_means, difference_bounds, mean_bounds
from homeostat.core.errors import HomeostatError
from homeostat.core.evaluation import Comparison, compare, compare_split
from homeostat.core.ledger import Ledger, ReleaseEvent
from homeostat.core.periods import labels_overlapping
from homeostat.core.rollout import Arm, Measured
from homeostat.features.tables import mature
from homeostat.monitoring import outcomes
from homeostat.project.layout import Project
from homeostat.project.scope import Scope
from homeostat.releases.registry import Registry
from homeostat.serving import prediction_log
from homeostat.serving.batch_scoring import SHADOW
from homeostat.training import evaluate
from homeostat.training.bundle import Bundle

Scores = dict[str, Mapping[str, float | None]]  # by the event's key as text, then by objective


@dataclass
class Tally:
    """What one version did in a step, as it is read together."""

    scores: Scores = field(default_factory=dict)
    failures: int = 0
    seconds: list[float] = field(default_factory=list)

    def arm(self, version: str) -> Arm:
        return Arm(version, len(self.scores), self.failures, np.array(self.seconds, dtype=np.float64))


def measure(tree: Project, registry: Registry, ledger: Ledger, now: datetime) -> Measured:
    """What the step that is on in ``ledger`` came to so far."""
    champion, tried, began = ledger.champion, ledger.rollout, ledger.rollout_began()
    assert champion is not None and tried is not None and began is not None, "no release is being tried"
    scope = tree.scope
    ours, theirs = Tally(), Tally()
    unloaded = _from_log(tree, scope, champion, tried, ours, theirs)
    _from_rows(tree, scope, champion, tried, ours, theirs)
    drift: dict[str, dict[str, Any]] = {}
    try:
        bundles = [registry.load(event.version) for event in (tried, champion)]
        drift = _drift(scope, bundles, ours.scores, theirs.scores, paired=tried.share is None)
    except HomeostatError as error:  # what cannot be had here is no release to go on with
        unloaded = (*unloaded, str(error))
    rows = _matured(tree, champion, tried, began, now)
    return Measured(
        theirs.arm(champion.version), ours.arm(tried.version), tried.share, now - tried.at, drift,
        {name: _compared(scope, name, *of, tried) for name, of in rows.items()}, unloaded, harm_of(scope, rows, tried),
    )  # fmt: skip


def _from_log(
    tree: Project, scope: Scope, champion: ReleaseEvent, tried: ReleaseEvent, ours: Tally, theirs: Tally
) -> tuple[str, ...]:
    """Add what the service wrote down since the step began; why workers could not load the challenger."""
    keys: dict[str, str] = {}
    shadows: list[dict[str, Any]] = []
    unloaded: dict[int, str] = {}
    failed: set[tuple[str, str]] = set()
    at = [list(scope.event_source.columns).index(name) for name in scope.key]
    tallies = {tried.version: ours, champion.version: theirs}
    for entry in prediction_log.lines_since(tree, tried.at):
        tally = tallies.get(entry["release"])
        if tally is None or (tally is ours and entry["event"] != tried.number):
            continue
        if "unloaded" in entry:
            unloaded[entry["worker"]] = entry["unloaded"]
        elif "error" in entry:
            if entry["of"] is None or (entry["of"], entry["release"]) not in failed:
                tally.failures += 1
            failed.add((entry["of"], entry["release"]))
        elif "id" in entry:
            keys[entry["id"]] = _key([entry["given"][n] for n in at])
            tally.scores[keys[entry["id"]]] = dict(zip(scope.objectives, entry["scores"], strict=False))
        else:
            shadows.append(entry)
        if "seconds" in entry:
            tally.seconds.append(entry["seconds"])
    for entry in shadows:
        if entry["of"] in keys:
            ours.scores[keys[entry["of"]]] = dict(zip(scope.objectives, entry["scores"], strict=False))
    return tuple(unloaded.values())


def _from_rows(
    tree: Project, scope: Scope, champion: ReleaseEvent, tried: ReleaseEvent, ours: Tally, theirs: Tally
) -> None:
    """Add the prediction rows that were scored since the step began."""
    every = scope.events_period
    labels = (path.stem for path in tree.predictions.glob("*.parquet"))
    for label in labels_overlapping(labels, every, scope.rhythm.offset, tried.at, None):
        rows = read_table(tree.predictions / f"{label}.parquet").filter(pl.col("as_of") >= tried.at)
        for row in rows.iter_rows(named=True):
            key = _key([row[name] for name in scope.key])
            tally = ours if row["release"] == tried.version else theirs
            if row["release"] in (tried.version, champion.version):
                tally.scores.setdefault(key, {o: row.get(f"score__{o}") for o in scope.objectives})
            if row.get("challenger") == tried.version:
                ours.scores.setdefault(key, {o: row.get(f"{SHADOW}{o}") for o in scope.objectives})


def _drift(
    scope: Scope, bundles: list[Bundle], ours: Scores, theirs: Scores, paired: bool
) -> dict[str, dict[str, Any]]:
    """By objective how far the challenger's scores lie from the champion's; of a shadow, on the same events.

    A baseline's scores are rates of a few groups, which no model's are like, so there is nothing to compare.
    """
    limits = scope.rollout
    assert limits is not None, "no release is being tried"
    names = [n for n in scope.objectives if all(_learned(bundle, n) for bundle in bundles)]
    keys = [ours.keys() & theirs.keys()] * 2 if paired else [ours.keys(), theirs.keys()]
    frames = [
        pl.DataFrame(
            {n: [scores[key].get(n) for key in sorted(wanted)] for n in names}, schema=dict.fromkeys(names, pl.Float64)
        )
        for scores, wanted in zip((ours, theirs), keys, strict=True)
    ]
    if not names or any(frame.is_empty() for frame in frames):
        return {}
    record = evidently.drift_record(frames[0], frames[1], scope.monitoring.drift_method, limits.score_drift)
    return dict(record["columns"])


def _learned(bundle: Bundle, objective: str) -> bool:
    training = bundle.training["objectives"].get(objective)
    return training is not None and training["kind"] != "heuristic"


def _matured(
    tree: Project, champion: ReleaseEvent, tried: ReleaseEvent, began: datetime, now: datetime
) -> dict[str, tuple[pl.DataFrame, str]]:
    """By objective the matured events of the rollout, and the column that has the challenger's scores of them."""
    scope = tree.scope
    shadows = [f"{SHADOW}{name}" for name in scope.objectives]
    table = outcomes.rows(tree, began, now, [*shadows, "challenger", "as_of"])
    if table.is_empty():
        return {}
    table = table.filter(pl.col("as_of") >= began)
    matured = {}
    for name in scope.objectives:
        other = f"{SHADOW}{name}" if tried.share is None else f"score__{name}"
        if other not in table.columns:
            continue
        by = pl.col("challenger" if tried.share is None else "release") == tried.version
        both = by if tried.share is None else by | (pl.col("release") == champion.version)
        rows = mature(table.filter(both), name, scope, now).drop_nulls([other, f"score__{name}"])
        matured[name] = rows, other
    return matured


def harm_of(
    scope: Scope, matured: Mapping[str, tuple[pl.DataFrame, str]], tried: ReleaseEvent
) -> dict[str, Bounds]:
    """By binary objective how far the squared error lies above the champion's in this step, where enough has matured.

    A shadow and the champion score the same events, so that means of blocks are paired. A canary has keys of its own,
    drawn at one share within a step; over steps of different shares the two would have different days. What may be
    excluded by chance is shared out among objectives and steps.
    """
    assert scope.rollout is not None, "no release is being tried"
    names = [name for name in matured if scope.objectives[name].task == "binary"]
    tests = len(names) * (1 if tried.share is None else len(scope.rollout.steps))
    confidence = 1 - (1 - scope.evaluation.confidence) / max(tests, 1)
    bounds = {name: _bounds(scope, name, *matured[name], tried, confidence) for name in names}
    return {name: one for name, one in bounds.items() if one is not None}


def _bounds(
    scope: Scope, name: str, rows: pl.DataFrame, other: str, tried: ReleaseEvent, confidence: float
) -> Bounds | None:
    rows = rows.filter(pl.col("as_of") >= tried.at)
    if rows.is_empty():
        return None
    y, ours, theirs = (rows[column].to_numpy() for column in (f"label__{name}", other, f"score__{name}"))
    if tried.share is None:
        means = block_means((ours - y) ** 2 - (theirs - y) ** 2, evaluate.blocks(scope, rows))
        return mean_bounds(Moments.of(means), confidence)
    first, error = (rows["release"] == tried.version).to_numpy(), (ours - y) ** 2
    arms = [Moments.of(part) for part in (error[first], error[~first]) if len(part)]
    return difference_bounds(arms[0], arms[1], confidence) if len(arms) == 2 else None


def _compared(scope: Scope, name: str, rows: pl.DataFrame, other: str, tried: ReleaseEvent) -> Comparison:
    """A shadow on the same events; a canary on its own, against the others."""
    objective, loss = scope.objectives[name], evaluate.metrics_of(scope, name)[0]
    y, score = rows[f"label__{name}"].to_numpy(), rows[other].to_numpy()
    group = evaluate.groups(rows, name) if objective.task == "ranking" else None
    block, settings = evaluate.blocks(scope, rows), evaluate.settings(scope)
    if tried.share is None:
        theirs = rows[f"score__{name}"].to_numpy()
        return compare(objective.task, loss, y, score, theirs, block, {}, settings, group)
    first = (rows["release"] == tried.version).to_numpy()
    return compare_split(objective.task, loss, y, score, first, block, settings, group)


def _key(values: list[Any]) -> str:
    """An event's key as text, the same for a row and for a line of the log."""
    return json.dumps([v.isoformat() if isinstance(v, datetime) else v for v in values])
