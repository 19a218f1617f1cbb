"""A release that is tried beside the champion: what each step came to, and carrying out what is decided on that.

Errors and latency are the service's, from its prediction log; scores are from there and from the prediction rows, each
event once; losses are on the prediction rows whose labels have come, since the first step.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from homeostat.adapters.parquet import read_table, write_text
from homeostat.core.errors import HomeostatError
from homeostat.core.evaluation import Comparison, compare, compare_split
from homeostat.core.findings import Decision
from homeostat.core.headlines import headline
from homeostat.core.periods import period_of
from homeostat.core.rollout import Arm, Measured, decide_step
from homeostat.decisions import pending
from homeostat.features.tables import mature
from homeostat.monitoring import outcomes
from homeostat.project.layout import stamp
from homeostat.releases import registry
from homeostat.serving import prediction_log
from homeostat.serving.batch_scoring import SHADOW
from homeostat.serving.paths import working
from homeostat.training import evaluate

if TYPE_CHECKING:
    from homeostat.core.ledger import Beside, Ledger, ReleaseEvent
    from homeostat.project.layout import Project
    from homeostat.project.scope import Scope
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


def first_step(scope: Scope) -> tuple[Beside | None, float | None]:
    """How a release that passed its gate begins, by the scope: what it is beside what serves, and its share."""
    rollout = scope.rollout
    if rollout is None or rollout.strategy == "at once":
        return None, None
    return ("shadow", None) if rollout.strategy == "shadow" else ("canary", rollout.steps[0])


def step(project: Project, now: datetime, who: str) -> Decision | None:
    """Decide on the step of the release that is being tried, and do it; None: none is, or the scope does not say how.

    A run that was interrupted does what was decided, not something else.

    Raises:
        HomeostatError: the deployment was stopped; what serves is whole, and the next run carries on.
    """
    known = registry.ledger(project)
    pending.settle(project, project.rollouts, known, now)
    plan = pending.of(project.rollouts, now)
    if not plan.is_file():
        limits = working(project).scope.rollout
        if known.rollout is None or known.champion is None or limits is None:
            return None
        write_text(json.dumps(_decided(project, known, now), indent=1) + "\n", plan)
    return _carry_out(project, plan, now, who)


def measure(project: Project, known: Ledger, now: datetime) -> Measured:
    """What the step that is on came to so far."""
    champion, tried, began = known.champion, known.rollout, known.rollout_began()
    assert champion is not None and tried is not None and began is not None, "no release is being tried"
    scope = working(project).scope
    ours, theirs = Tally(), Tally()
    unloaded = _from_log(project, scope, champion, tried, ours, theirs)
    _from_rows(project, scope, champion, tried, ours, theirs)
    drift: dict[str, dict[str, Any]] = {}
    try:
        bundles = [registry.restore(project, event.version) for event in (tried, champion)]
        drift = _drift(scope, bundles, ours.scores, theirs.scores, paired=tried.share is None)
    except HomeostatError as error:  # what cannot be had here is no release to go on with
        unloaded = (*unloaded, str(error))
    return Measured(
        theirs.arm(champion.version), ours.arm(tried.version), tried.share, now - tried.at, drift,
        _quality(project, champion, tried, began, now), unloaded,
    )  # fmt: skip


def _decided(project: Project, known: Ledger, now: datetime) -> dict[str, Any]:
    """The record of a step: the decision, and what it is about."""
    scope, tried, champion = working(project).scope, known.rollout, known.champion
    limits = scope.rollout
    assert tried is not None and champion is not None and limits is not None, "no release is being tried"
    measured = measure(project, known, now)
    path = project.cited(project.rollouts / f"{stamp(now)}.json")
    decision = decide_step(measured, limits, scope.release.not_worse, scope.evaluation.confidence, path)
    body = {"at": now.isoformat(), "headline": headline(decision), **decision.to_dict()}
    return body | {"event": tried.number, "share": decision.facts["next"]}


def _carry_out(project: Project, plan: Path, now: datetime, who: str) -> Decision:
    """Do what was decided, once however often this is called, and make the plan the record of it."""
    body = json.loads(plan.read_text())
    decision = Decision.from_dict(body)
    on = registry.ledger(project).rollout
    if on is not None and on.number == body["event"]:  # else it is done, or a person has been faster
        said = (headline(decision), who, now)
        if decision.action == "roll back":
            registry.rollback(project, *said, evidence=decision.evidence)
        elif decision.action == "advance" and body["share"] is None:
            registry.promote(project, on.version, *said, evidence=decision.evidence)
        elif decision.action == "advance":
            registry.try_beside(project, on.version, "canary", body["share"], *said, evidence=decision.evidence)
    pending.done(plan)
    return decision


# ---- what was measured


def _from_log(
    project: Project, scope: Scope, champion: ReleaseEvent, tried: ReleaseEvent, ours: Tally, theirs: Tally
) -> tuple[str, ...]:
    """Add what the service wrote down since the step began; why workers could not load the challenger."""
    keys: dict[str, str] = {}
    unseen: list[dict[str, Any]] = []
    unloaded: dict[int, str] = {}
    failed: set[tuple[str, str]] = set()
    at = [list(scope.event_source.columns).index(name) for name in scope.key]
    tallies = {tried.version: ours, champion.version: theirs}
    for entry in prediction_log.lines_since(project, tried.at):
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
            unseen.append(entry)
        if "seconds" in entry:
            tally.seconds.append(entry["seconds"])
    for entry in unseen:
        if entry["of"] in keys:
            ours.scores[keys[entry["of"]]] = dict(zip(scope.objectives, entry["scores"], strict=False))
    return tuple(unloaded.values())


def _from_rows(
    project: Project, scope: Scope, champion: ReleaseEvent, tried: ReleaseEvent, ours: Tally, theirs: Tally
) -> None:
    """Add the prediction rows that were scored since the step began."""
    every = scope.events_period
    for path in sorted(project.predictions.glob("*.parquet")):
        if period_of(path.stem, every, scope.rhythm.offset).end <= tried.at:
            continue
        rows = read_table(path).filter(pl.col("as_of") >= tried.at)
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
    from homeostat.adapters import evidently

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
    told = bundle.training["objectives"].get(objective)
    return told is not None and told["kind"] != "heuristic"


def _quality(
    project: Project, champion: ReleaseEvent, tried: ReleaseEvent, began: datetime, now: datetime
) -> dict[str, Comparison]:
    """By objective the challenger's loss against the champion's on the matured events of the rollout."""
    scope = working(project).scope
    seen = [f"{SHADOW}{name}" for name in scope.objectives]
    table = outcomes.rows(project, began, now, [*seen, "challenger", "as_of"])
    if table.is_empty():
        return {}
    table = table.filter(pl.col("as_of") >= began)
    found = {}
    for name in scope.objectives:
        other = f"{SHADOW}{name}" if tried.share is None else f"score__{name}"
        if other not in table.columns:
            continue
        by = pl.col("challenger" if tried.share is None else "release") == tried.version
        both = by if tried.share is None else by | (pl.col("release") == champion.version)
        rows = mature(table.filter(both), name, scope, now).drop_nulls([other, f"score__{name}"])
        found[name] = _compared(scope, name, rows, other, tried)
    return found


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
