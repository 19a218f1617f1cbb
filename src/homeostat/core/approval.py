"""Actions that wait for a person: which do, until when, and what is done where nobody answers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from homeostat.core.findings import Action, Decision, Finding
from homeostat.core.rules import Reason, Rule

# What serves is known to be worse than a version that has served, or than the rates of its own baseline: known good
# first. The other actions put in service what never served, so there the champion stays.
DONE_UNANSWERED: frozenset[Action] = frozenset({"roll back", "fall back"})
WAITS = "waits"  # the fact of a decision that waits
APPROVAL = "approval"  # the fact of one that was answered, or is over


class ApprovalLimits(Protocol):
    """``above`` is a share of what the champion costs, ``within`` how long is waited, ``by`` who may answer."""

    @property
    def actions(self) -> Collection[str]: ...
    @property
    def above(self) -> float | None: ...
    @property
    def within(self) -> timedelta: ...
    @property
    def by(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class PendingApproval:
    """What waits: an action with its reason; ``default`` is what is done if nobody answers before ``until``.

    ``risk`` is as in ``risk_of``; ``by`` names who may answer, and is empty where anybody may.
    """

    action: Action
    reason: Reason
    until: datetime
    default: Action
    risk: float | None = None
    by: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self) | {"reason": str(self.reason), "until": self.until.isoformat(), "by": list(self.by)}

    @classmethod
    def of(cls, decision: Decision) -> PendingApproval:
        """That of a decision that waits."""
        raw: Mapping[str, Any] = decision.facts[WAITS]
        until = datetime.fromisoformat(raw["until"])
        return cls(**{**raw, "reason": Reason(raw["reason"]), "until": until, "by": tuple(raw["by"])})


@dataclass(frozen=True)
class Outcome:
    """What became of a decision that waited: the ``answer`` of ``who``, nobody's, or void, with why.

    ``asked`` is when it was decided, ``record`` its record, ``until`` the deadline.
    """

    action: Action
    answer: str  # approve, decline, none or void
    asked: datetime
    until: datetime
    record: str
    who: str = ""
    why: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self) | {"asked": self.asked.isoformat(), "until": self.until.isoformat()}

    @classmethod
    def of(cls, decision: Decision) -> Outcome | None:
        """That of a decision that waited; None of any other."""
        raw = decision.facts.get(APPROVAL)
        times = {name: datetime.fromisoformat(raw[name]) for name in ("asked", "until")} if raw else {}
        return cls(**{**raw, **times}) if raw else None


def risk_of(decision: Decision) -> float | None:
    """By what share its action may raise the cost of the alerts, at worst: the upper end of the interval beside keeping
    the champion. None where that was not measured: for new calibrators, and on too few events.
    """
    option = next((option for option in decision.options if option.action == decision.action), None)
    return None if option is None or option.share_interval is None else option.share_interval.high


def needs_approval(decision: Decision, limits: ApprovalLimits | None) -> bool:
    """Whether the action is one that waits, and its risk is above the limit or was not measured."""
    if limits is None or decision.action not in limits.actions:
        return False
    risk = risk_of(decision)
    return limits.above is None or risk is None or risk > limits.above


def put_off(
    decision: Decision, limits: ApprovalLimits | None, now: datetime, declined: Outcome | None = None
) -> Decision:
    """The decision, which waits where its action needs approval; else as it is.

    ``declined`` is what a person has lately declined about the same champion: that action is not proposed again.
    """
    if limits is None or not needs_approval(decision, limits):
        return decision
    if declined is not None and declined.action == decision.action:
        facts = {**decision.facts, APPROVAL: declined.to_dict()}
        return replace(decision, action="nothing", reason=Reason.DECLINED, facts=facts)
    default: Action = decision.action if decision.action in DONE_UNANSWERED else "keep"
    waits = PendingApproval(
        decision.action, decision.reason, now + limits.within, default, risk_of(decision), limits.by
    )  # fmt: skip
    return replace(decision, action="nothing", reason=Reason.WAITS, facts={**decision.facts, WAITS: waits.to_dict()})


def taken_up(decision: Decision, outcome: Outcome) -> Decision:
    """A decision that waited, as it was proposed, with what became of it."""
    pending = PendingApproval.of(decision)
    facts = {name: fact for name, fact in decision.facts.items() if name != WAITS}
    return replace(decision, action=pending.action, reason=pending.reason, facts=facts | {APPROVAL: outcome.to_dict()})


def dropped(decision: Decision, outcome: Outcome) -> Decision:
    """A decision that waited and is not done: the champion stays."""
    reason = {"decline": Reason.DECLINED, "none": Reason.UNANSWERED}.get(outcome.answer, Reason.VOID)
    return replace(taken_up(decision, outcome), action="nothing", reason=reason)


def approval_finding(decision: Decision, asked: datetime, record: str) -> Finding:
    """That a decision waits for a person, which is an incident until it is answered or over."""
    waits = PendingApproval.of(decision).to_dict()
    facts = {**waits, "asked": asked.isoformat(), "record": record, "champion": decision.versions.champion}
    return Finding(Rule.APPROVAL, "", "fail", facts=facts)
