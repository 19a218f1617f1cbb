"""Whether features keep off the columns that the scope bars: blank the column, and see what changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import polars as pl

from homeostat.checks.equality import same_bits
from homeostat.core.errors import ScopeError
from homeostat.core.findings import Finding
from homeostat.core.rules import Rule
from homeostat.data.workspace import Workspace
from homeostat.features.build import FeatureTables
from homeostat.features.sql import build

if TYPE_CHECKING:
    from homeostat.project.layout import Project

BATCHES = 30  # that are built again with the column blank, spread over all


def barred_findings(project: Project, labels: Sequence[str], tell: Callable[[str, int, int], None]) -> list[Finding]:
    """One finding for each barred column: which listed features follow from it, its being missing included.

    Raises:
        ScopeError: a name is neither a column of the events nor a feature, or the column is of the key.
    """
    scope = project.scope
    tables = FeatureTables(Workspace(project))
    answered = set(tables.of(labels[0]).columns)
    _known_names(project, answered)
    spread = sorted({labels[i * len(labels) // BATCHES] for i in range(BATCHES)})
    found = []
    for done, name in enumerate(scope.features.barred):
        objective, column = name.split(".", 1)
        features = scope.objectives[objective].features
        if column in scope.event_source.columns:  # else a feature, which the scope keeps off the objective's list
            found.append(_follows(tables, spread, name, column, features))
        tell("barred columns blanked", done + 1, len(scope.features.barred))
    return found


def _known_names(project: Project, answered: set[str]) -> None:
    scope = project.scope
    for place, names in (("barred", scope.features.barred), ("allowed", scope.features.allowed)):
        for name in names:
            column = name.split(".", 1)[1]
            if column not in scope.event_source.columns and column not in answered:
                raise ScopeError(
                    f"params.yaml: features.{place}: {name}: {column} is no column of {scope.events.source} and no "
                    "feature; correct it"
                )
            if place == "barred" and column in scope.key:
                raise ScopeError(
                    f"params.yaml: features.barred: {name}: {column} is of the event's key, which features.sql must "
                    "return; leave it out of the key, or allow it"
                )


def _follows(tables: FeatureTables, labels: Sequence[str], name: str, column: str, features: Sequence[str]) -> Finding:
    changed: Counter[str] = Counter()
    events = 0
    for label in labels:
        built = tables.of(label)
        blank = _built_without(tables, label, column)
        events += built.height
        for feature in features:
            differ = int((~same_bits(built[feature], blank[feature])).sum())
            changed.update({feature: differ} if differ else {})
    if not changed:
        said = f"{name} is barred, and no feature of the objective follows from it ({events:,} events with it blank)"
        return Finding(Rule.BARRED, name, "pass", 0.0, 0.0, text=said)
    listed = ", ".join(f"{feature} ({n:,} of {events:,} events)" for feature, n in changed.most_common())
    said = (
        f"{name} is barred, yet features of the objective change when it is blank: {listed}; take them off the "
        "objective's list, or make them without it"
    )
    return Finding(Rule.BARRED, name, "fail", float(max(changed.values())), 0.0, text=said)


def _built_without(features: FeatureTables, label: str, column: str) -> pl.DataFrame:
    """The features of a batch, made with a column of the event source blank everywhere."""
    point, scope = features.point, features.workspace.scope
    sql = features.workspace.project.features_text
    look = point.look_back(label)
    parts = []
    for events, tables in point.views(look, point.events(look)):
        blank = pl.lit(None, dtype=events.schema[column]).alias(column)
        tables[scope.events.source] = tables[scope.events.source].with_columns(blank)
        parts.append(build(sql, scope, tables, events.with_columns(blank), scope.threads))
    return pl.concat(parts).sort(scope.key, nulls_last=True)
