"""The records of what was measured and decided: fields, from which ``sentences`` and ``headlines`` make the words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from homeostat.core import old_records
from homeostat.core.rules import Reason, Rule

if TYPE_CHECKING:
    from homeostat.core.intervals import Measure
    from homeostat.core.paired_losses import Paired

Outcome = Literal["pass", "fail", "explains", "too few to say", "cannot judge"]
Action = Literal[
    "nothing", "keep", "release", "retrain", "recalibrate", "roll back", "fall back", "advance", "hold"
]
QUIET: tuple[Action, ...] = ("nothing", "hold")  # they change nothing, and are no event
TOO_FEW: Outcome = "too few to say"
CANNOT_JUDGE: Outcome = "cannot judge"  # a proof that is lacking: what needs it is not done
EXPLAINS: Outcome = "explains"  # over its limit, which starts nothing and may explain what fails


class Interval(NamedTuple):
    """A confidence interval; ``confidence`` is a share."""

    low: float
    high: float
    confidence: float

    @classmethod
    def of(cls, measure: Measure, confidence: float) -> Interval | None:
        """That of a measure, if it has one."""
        if measure.low is None or measure.high is None:
            return None
        return cls(measure.low, measure.high, confidence)

    @classmethod
    def one_sided(cls, paired: Paired, confidence: float) -> Interval | None:
        """That of two ends of ``confidence`` each, so that less lies between them; None where one is missing."""
        if paired.low is None or paired.high is None:
            return None
        return cls(paired.low, paired.high, round(2 * confidence - 1, 6))


@dataclass(frozen=True)
class Finding:
    """One measured rule.

    ``subject`` is the objective, column or source that it is about, or empty; ``since`` names the batch from which on
    it fails; ``rows`` are those it was measured on; ``evidence`` the records that it rests on, as paths from the
    project's folder. ``facts`` holds what else its sentence needs, by name. ``text`` is a sentence that came with the
    finding and is shown as it stands: of a record from before findings had fields, or of a check. ``usual``: good
    windows were as far off, so what fails may start a decision, and alerts nobody.
    """

    rule: Rule
    subject: str
    outcome: Outcome
    value: float | None = None
    limit: float | None = None
    interval: Interval | None = None
    since: str = ""
    rows: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    evidence: tuple[str, ...] = ()
    text: str = ""
    usual: bool = False

    @property
    def failed(self) -> bool:
        return self.outcome == "fail"

    @property
    def name(self) -> str:
        """The rule with its subject, which names an incident.

        >>> Finding(Rule.CALIBRATION, "demand", "fail").name, Finding(Rule.DRIFT_SHARE, "", "pass").name
        ('demand: calibration', 'drift share')
        """
        return f"{self.subject}: {self.rule}" if self.subject else str(self.rule)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON; what is empty is left out, but for value and limit."""
        body = asdict(self) | {"rule": str(self.rule)}
        always = ("rule", "subject", "outcome", "value", "limit")
        return {k: v for k, v in body.items() if k in always or not (v is False or v in (None, "", (), {}))}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Finding:
        """What ``to_dict`` wrote, or a version from before findings had fields."""
        body = dict(old_records.finding(raw))
        interval = Interval(*body["interval"]) if body.get("interval") else None
        read = {"rule": Rule(body["rule"]), "interval": interval, "evidence": tuple(body.get("evidence", ()))}
        return cls(**body | read)


def objections(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings for which a candidate is not released.

    >>> unsure = [Finding(Rule.BEATS_BASELINE, "demand", "cannot judge"), Finding(Rule.SLICES, "", "too few to say")]
    >>> [f.name for f in objections(unsure)]
    ['demand: beats baseline']
    """
    return tuple(f for f in findings if f.outcome in ("fail", CANNOT_JUDGE))


@dataclass(frozen=True)
class Versions:
    """The versions that a decision is about; empty where there is none.

    A candidate has a version once it is released, or where an earlier release has the same bytes. A challenger is its
    own rollout's candidate.
    """

    champion: str = ""
    previous: str = ""
    candidate: str = ""


@dataclass(frozen=True)
class Due:
    """Why a fresh candidate is due: ``since`` is the time of the last candidate, of the end of the warm-up, of
    falling back to the baseline, or when the ladder was last judged.

    ``request`` is the reason that a person gave; ``objectives`` are those that are due, where the others are not.
    """

    kind: Literal["first", "interval", "warm-up", "fallback", "ladder", "request"]
    since: datetime | None = None
    request: str = ""
    objectives: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        since = self.since.isoformat() if self.since else None
        body = {"kind": self.kind, "since": since, "request": self.request}
        return body | ({"objectives": list(self.objectives)} if self.objectives else {})

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Due:
        since = datetime.fromisoformat(raw["since"]) if raw["since"] else None
        return cls(raw["kind"], since, raw["request"], tuple(raw.get("objectives", ())))


@dataclass(frozen=True)
class Trigger:
    """What started a decision: the names of findings that failed, or a fresh candidate that was due."""

    findings: tuple[str, ...] = ()
    due: Due | None = None


@dataclass(frozen=True)
class Versus:
    """One objective's loss by ``version`` against that by ``other`` on the same rows.

    ``share`` is how far the first is above the other (below: < 0), as a share of the other; ``interval`` is of it.
    """

    objective: str
    version: str
    other: str
    loss: float
    other_loss: float
    share: float
    rows: int
    interval: Interval | None = None

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Versus:
        interval = Interval(*raw["interval"]) if raw.get("interval") else None
        return cls(**{**raw, "interval": interval})


@dataclass(frozen=True)
class Option:
    """What 1,000 events cost under the alerts of ``version``, which ``action`` would put in service, or keep there.

    All options of a decision are measured on the same ``rows`` mature events, which trained none of their models.
    ``share`` is how far the cost lies above that of keeping the champion (below: < 0); None for that itself. None too
    where there is too little to say.
    """

    action: Action
    version: str
    rows: int
    cost: float | None = None
    interval: Interval | None = None
    share: float | None = None
    share_interval: Interval | None = None

    def beside(self, share: float | None, interval: Interval | None) -> Option:
        """The same with how far it lies from keeping the champion."""
        return replace(self, share=share, share_interval=interval)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Option:
        intervals = {k: Interval(*raw[k]) if raw.get(k) else None for k in ("interval", "share_interval")}
        return cls(**{**raw, **intervals})


@dataclass(frozen=True)
class Decision:
    """An action chosen from findings.

    ``gate`` holds the findings on a candidate, ``comparisons`` the losses of two versions at a time, ``options`` the
    expected cost of each action, ``facts`` what else the headline needs, by name. ``text`` is the sentence of a record
    from before decisions had fields.
    """

    action: Action
    reason: Reason
    versions: Versions = Versions()
    findings: tuple[Finding, ...] = ()
    gate: tuple[Finding, ...] = ()
    comparisons: tuple[Versus, ...] = ()
    trigger: Trigger = Trigger()
    evidence: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""
    options: tuple[Option, ...] = ()

    def with_candidate(self, version: str) -> Decision:
        """The same where the candidate, which had no version yet, is released as ``version``."""
        comparisons = tuple(c if c.version else replace(c, version=version) for c in self.comparisons)
        return replace(self, versions=replace(self.versions, candidate=version), comparisons=comparisons)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON; what is empty is left out."""
        due = self.trigger.due
        body = asdict(self) | {
            "reason": str(self.reason),
            "findings": [f.to_dict() for f in self.findings],
            "gate": [f.to_dict() for f in self.gate],
            "trigger": {"findings": list(self.trigger.findings), "due": due.to_dict() if due else None},
        }
        always = ("action", "reason", "versions", "trigger", "findings", "evidence")
        return {k: v for k, v in body.items() if k in always or v}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Decision:
        """What ``to_dict`` wrote, among whatever else; or a version from before decisions had fields."""
        body = old_records.decision(raw)
        trigger = body.get("trigger", {"findings": (), "due": None})
        return cls(
            body["action"],
            Reason(body["reason"]),
            Versions(**body.get("versions", {})),
            tuple(Finding.from_dict(f) for f in body["findings"]),
            tuple(Finding.from_dict(f) for f in body.get("gate", ())),
            tuple(Versus.from_dict(c) for c in body.get("comparisons", ())),
            Trigger(tuple(trigger["findings"]), Due.from_dict(trigger["due"]) if trigger["due"] else None),
            tuple(body["evidence"]),
            body.get("facts", {}),
            body.get("text", ""),
            tuple(Option.from_dict(o) for o in body.get("options", ())),
        )
