"""The measure that an incident is about, over time: from the decisions, the records of drift, or the batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from homeostat.core.drift import SCORE
from homeostat.core.evidence_table import UNITS
from homeostat.core.periods import period_of
from homeostat.core.rules import Rule
from homeostat.core.text import change, listed, percent
from homeostat.decisions import history
from homeostat.project.layout import working_tree
from homeostat.project.records import read_body
from homeostat.reports.incident import batch_of, columns

if TYPE_CHECKING:
    from homeostat.project.layout import Project
    from homeostat.reports.incident import Screen

BATCHES = 60  # of a source that are drawn


@dataclass(frozen=True)
class Measure:
    """What an incident is about, over time; values and limits are in ``unit``."""

    name: str
    times: Sequence[datetime]
    values: Sequence[float | None]
    limits: Sequence[float | None]
    unit: str = ""


def measure(project: Project, screen: Screen) -> Measure | None:
    """What the incident is about, over time; None where nothing of it is on record."""
    return _of_batches(project, screen) or _of_drift(project, screen) or _of_decisions(project, screen)


def _of_decisions(project: Project, screen: Screen) -> Measure | None:
    """The values that each decision found for the rule and its subject."""
    finding = screen.incident.finding
    points = [
        (decided.at, f.value, f.limit)
        for decided in history.decisions(project)
        for f in decided.decision.findings
        if f.rule == finding.rule and f.subject == finding.subject and f.value is not None
    ]
    return _points(finding.name, points, finding.rule)


def _of_drift(project: Project, screen: Screen) -> Measure | None:
    """Of a feature that lacks values: how much more of it was missing at each look than in the reference."""
    finding = screen.incident.finding
    if finding.rule not in (Rule.MISSING, Rule.SCORE_DRIFT):
        return None
    name = f"{SCORE}{finding.subject}" if finding.rule == Rule.SCORE_DRIFT else finding.subject
    points = []
    for path in sorted(project.drift.glob("*.json")):
        record = read_body(path)
        column = record["columns"].get(name)
        if column is not None:
            now, before = column["missing"]
            value = column["score"] if finding.rule == Rule.SCORE_DRIFT else now - before
            points.append((datetime.fromisoformat(record["at"]), value, finding.limit))
    return _points(finding.name, points, finding.rule)


def _of_batches(project: Project, screen: Screen) -> Measure | None:
    """Of a source: how much is missing of the columns to blame in its last batches, or else how many rows they have."""
    source, _ = batch_of(screen.incident.finding)
    tree = working_tree(project)
    scope = tree.scope
    if source not in scope.sources or not scope.sources[source].timed:
        return None
    length, offset = scope.sources[source].length, scope.rhythm.offset
    batches = [(period_of(b.label, length, offset).start, b) for b in history.batches(tree) if b.source == source]
    if not batches:
        return None
    until = screen.incident.closed or batches[-1][0]
    near = [(at, b) for at, b in batches if at <= until + 7 * length][-BATCHES:]
    from homeostat.reports.column_pictures import missing_shares

    named = columns(screen.incident.finding)
    shares = missing_shares(tree, source, [b.label for _, b in near], named)
    if any(shares):
        name = f"{source}: values missing of {listed(named, 3)}"
        return _points(name, [(at, share, None) for (at, _), share in zip(near, shares, strict=True)], Rule.MISSING)
    return _points(f"{source}: rows in a batch", [(at, float(b.verdict.rows), None) for at, b in near], None)


def _points(
    name: str, points: Sequence[tuple[datetime, float | None, float | None]], rule: Rule | None
) -> Measure | None:
    if not points:
        return None
    scale, unit = (100.0, "%") if rule is not None and UNITS.get(rule) in (percent, change) else (1.0, "")
    times, values, limits = zip(*points, strict=True)
    scaled = [[None if v is None else v * scale for v in side] for side in (values, limits)]
    return Measure(name, times, scaled[0], scaled[1], unit)
