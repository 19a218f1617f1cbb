"""What the service keeps in the project, all of it operational: one line an artefact."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from homeostat.project.layout import Project


def token(project: Project) -> Path:  # one line, readable by its owner alone; made on first start
    return project.state / "token"


def served(project: Project) -> Path:  # <time>-<process>.jsonl, one prediction a line, append-only; each worker its own
    return project.home / "data" / "served"


def contexts(project: Project) -> Path:  # <id>.json and .parquet, the data that predictions of one time were made from
    return served(project) / "contexts"


def labels(project: Project) -> Path:  # one label a line, append-only; all workers
    return project.home / "data" / "labels_received.jsonl"


def metrics(project: Project) -> Path:  # counters that the workers share; removed with the service
    return project.state / "metrics"


def remote(project: Project) -> Path:  # why releases of other hosts do not arrive, while the service runs
    return project.state / "remote.json"
