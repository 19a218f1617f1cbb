"""Whether each feature earned its place when all were last left out in turn, on record until the recipe is another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from homeostat.adapters.parquet import digest
from homeostat.project.whole_files import write_text

if TYPE_CHECKING:
    from homeostat.project.layout import Project


def write_worth(project: Project, verdicts: Mapping[str, str]) -> None:
    """Keep the verdict on each part: a group of features, or a feature of none."""
    body = {"recipe": _recipe(project), "parts": dict(verdicts)}
    write_text(json.dumps(body, indent=1) + "\n", project.worth)


def read_worth(project: Project) -> dict[str, str] | None:
    """The verdict on each part; None where none is on record of the features and models as they are now."""
    try:
        body = json.loads(project.worth.read_text())
        return dict(body["parts"]) if body["recipe"] == _recipe(project) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _recipe(project: Project) -> str:
    """What the verdicts follow from, but for the data."""
    scope = project.scope
    objectives = {name: [one.label, one.where, *one.features] for name, one in scope.objectives.items()}
    groups = {name: group.model_dump(mode="json") for name, group in scope.features.groups.items()}
    sql = project.features_sql.read_text() if project.features_sql.is_file() else ""
    parts = [sql, scope.training.model_dump(mode="json"), objectives, groups]
    return digest(json.dumps(parts, sort_keys=True).encode())[:12]
