"""Why an action was not taken, in a few words: what of the evidence speaks against it."""

from __future__ import annotations

from homeostat.core.approval import PendingApproval
from homeostat.core.findings import QUIET, Action, Decision, Option, objections
from homeostat.core.rules import Reason, Rule
from homeostat.core.text import listed


def verdict_on(option: Option, decision: Decision) -> str:
    """Whether it was taken; if not, what of the evidence speaks against it."""
    if decision.reason == Reason.WAITS and option.action == PendingApproval.of(decision).action:
        return "waits for approval"
    chosen: Action = "nothing" if decision.action in (*QUIET, "keep") else decision.action
    if option.action == chosen:
        return "taken"
    if option.action == "roll back":
        return _no_rollback(option, decision)
    if option.action == "retrain":
        return _no_retrain(decision)
    return _no_fallback(option, decision) if option.action == "fall back" else str(decision.reason)


def _no_rollback(option: Option, decision: Decision) -> str:
    if decision.reason == Reason.PREVIOUS_BETTER:
        return "the candidate is better still"
    versus = [c for c in decision.comparisons if c.version == option.version and c.interval is not None]
    if any(c.interval.high < 0 for c in versus if c.interval is not None) and not any(c.share > 0 for c in versus):
        return "better, but by too little, or no sign points at the champion"
    return "its loss is not significantly lower"


def _no_retrain(decision: Decision) -> str:
    if decision.facts.get("barred"):
        return "barred"
    against = objections(decision.gate)
    return f"fails: {listed([f.name for f in against], 2)}" if against else "another action comes first"


def _no_fallback(option: Option, decision: Decision) -> str:
    if not any(f.failed and f.rule == Rule.AGAINST_BASELINE for f in decision.findings):
        return "the champion is not worse than it"
    return "costs more" if option.share is not None and option.share > 0 else "another action comes first"
