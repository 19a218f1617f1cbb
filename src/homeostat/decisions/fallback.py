"""The baseline in the place of a model that lost to it."""

from __future__ import annotations

from datetime import datetime

from homeostat.core.findings import Decision, Finding
from homeostat.core.rules import Rule
from homeostat.decisions.session import WHO, Session
from homeostat.training import bundle as bundles


def fell_back(session: Session) -> datetime | None:
    """Since when the baseline serves in the place of a model, if the loop fell back to it."""
    serving = session.registry.load_champion()
    if serving is None or session.tree.scope.training.model == "heuristic":
        return None
    event, stands_in = serving.event, bundles.lacks_model(serving.bundle)
    return event.at if (event.action, event.who) == ("rollback", WHO) and stands_in else None


def fallback_findings(session: Session, decision: Decision) -> list[Finding]:
    """Whether the baseline serves in the place of a model that lost to it; if it did so just now or before."""
    since = fell_back(session)
    fails = decision.action == "fall back" or (since is not None and decision.action not in ("retrain", "roll back"))
    facts = {"version": decision.versions.champion, "since": since.isoformat() if since else None}
    was_open = any(i.finding.rule == Rule.FALLBACK and i.closed is None for i in session.incidents.values())
    return [Finding(Rule.FALLBACK, "", "fail" if fails else "pass", facts=facts)] if fails or was_open else []
