"""The records of the loop, read back: decisions, incidents, the verdict on every batch. Reads JSON, nothing heavy."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from homeostat.core.errors import EnvironmentFault
from homeostat.core.findings import Decision
from homeostat.core.headlines import headline
from homeostat.core.incidents import Incident
from homeostat.core.text import metric_name, metric_value
from homeostat.data.batch import Batch
from homeostat.data.staged_files import StagedFiles
from homeostat.data.verdict_store import VerdictStore

if TYPE_CHECKING:
    from homeostat.core.ledger import Register
    from homeostat.project.layout import Project

Record = TypeVar("Record")


@dataclass(frozen=True)
class Decided:
    """One decision on record; ``path`` is its file."""

    at: datetime
    decision: Decision
    release: str
    path: Path
    quality: dict[str, Any] = field(default_factory=dict)
    candidate: bool = False  # whether a fresh candidate was judged
    started: str = ""  # the kind of findings that started it: drift, quality, or none

    @property
    def headline(self) -> str:
        return headline(self.decision)


def incidents(project: Project) -> list[Incident]:
    """The incidents on record, oldest first."""
    return [_read(path, Incident.from_dict) for path in sorted(project.incidents.glob("*.json"))]


def decisions(project: Project, last: int | None = None) -> list[Decided]:
    """The decisions on record, oldest first; the ``last`` ones only, if it is given."""
    paths = sorted(project.decisions.glob("*.json"))
    return [read_decision(path) for path in (paths if last is None else paths[-last:])]


def read_decision(path: Path) -> Decided:
    """The decision on record in that file.

    Raises:
        EnvironmentFault: the file is damaged.
    """
    return _read(path, partial(_decided, path))


def decision_of(project: Project, release: Register) -> Decided | None:
    """The decision that made a release, where its record is here: the last one that the release cites."""
    cited = [project.home / path for path in reversed(release.evidence)]
    path = next((p for p in cited if p.parent == project.decisions and p.is_file()), None)
    return read_decision(path) if path else None


def batches(project: Project, last: int | None = None) -> list[Batch]:
    """The verdict on every batch, in order of time within each source; the ``last`` of each only, if it is given."""
    verdicts = VerdictStore(StagedFiles(), project.accepted)
    return [
        Batch(name, label, verdict)
        for name in project.scope.sources
        for label, verdict in verdicts.of_source(name, last).items()
    ]


def not_accepted(project: Project, last: int | None = None) -> list[Batch]:
    """Batches that are missing or quarantined, whole or in part, in order of time."""
    return sorted((b for b in batches(project, last) if not b.accepted_whole), key=lambda b: (b.label, b.source))


def promised(evaluation: Mapping[str, Any]) -> list[str]:
    """What a release promised, a line an objective; ``evaluation`` is its evaluation.json."""
    lines = []
    for name, trial in evaluation["objectives"].items():
        overall, other = trial["candidate"]["overall"], trial["baseline"]["overall"]["metrics"]
        loss = trial["candidate"]["loss"]
        if not overall["metrics"]:
            lines.append(f"{name}: nothing, since no event was held out to judge it by")
            continue
        metrics = [f"{metric_name(m)} {metric_value(measure)}" for m, measure in overall["metrics"].items()]
        against = f"the baseline's {metric_name(loss)} {metric_value(other[loss])}; " if loss in other else ""
        lines.append(f"{name}: {', '.join(metrics)}; {against}{overall['rows']:,} held-out events")
    return lines


def _decided(path: Path, raw: Mapping[str, Any]) -> Decided:
    return Decided(
        at=datetime.fromisoformat(raw["at"]), decision=Decision.from_dict(raw), release=raw.get("release") or "",
        path=path, quality=raw.get("quality") or {}, candidate=raw.get("candidate") is not None,
        started=raw.get("started") or "",
    )  # fmt: skip


def _read(path: Path, record: Callable[[Mapping[str, Any]], Record]) -> Record:
    try:
        return record(json.loads(path.read_text()))
    except (KeyError, TypeError, ValueError) as error:
        raise EnvironmentFault(f"{path}: damaged ({error!r}); move it away and run again") from error
