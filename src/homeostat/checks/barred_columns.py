"""Whether features depend on a column that the scope bars: null the column, rebuild, and compare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import polars as pl

from homeostat.checks.equality import same_bits
from homeostat.core.errors import ScopeError
from homeostat.core.findings import Finding
from homeostat.core.rules import Rule
from homeostat.core.text import count
from homeostat.data.workspace import Workspace
from homeostat.features.build import FeatureTables
from homeostat.features.sql import build, read_features_sql

if TYPE_CHECKING:
    from homeostat.project.layout import Project

BATCHES = 30  # that are rebuilt with the column null, spread over all


def barred_findings(project: Project, labels: Sequence[str], report: Callable[[str, int, int], None]) -> list[Finding]:
    """A finding for each barred column: which listed features depend on it, on its being missing too.

    Raises:
        ScopeError: a name is neither a column of the events nor a feature, or the column is part of the key.
    """
    scope = project.scope
    tables = FeatureTables(Workspace(project))
    _check_names(project, set(tables.of(labels[0]).columns))
    spread = sorted({labels[i * len(labels) // BATCHES] for i in range(BATCHES)})
    findings = []
    for done, name in enumerate(scope.features.barred):
        objective, column = name.split(".", 1)
        features = scope.features_of(objective)
        if column in scope.event_source.columns:  # else a feature, which the scope keeps off the objective's list
            findings.append(_depends(tables, spread, name, column, features))
        report("barred columns checked", done + 1, len(scope.features.barred))
    return findings


def _check_names(project: Project, features: set[str]) -> None:
    scope = project.scope
    for place, names in (("barred", scope.features.barred), ("allowed", scope.features.allowed)):
        for name in names:
            column = name.split(".", 1)[1]
            if column not in scope.event_source.columns and column not in features:
                raise ScopeError(
                    f"params.yaml: features.{place}: {name}: {column} is no column of {scope.events.source} and no "
                    "feature; correct it"
                )
            if place == "barred" and column in scope.key:
                raise ScopeError(
                    f"params.yaml: features.barred: {name}: {column} is part of the event's key, which features.sql "
                    "must return; leave it out of the key, or allow it"
                )


def _depends(tables: FeatureTables, labels: Sequence[str], name: str, column: str, features: Sequence[str]) -> Finding:
    changed: Counter[str] = Counter()
    events = 0
    for label in labels:
        built = tables.of(label)
        blank = _built_without(tables, label, column)
        events += built.height
        for feature in features:
            differ = int((~same_bits(built[feature], blank[feature])).sum())
            changed.update({feature: differ} if differ else {})
    rebuilt = count(events, "event")
    if not changed:
        text = f"{name} is barred, and no feature of the objective depends on it ({rebuilt} with it null)"
        return Finding(Rule.BARRED, name, "pass", 0.0, 0.0, text=text)
    listed = ", ".join(f"{feature} ({n:,} of {rebuilt})" for feature, n in changed.most_common())
    text = (
        f"{name} is barred, yet features of the objective change when it is null: {listed}; take them off the "
        "objective's list, or build them without it"
    )
    return Finding(Rule.BARRED, name, "fail", float(max(changed.values())), 0.0, text=text)


def _built_without(features: FeatureTables, label: str, column: str) -> pl.DataFrame:
    """The features of a batch, built with a column of the event source null everywhere."""
    point, scope = features.point, features.workspace.scope
    sql = read_features_sql(features.workspace.project)
    look = point.look_back(label)
    parts = []
    for events, tables in point.views(look, point.events(look)):
        null = pl.lit(None, dtype=events.schema[column]).alias(column)
        tables[scope.events.source] = tables[scope.events.source].with_columns(null)
        parts.append(build(sql, scope, tables, events.with_columns(null), scope.threads))
    return pl.concat(parts).sort(scope.key, nulls_last=True)
