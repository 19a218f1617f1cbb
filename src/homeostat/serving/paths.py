"""What the service keeps in the project, all of it operational: one line an artefact."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from homeostat.project.layout import Project


def token(project: Project) -> Path:  # one line, for its owner's eyes; made on first start
    return project.state / "token"


def served(project: Project) -> Path:  # <time>-<process>.jsonl, one prediction a line, append-only; each worker its own
    return project.home / "data" / "served"


def contexts(project: Project) -> Path:  # <id>.json and .parquet, what predictions of one time could be made from
    return served(project) / "contexts"


def labels(project: Project) -> Path:  # one label a line, append-only; all workers
    return project.home / "data" / "labels_received.jsonl"


def metrics(project: Project) -> Path:  # counters that the workers share; gone with the service
    return project.state / "metrics"


def remote(project: Project) -> Path:  # why other hosts are not heard from, while the service runs
    return project.state / "remote.json"


def working(project: Project) -> Project:
    """The tree in which the loop keeps its data: the ledger's once there is one."""
    return project.ledger if project.ledger.window_file.is_file() else project
