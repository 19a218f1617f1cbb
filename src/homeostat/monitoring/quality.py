"""The quality of what was served, window by window, and estimates of it before labels are in; both on record.

One file a decision, append-only: the figures of the champion's last window, estimates for the events since the decision
before, and the grades of earlier estimates whose events have matured by now.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from homeostat.core import metrics
from homeostat.core.estimates import Past, Trust, estimate, half_band, trust
from homeostat.core.ledger import release_line
from homeostat.core.periods import floor
from homeostat.core.promises import CALIBRATION, Held, WindowFigures, hold
from homeostat.core.ranges import FEWEST_WINDOWS
from homeostat.data.contamination import left_out
from homeostat.features.tables import not_left_out, read_features
from homeostat.monitoring import outcomes
from homeostat.monitoring.outcomes import Observed, window_length
from homeostat.project.layout import Project, stamp
from homeostat.project.records import read_body
from homeostat.project.scope import Scope
from homeostat.project.whole_files import write_text
from homeostat.releases.registry import Serving
from homeostat.training import evaluate
from homeostat.training.past_holdouts import past_holdouts

RECORDS = 150  # of the last decisions, that count
PATIENCE = 4  # rounds of decisions that an estimate waits for labels enough to grade it
MONEY = "money"  # stands for an objective: the cost of the alerts, to that of the baseline's
COST = "cost"


@dataclass(frozen=True)
class QualityRecords:
    """What is on record, oldest first."""

    records: tuple[Mapping[str, Any], ...]

    @classmethod
    def read(cls, tree: Project, until: datetime) -> QualityRecords:
        """The records of ``until`` and before."""
        paths = [path for path in sorted(tree.quality.glob("*.json")) if path.stem <= stamp(until)]
        return cls(tuple(read_body(path) for path in paths[-RECORDS:]))

    @cached_property
    def windows(self) -> list[WindowFigures]:
        return [WindowFigures.from_dict(w) for record in self.records for w in record["windows"]]

    @cached_property
    def grades(self) -> dict[tuple[str, str, str], float]:
        """What was observed, by objective, metric and end of the window that was estimated."""
        every = (grade for record in self.records for grade in record["grades"])
        return {(g["objective"], g["metric"], g["until"]): g["value"] for g in every}

    def graded(self, objective: str, metric: str) -> list[tuple[Mapping[str, Any], float]]:
        """Estimates of one metric with what was observed, oldest first."""
        estimates = (e for record in self.records for e in record["estimates"])
        mine = [e for e in estimates if (e["objective"], e["metric"]) == (objective, metric)]
        return [(e, value) for e in mine if (value := self.grades.get((objective, metric, e["until"]))) is not None]

    def ungraded(self, by: datetime) -> list[Mapping[str, Any]]:
        """Estimates of events that have all matured if what is over by ``by`` has, and have no grade yet."""
        estimates = (e for record in self.records for e in record["estimates"])
        return [
            e for e in estimates
            if (e["objective"], e["metric"], e["until"]) not in self.grades and datetime.fromisoformat(e["until"]) <= by
        ]  # fmt: skip

    def trust(self, objective: str, metric: str) -> Trust | None:
        """How estimates of one metric did, where there was a graded window to repeat instead."""
        pairs = [(e["value"], e["last"], value) for e, value in self.graded(objective, metric) if e["last"] is not None]
        return trust([p[2] for p in pairs], [p[0] for p in pairs], [p[1] for p in pairs])


def reading_since(scope: Scope, records: QualityRecords, now: datetime) -> datetime:
    """From when on events have to be read to measure, estimate and grade at ``now``."""
    first = now - max(scope.monitoring.window, scope.events.label_horizon + 2 * window_length(scope))
    return min([first, *(datetime.fromisoformat(e["since"]) for e in _due(scope, records, now))])


def record_quality(
    tree: Project, serving: Serving, records: QualityRecords, table: pl.DataFrame, now: datetime,
    doubted: Collection[str] = (),
) -> QualityRecords:  # fmt: skip
    """Measure the champion's last window, estimate, and grade; write it down, once. The records with the new one.

    ``table``: the rows of ``outcomes.rows`` since ``reading_since``. Objectives that are ``doubted``, for their labels
    cannot be trusted, have no figures and no grades, and where there is one nor has the money.
    """
    scope = tree.scope
    end = floor(now, scope.rhythm.decide, scope.rhythm.offset)  # of the round: windows must not overlap
    if records.records and datetime.fromisoformat(records.records[-1]["until"]) >= end:
        return records
    body = {
        "at": now.isoformat(),
        "until": end.isoformat(),
        "release": serving.event.version,
        "windows": [
            w.to_dict()
            for w in _last_window(scope, serving, table, end, now)
            if w.objective not in doubted and not (doubted and w.objective == MONEY)
        ],
        "grades": [g for g in _grades(scope, table, _due(scope, records, now), now) if g["objective"] not in doubted],
    }
    graded = QualityRecords((*records.records, body | {"estimates": []}))
    body["estimates"] = list(_estimates(scope, table, graded, end))
    write_text(json.dumps(body, indent=1) + "\n", tree.quality / f"{stamp(now)}.json")
    return QualityRecords((*records.records, body))


def _due(scope: Scope, records: QualityRecords, now: datetime) -> list[Mapping[str, Any]]:
    """Estimates to be graded; after some rounds without enough labels they never are."""
    by = now - scope.events.label_horizon
    oldest = by - PATIENCE * window_length(scope)
    return [e for e in records.ungraded(by) if datetime.fromisoformat(e["until"]) > oldest]


def estimated(records: QualityRecords) -> dict[str, dict[str, dict[str, Any]]]:
    """By objective and metric, the last estimate: value, low, high, and whether it has earned trust.

    ``low`` and ``high`` are None, and ``trusted`` too, where too few estimates were graded to say.
    """
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for record in records.records[-1:]:
        for one in record["estimates"]:
            half, value, earned = one["half"], one["value"], records.trust(one["objective"], one["metric"])
            found.setdefault(one["objective"], {})[one["metric"]] = {
                "value": value, "rows": one["rows"], "since": one["since"],
                "low": None if half is None else metrics.inside(one["metric"], value - half),
                "high": None if half is None else metrics.inside(one["metric"], value + half),
                "trusted": earned.earned if earned else None,
                "grades": len(records.graded(one["objective"], one["metric"])),
            }  # fmt: skip
    return found


def held_figures(
    tree: Project, serving: Serving, records: QualityRecords, barred: Collection[str], now: datetime
) -> dict[str, dict[str, Held]]:
    """By objective, and ``MONEY``, the champion's figures against the range of good windows, by metric.

    ``barred``: releases whose windows were no good ones.
    """
    scope, line = tree.scope, release_line(serving.event.version)
    recent = now - scope.monitoring.window
    current = [w for w in records.windows if release_line(w.release) == line and w.until > recent]
    past = [w for w in records.windows if release_line(w.release) != line and w.release not in barred]
    held = {}
    for name in dict.fromkeys(w.objective for w in current):
        mine, kind = [w for w in current if w.objective == name], _kind(serving, name)
        good = [w for w in (*past, *_past_windows(tree)) if w.objective == name and w.kind == kind]
        if len(good) < FEWEST_WINDOWS and name != MONEY and not _holdouts(tree, serving).is_file():
            _measure_holdouts(tree, serving)
            good += [w for w in _past_windows(tree, serving) if w.objective == name]
        held[name] = hold(mine, good, scope.evaluation.confidence)
    return held


def windows_on_record(tree: Project, until: datetime, barred: Collection[str]) -> list[WindowFigures]:
    """The windows of releases, but of those that were no good ones, and of past holdouts."""
    served = [w for w in QualityRecords.read(tree, until).windows if w.release not in barred]
    return [*served, *_past_windows(tree)]


def _kind(serving: Serving, objective: str) -> str:
    trained = serving.bundle.training["objectives"]
    return str(trained[objective]["kind"] if objective in trained else "+".join(o["kind"] for o in trained.values()))


def _last_window(
    scope: Scope, serving: Serving, table: pl.DataFrame, end: datetime, now: datetime
) -> Iterator[WindowFigures]:
    """The figures of the champion's last events that were mature by ``end``, where they are enough to judge."""
    version, until = serving.event.version, end - scope.events.label_horizon
    since = until - window_length(scope)
    part = _between(table, since, until)
    for name, rows in outcomes.observed(scope, part, now, version).items():
        if len(rows.y) >= scope.evaluation.min_slice:
            figures = _figures(scope, name, rows.y, (rows.score, rows.baseline), rows.group)
            yield WindowFigures(name, _kind(serving, name), version, since, until, len(rows.y), figures)
    served = part.filter(outcomes.of_line(version)) if len(part) else part
    if len(served) >= scope.evaluation.min_slice:
        figures = _costs(scope, served, now)
        yield WindowFigures(MONEY, _kind(serving, MONEY), version, since, until, len(served), figures)


def _costs(scope: Scope, served: pl.DataFrame, now: datetime) -> dict[str, tuple[float, float]]:
    """What the alerts came to, and what those of the baseline would have."""
    theirs = {name: served[f"baseline__{name}"].fill_null(0.0).to_numpy() for name in scope.objectives}
    alerts = (served["alert"].fill_null(False).to_numpy(), evaluate.alerts_of(scope, served, theirs))
    cost, other = (evaluate.realised(scope, served, alert, now).cost.value for alert in alerts)
    return {} if cost is None or other is None else {COST: (cost, other)}


def _figures(
    scope: Scope, objective: str, y: np.ndarray, scores: tuple[np.ndarray, np.ndarray], group: np.ndarray | None
) -> dict[str, tuple[float, float]]:
    """Each metric of the scope, and calibration, of the model and of the baseline; without those that are undefined."""
    task = scope.objectives[objective].task
    names = dict.fromkeys([*evaluate.metrics_of(scope, objective), CALIBRATION])
    pairs = {m: tuple(metrics.value(task, m, y, s, group) for s in scores) for m in names if m in metrics.METRICS[task]}
    return {m: (pair[0], pair[1]) for m, pair in pairs.items() if np.isfinite(pair).all()}


def _holdouts(tree: Project, serving: Serving) -> Path:
    return tree.quality / "holdouts" / f"{serving.bundle.hash[:12]}.json"


def _past_windows(tree: Project, serving: Serving | None = None) -> list[WindowFigures]:
    """The windows of past holdouts that are on record, of all releases or of one."""
    paths = [_holdouts(tree, serving)] if serving else sorted((tree.quality / "holdouts").glob("*.json"))
    return [WindowFigures.from_dict(w) for path in paths for w in read_body(path)]


def _measure_holdouts(tree: Project, serving: Serving) -> None:
    """Fit as of earlier cut-offs, for a kind of model that too few windows are of, and write their holdouts down."""
    names = list(tree.scope.objectives)
    table = read_features(tree, where=not_left_out(left_out(tree)))
    with ThreadPoolExecutor(min(len(names), os.cpu_count() or 1)) as pool:  # LightGBM leaves Python's lock alone
        windows = pool.map(lambda name: list(_of_holdouts(tree.scope, serving, table, name)), names)
    made = [window.to_dict() for of_objective in windows for window in of_objective]
    write_text(json.dumps(made, indent=1) + "\n", _holdouts(tree, serving))


def _of_holdouts(
    scope: Scope, serving: Serving, table: pl.DataFrame, objective: str
) -> Iterator[WindowFigures]:
    kind = _kind(serving, objective)
    as_of = datetime.fromisoformat(serving.bundle.training["as_of"])
    for held_out in past_holdouts(scope, table, objective, kind, as_of):
        until = held_out.end
        while until > held_out.start:
            since = max(until - window_length(scope), held_out.start)
            inside = held_out.rows["event_time"].is_between(since, until, closed="left").to_numpy()
            rows = held_out.rows.filter(inside)
            if len(rows) >= scope.evaluation.min_slice:
                scored = evaluate.scored(scope, objective, rows, held_out.score[inside])
                scores = (scored.score, held_out.baseline[inside])
                figures = _figures(scope, objective, scored.y, scores, scored.group)
                yield WindowFigures(objective, kind, "", since, until, len(rows), figures)
            until = since


def _estimates(scope: Scope, table: pl.DataFrame, records: QualityRecords, now: datetime) -> Iterator[dict[str, Any]]:
    """Of every metric that has a method, for all events since the decision before that have a score."""
    since = now - window_length(scope)
    part = _between(table, since, now)
    for name, objective in scope.objectives.items():
        score = part[f"score__{name}"].drop_nulls().to_numpy() if len(part) else np.array([])
        past = _past(scope, table, name, now) if objective.task == "regression" else None
        for metric in evaluate.metrics_of(scope, name) if len(score) >= scope.evaluation.min_slice else ():
            value = estimate(objective.task, metric, score, past)
            if value is not None:
                graded = records.graded(name, metric)
                half = half_band([abs(e["value"] - seen) for e, seen in graded], scope.evaluation.confidence)
                yield {
                    "objective": name, "metric": metric, "since": since.isoformat(), "until": now.isoformat(),
                    "rows": len(score), "value": value, "half": half, "last": graded[-1][1] if graded else None,
                }  # fmt: skip


def _past(scope: Scope, table: pl.DataFrame, objective: str, now: datetime) -> Past:
    rows = outcomes.observed(scope, table, now).get(objective)
    return Past(np.array([]), np.array([])) if rows is None else Past(rows.y, rows.score)


def _grades(scope: Scope, table: pl.DataFrame, due: list[Mapping[str, Any]], now: datetime) -> Iterator[dict[str, Any]]:
    windows: dict[tuple[str, str], Mapping[str, Observed]] = {}
    for one in due:
        span = (one["since"], one["until"])
        if span not in windows:
            windows[span] = outcomes.observed(scope, _between(table, *map(datetime.fromisoformat, span)), now)
        rows, metric = windows[span].get(one["objective"]), one["metric"]
        if rows is not None and len(rows.y) >= scope.evaluation.min_slice:
            value = metrics.value(scope.objectives[one["objective"]].task, metric, rows.y, rows.score, rows.group)
            if np.isfinite(value):
                yield {"objective": one["objective"], "metric": metric, "until": one["until"], "value": value}


def _between(table: pl.DataFrame, since: datetime, until: datetime) -> pl.DataFrame:
    if table.is_empty():
        return table
    return table.filter(pl.col("event_time") >= since, pl.col("event_time") < until)
