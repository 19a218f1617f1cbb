"""The records of the loop, read back: decisions, incidents, the verdict on every batch. Reads JSON, nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from homeostat.core.errors import UsageError
from homeostat.core.findings import Decision
from homeostat.core.headlines import headline
from homeostat.core.incidents import Incident
from homeostat.core.rules import Reason, Rule
from homeostat.core.text import count, metric_name, metric_value, typed_time
from homeostat.data.batch import Batch
from homeostat.data.staged_files import StagedFiles
from homeostat.data.verdict_store import VerdictStore
from homeostat.project.records import read_record

if TYPE_CHECKING:
    from homeostat.core.ledger import Register
    from homeostat.project.layout import Project

CARRIED = "carried"  # of a decision's facts: by objective that its candidate did not fit afresh, whose models it has


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

    @property
    def command(self) -> str:
        """What prints it whole."""
        return f"homeostat releases decision {typed_time(self.at)}"

    @property
    def drift_command(self) -> str:
        """What draws the drift that it rests on; empty where it cites no record of drift."""
        drift = any(PurePath(path).parent.name == "drift" for path in self.decision.evidence)
        return f"homeostat status --drift {typed_time(self.at)}" if drift else ""


def incidents(project: Project) -> list[Incident]:
    """The incidents on record, oldest first."""
    return [read_record(path, Incident.from_dict) for path in sorted(project.incidents.glob("*.json"))]


def decisions(project: Project, last: int | None = None) -> list[Decided]:
    """The decisions on record, oldest first; the ``last`` ones only, if it is given."""
    paths = sorted(project.decisions.glob("*.json"))
    return [read_decision(path) for path in (paths if last is None else paths[-last:])]


def last_fit(decided: Sequence[Decided], objective: str) -> datetime | None:
    """When a candidate with fresh models of the objective was last judged, by decisions in order of time."""
    judged = (one for one in reversed(decided) if one.candidate)
    return next((one.at for one in judged if objective not in one.decision.facts.get(CARRIED, {})), None)


def with_outcomes(project: Project, decided: Iterable[Decided]) -> list[Decided]:
    """Those decisions with what became of each that waited for approval, oldest first."""
    decided = list(decided)
    outcomes = (project.approvals / one.path.name for one in decided if one.decision.reason == Reason.WAITS)
    return sorted([*decided, *(read_decision(path) for path in outcomes if path.is_file())], key=lambda one: one.at)


def read_decision(path: Path) -> Decided:
    """The decision on record in that file.

    Raises:
        EnvironmentFault: the file is damaged.
    """
    return read_record(path, partial(_decided, path))


def decided_at(project: Project, when: datetime, whole_day: bool) -> list[Decided]:
    """The decisions of a time, or of its whole day, oldest first; steps of rollouts and evaluations among them.

    Raises:
        UsageError: there is none; the line names the nearest.
        EnvironmentFault: a record is damaged.
    """
    folders = (project.rollouts, *_makers(project))
    every = sorted((read_decision(p) for f in folders for p in f.glob("*.json")), key=lambda one: one.at)
    chosen = [one for one in every if (one.at.date() == when.date() if whole_day else one.at == when)]
    if not chosen:
        nearest = min(every, key=lambda one: abs(one.at - when), default=None)
        hint = f"the nearest is of {typed_time(nearest.at)}" if nearest else "none has been taken yet"
        raise UsageError(f"{when:%Y-%m-%d %H:%M}: no decision is on record for this time; {hint}")
    return chosen


def decision_of(project: Project, release: Register) -> Decided | None:
    """The decision that made a release, or the evaluation of it, where its record is here: the last that it cites."""
    cited = [project.home / path for path in reversed(release.evidence)]
    path = next((p for p in cited if p.parent in _makers(project) and p.is_file()), None)
    return read_decision(path) if path else None


def _makers(project: Project) -> tuple[Path, ...]:
    """Where the decisions are that make releases."""
    return project.decisions, project.approvals, project.candidates, project.weights, project.learning


def margins(project: Project) -> dict[str, float]:
    """The margin of each objective, a share, that the last candidate beside the champion was judged by; none before."""
    for made in reversed(decisions(project)):
        limits = {f.subject: f.limit for f in made.decision.gate if f.rule == Rule.NOT_WORSE and f.limit is not None}
        if limits:
            return limits
    return {}


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
        lines.append(f"{name}: {', '.join(metrics)}; {against}{count(overall['rows'], 'held-out event')}")
    return lines


def _decided(path: Path, raw: Mapping[str, Any]) -> Decided:
    return Decided(
        at=datetime.fromisoformat(raw["at"]), decision=Decision.from_dict(raw), release=raw.get("release") or "",
        path=path, quality=raw.get("quality") or {}, candidate=raw.get("candidate") is not None,
        started=raw.get("started") or "",
    )  # fmt: skip
