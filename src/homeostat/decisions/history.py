"""What the loop has written down, read back: decisions, and what became of every batch. Reads JSON, nothing heavy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeostat.core.errors import EnvironmentFault
from homeostat.core.findings import Finding
from homeostat.core.incidents import Incident
from homeostat.core.text import metric_name, metric_value
from homeostat.data.batch import Batch
from homeostat.data.staged_files import StagedFiles
from homeostat.data.verdict_store import VerdictStore

if TYPE_CHECKING:
    from homeostat.project.layout import Project


@dataclass(frozen=True)
class Decided:
    """One decision on record; ``path`` is its file."""

    at: datetime
    action: str
    sentence: str
    findings: tuple[Finding, ...]
    evidence: tuple[str, ...]
    release: str
    path: Path
    quality: dict[str, Any] = field(default_factory=dict)
    candidate: bool = False  # whether a fresh candidate was judged

    @property
    def failing(self) -> list[Finding]:
        return [f for f in self.findings if f.failed]


def incidents(project: Project) -> list[Incident]:
    """The incidents on record, oldest first."""
    return [Incident.from_dict(_read(path)) for path in sorted(project.incidents.glob("*.json"))]


def decisions(project: Project, last: int | None = None) -> list[Decided]:
    """The decisions on record, oldest first; the ``last`` ones only, if it is given."""
    paths = sorted(project.decisions.glob("*.json"))
    return [_decided(path) for path in (paths if last is None else paths[-last:])]


def batches(project: Project, last: int | None = None) -> list[Batch]:
    """What became of every batch, in order of time within each source; the ``last`` of each only, if it is given."""
    verdicts = VerdictStore(StagedFiles(), project.accepted)
    return [
        Batch(name, label, verdict)
        for name in project.scope.sources
        for label, verdict in verdicts.of_source(name, last).items()
    ]


def held_back(project: Project, last: int | None = None) -> list[Batch]:
    """Batches that are missing or held, whole or in part, in order of time."""
    return sorted((b for b in batches(project, last) if b.held), key=lambda b: (b.label, b.source))


def promised(evaluation: Mapping[str, Any]) -> list[str]:
    """What a release promised, a line an objective; ``evaluation`` is its evaluation.json."""
    lines = []
    for name, trial in evaluation["objectives"].items():
        overall, other = trial["candidate"]["overall"], trial["baseline"]["overall"]["metrics"]
        loss = trial["candidate"]["loss"]
        if not overall["metrics"]:
            lines.append(f"{name}: nothing, for no event was held out to judge it by")
            continue
        told = [f"{metric_name(m)} {metric_value(found)}" for m, found in overall["metrics"].items()]
        against = f"the baseline's {metric_name(loss)} {metric_value(other[loss])}; " if loss in other else ""
        lines.append(f"{name}: {', '.join(told)}; {against}{overall['rows']:,} events held out")
    return lines


def _decided(path: Path) -> Decided:
    raw = _read(path)
    try:
        return Decided(
            at=datetime.fromisoformat(raw["at"]), action=raw["action"], sentence=raw["sentence"],
            findings=tuple(Finding(**f) for f in raw.get("findings", ())), evidence=tuple(raw.get("evidence", ())),
            release=raw.get("release") or "", path=path,
            quality=raw.get("quality") or {}, candidate=raw.get("candidate") is not None,
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path, error) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except ValueError as error:
        raise _damaged(path, error) from error
    return found


def _damaged(path: Path, error: Exception) -> EnvironmentFault:
    return EnvironmentFault(f"{path}: damaged ({error}); move it away and run again")
