"""Shell completion of arguments: names of this project, and nothing where there is no project."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from homeostat.core.errors import HomeostatError

if TYPE_CHECKING:
    from homeostat.project.layout import Project

WEIGHTS = "weights"  # likewise: the champion's models with the weights and costs of the scope
CANDIDATE = "candidate"  # in the place of a version: the one that was evaluated last
Completion = Callable[[click.Context, click.Parameter, str], list[str]]


def _names(of: Callable[[Project, click.Context], Iterable[str]]) -> Completion:
    """The names that begin with what was typed."""

    def offered(context: click.Context, _: click.Parameter, typed: str) -> list[str]:
        from homeostat.project.layout import Project

        try:
            names = of(Project.find(Path(context.meta.get("homeostat.folder", "."))), context)
            return [name for name in names if name.startswith(typed)]
        except (HomeostatError, OSError, SyntaxError):
            return []  # the verb itself reports the error

    return offered


@_names
def versions(project: Project, _: click.Context) -> Iterable[str]:
    """Every release, the newest first."""
    from homeostat.adapters.git import read_ledger

    return [release.version for release in reversed(read_ledger(project.home, project.scope.project).releases)]


@_names
def promotable(project: Project, _: click.Context) -> Iterable[str]:
    """The candidate, new weights, and every release, the newest first."""
    from homeostat.adapters.git import read_ledger

    releases = read_ledger(project.home, project.scope.project).releases
    return [CANDIDATE, WEIGHTS, *(release.version for release in reversed(releases))]


@_names
def decisions(project: Project, _: click.Context) -> Iterable[str]:
    """The times of the decisions, the newest first."""
    from homeostat.core.text import typed_time

    folders = (project.decisions, project.rollouts, project.candidates, project.weights, project.learning)
    stamps = {path.stem[:17] for folder in folders for path in folder.glob("*.json")}
    return [typed_time(datetime.fromisoformat(stamp)) for stamp in sorted(stamps, reverse=True)]


@_names
def drifts(project: Project, _: click.Context) -> Iterable[str]:
    """The times of the records of drift, the newest first."""
    from homeostat.core.text import typed_time

    stamps = sorted((path.stem for path in project.drift.glob("*.json")), reverse=True)
    return [typed_time(datetime.fromisoformat(stamp)) for stamp in stamps]


@_names
def incidents(project: Project, _: click.Context) -> Iterable[str]:
    """The numbers of the incidents on record, the newest first."""
    return sorted((path.stem for path in project.incidents.glob("*.json")), reverse=True)


@_names
def approvable(project: Project, context: click.Context) -> Iterable[str]:
    """The open incidents, then the times of the decisions, the newest first."""
    from homeostat.monitoring.alerts import read_incidents

    opened = [str(int(number)) for number, one in read_incidents(project).items() if one.closed is None]
    return [*reversed(opened), *decisions(context, click.Option(["--any"]), "")]


@_names
def flows(project: Project, _: click.Context) -> Iterable[str]:
    """The flows in the table of schedules, as they are written there: importing it would take a second."""
    tree = ast.parse((project.home / "flows" / "schedules.py").read_text())
    rows = (r for node in ast.walk(tree) if isinstance(node, ast.Assign) for r in getattr(node.value, "elts", ()))
    return [r.elts[0].id for r in rows if isinstance(r, ast.Tuple) and r.elts and isinstance(r.elts[0], ast.Name)]


@_names
def sources(project: Project, _: click.Context) -> Iterable[str]:
    """The sources of the scope."""
    return project.scope.sources


@_names
def faults(project: Project, _: click.Context) -> Iterable[str]:
    """The faults that a replay can inject, each to be followed by a time."""
    from homeostat.faults import ALL, KINDS

    return [ALL, *(f"{name}@" for name in KINDS)]


@_names
def quarantined_batches(project: Project, context: click.Context) -> Iterable[str]:
    """The batches of the source before it that were not accepted whole, the newest first."""
    from homeostat.cli.app import working
    from homeostat.decisions.history import not_accepted

    batches = [b for b in not_accepted(working(project)) if b.source == context.params.get("source")]
    return [batch.label for batch in reversed(batches)]
