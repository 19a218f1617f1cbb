"""What people answer an alert: a time until which it may rest, an owner, an approval; and what that means for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from homeostat.core.findings import Finding
from homeostat.core.incidents import ANSWERED, Incident

Kind = Literal["snooze", "owner", "approve", "decline"]
WORSE = 1.25  # times as far beyond its limit: a snoozed incident needs a person again


@dataclass(frozen=True)
class Answer:
    """What a person answered; ``about`` is the record of an incident or a decision, a path from the project's folder.

    ``until`` is the end of a snooze, ``owner`` the new owner. ``excess`` and ``columns`` say how bad it was then.
    """

    about: str
    kind: Kind
    who: str
    why: str
    at: datetime
    until: datetime | None = None
    owner: str = ""
    excess: float | None = None
    columns: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """Who did what, and why.

        >>> Answer("", "snooze", "ann", "known", datetime(2024, 1, 1), datetime(2024, 1, 3)).sentence
        'ann snoozed it until 2024-01-03 00:00: known'
        """
        did = {
            "snooze": f"snoozed it until {self.until:%Y-%m-%d %H:%M}" if self.until else "snoozed it",
            "owner": f"gave it to {self.owner}",
            "approve": "approved it",
            "decline": "declined it",
        }[self.kind]
        return f"{self.who} {did}: {self.why}" if self.why else f"{self.who} {did}"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON; what is empty is left out."""
        times = {"at": self.at.isoformat(), "until": self.until.isoformat() if self.until else None}
        return {k: v for k, v in {**asdict(self), **times}.items() if v not in (None, "", ())}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Answer:
        until = datetime.fromisoformat(raw["until"]) if raw.get("until") else None
        times = {"at": datetime.fromisoformat(raw["at"]), "until": until, "columns": tuple(raw.get("columns", ()))}
        return cls(**{"why": "", **raw, **times})


def excess(finding: Finding) -> float | None:
    """How far beyond its limit a finding is, in its own unit; None where it has none.

    >>> from homeostat.core.rules import Rule
    >>> excess(Finding(Rule.CALIBRATION, "demand", "fail", 0.5, 0.25))
    0.25
    """
    return None if finding.value is None or finding.limit is None else abs(finding.value - finding.limit)


def named_columns(finding: Finding) -> tuple[str, ...]:
    """The columns that a finding on a batch names."""
    columns = finding.facts.get("columns")
    return tuple(columns) if isinstance(columns, list) else ()


def got_worse(snooze: Answer, finding: Finding) -> bool:
    """Whether an incident is worse than when it was snoozed: further off by a quarter, or in more columns.

    >>> from homeostat.core.rules import Rule
    >>> snooze = Answer("", "snooze", "ann", "", datetime(2024, 1, 1), excess=0.2)
    >>> [got_worse(snooze, Finding(Rule.CALIBRATION, "demand", "fail", 0.25 + off, 0.25)) for off in (0.2, 0.3)]
    [False, True]
    """
    now = excess(finding)
    further = now is not None and snooze.excess is not None and now > WORSE * snooze.excess
    return further or not set(named_columns(finding)) <= set(snooze.columns)


@dataclass(frozen=True)
class Answered:
    """An incident by the number of its file, with what people answered it, in order."""

    number: str
    incident: Incident
    answers: tuple[Answer, ...] = ()

    @property
    def owner(self) -> str:
        """The last owner that it was given; empty for none."""
        return next((a.owner for a in reversed(self.answers) if a.kind == "owner"), "")

    @property
    def settled(self) -> Answer | None:
        """The answer that an open question has, which the next tick acts on; None where it needs one."""
        asked = self.incident.finding.rule in ANSWERED and self.incident.closed is None
        return next((a for a in reversed(self.answers) if asked and a.kind in ("approve", "decline")), None)

    def snooze(self, now: datetime) -> Answer | None:
        """The snooze that it rests on at ``now``; None where it needs a person, or is over."""
        last = self._last_snooze
        if last is None or self.incident.closed is not None or last.until is None or now >= last.until:
            return None
        return None if got_worse(last, self.incident.finding) else last

    def is_escalated(self, now: datetime, after: timedelta) -> bool:
        """Whether it is to be escalated now: it fails, and nobody has answered in time or it outgrew its snooze.

        It is escalated once in its life, and never where it pages nobody.
        """
        incident = self.incident
        if incident.noted or incident.closed is not None or incident.escalated is not None or incident.passes:
            return False
        outgrown = self._last_snooze is not None and got_worse(self._last_snooze, incident.finding)
        return outgrown or (not self.answers and now >= incident.opened + after)

    @property
    def _last_snooze(self) -> Answer | None:
        return next((a for a in reversed(self.answers) if a.kind == "snooze"), None)
