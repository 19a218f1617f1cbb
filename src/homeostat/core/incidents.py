"""Incidents: one a problem, from its first sign to its end; each alerts once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from homeostat.core.drift import COLUMN_DRIFT
from homeostat.core.findings import Finding

CALM = 2  # looks in a row without the problem that end it, so that one at the limit does not alert every week
EXPLAINING = (COLUMN_DRIFT,)  # kinds that explain a problem and are none


@dataclass(frozen=True)
class Incident:
    """``problem`` is the rule that failed, with its subject; ``closed`` is None while it is open.

    ``looked`` is when it was last calm: the same look twice, after a run was interrupted, counts once.
    """

    problem: str
    opened: datetime
    seen: datetime
    sentence: str
    evidence: str = ""
    calm: int = 0
    closed: datetime | None = None
    looked: datetime | None = None

    def to_dict(self) -> dict[str, Any]:
        times = {"opened": self.opened.isoformat(), "seen": self.seen.isoformat()}
        ends = {"closed": self.closed, "looked": self.looked}
        return asdict(self) | times | {k: time.isoformat() if time else None for k, time in ends.items()}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Incident:
        times = {k: datetime.fromisoformat(raw[k]) for k in ("opened", "seen", "closed", "looked") if raw.get(k)}
        return cls(**{**raw, **times})


@dataclass(frozen=True)
class Changes:
    """What one look changed: ``opened`` is what to alert on; ``open`` is all that is open after it."""

    opened: tuple[Incident, ...]
    closed: tuple[Incident, ...]
    open: tuple[Incident, ...]


def look(open_before: Iterable[Incident], findings: Iterable[Finding], now: datetime) -> Changes:
    """Fold one look's findings into the incidents that are open.

    A failed finding opens its incident or keeps it open, but for one that only explains. Too few to say, or a rule
    that was not looked at, is no news.
    A rule is looked at where a finding of its kind says pass or fail.
    """
    findings = list(findings)
    failed = {f.rule: f for f in findings if f.failed and kind(f.rule) not in EXPLAINING}
    silent = {f.rule for f in findings if f.outcome == "too few to say"}
    kinds = {kind(f.rule) for f in findings if f.outcome != "too few to say"}
    kept, closed = [], []
    for incident in open_before:
        finding = failed.pop(incident.problem, None)
        if finding is not None:
            kept.append(replace(incident, seen=now, sentence=finding.sentence, evidence=finding.evidence, calm=0))
        elif incident.problem in silent or kind(incident.problem) not in kinds or incident.looked == now:
            kept.append(incident)
        elif incident.calm + 1 >= CALM:
            closed.append(replace(incident, calm=incident.calm + 1, looked=now, closed=now))
        else:
            kept.append(replace(incident, calm=incident.calm + 1, looked=now))
    opened = tuple(Incident(f.rule, now, now, f.sentence, f.evidence) for f in failed.values())
    return Changes(opened, tuple(closed), (*kept, *opened))


def kind(rule: str) -> str:
    """The rule without its subject.

    >>> kind("demand: score drift"), kind("drift share")
    ('score drift', 'drift share')
    """
    return rule.rpartition(": ")[2]
