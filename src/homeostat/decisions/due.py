"""What the rhythm and the budgets ask for: whether a decision is due, and whether a fresh candidate is."""

from __future__ import annotations

from datetime import datetime

from homeostat.core.approval import PendingApproval
from homeostat.core.findings import Due
from homeostat.core.periods import floor
from homeostat.decisions.fallback import fell_back
from homeostat.decisions.history import last_fit
from homeostat.decisions.ladder import ladder_is_due
from homeostat.decisions.pending import decision_that_waits
from homeostat.decisions.session import Session
from homeostat.training import bundle as bundles


def decision_is_due(session: Session, now: datetime) -> bool:
    """Whether the rhythm asks for a decision at ``now``."""
    rhythm = session.tree.scope.rhythm
    last = session.decisions[-1].at if session.decisions else session.start
    return floor(now, rhythm.decide, rhythm.offset) > last


def next_decision(session: Session, now: datetime) -> datetime:
    """When the next decision may be taken: by the rhythm, or when one that waits for approval is over."""
    rhythm = session.tree.scope.rhythm
    if decision_is_due(session, now):
        return now
    waits = decision_that_waits(session.project, session.decisions)
    by_rhythm = floor(now, rhythm.decide, rhythm.offset) + rhythm.decide
    return by_rhythm if waits is None else max(now, min(by_rhythm, PendingApproval.of(waits.decision).until))


def retrain_is_due(session: Session, now: datetime) -> Due | None:
    """Why the rhythm asks for a fresh candidate at ``now``, if it does."""
    scope, serving, last = session.tree.scope, session.registry.load_champion(), last_candidate(session)
    assert serving is not None, "nothing serves"
    if scope.training.model != "heuristic" and bundles.lacks_model(serving.bundle):
        due = session.start + scope.windows.warm_up
        tried = last is not None and due <= last > now - scope.monitoring.cool_down
        since = fell_back(session)
        waited = Due("fallback", since) if since else Due("warm-up", due)
        return waited if now >= due and not tried and learns(session, last, now) else None
    if last is None:
        return Due("first")
    ladder, interval = ladder_is_due(session, now), _interval(session, now, last)
    since = last if ladder or interval is None else interval.since
    because = ladder or interval
    return because if because and learns(session, since, now) else None


def _interval(session: Session, now: datetime, last: datetime) -> Due | None:
    """The objectives whose own schedule asks for a fresh fit; ``last`` is when a candidate was judged last."""
    scope = session.tree.scope
    fits = {name: last_fit(session.decisions, name) or last for name in scope.objectives}
    stale = [name for name, fit in fits.items() if now - fit >= scope.retrain_every(name)]
    if not stale:
        return None
    only = () if len(stale) == len(fits) else tuple(stale)
    return Due("interval", max(fits[name] for name in stale), objectives=only)


def learns(session: Session, last: datetime | None, now: datetime) -> bool:
    """Whether a candidate made now could differ from that of ``last`` in what it learns, and in what judges it.

    In a season's gap it could not: no label is new. As the next season begins, all that is new judges.
    """
    if last is None:
        return True
    scope = session.tree.scope
    before = scope.windows.holdout + scope.events.label_horizon
    spans = ((last, now), (last - before, now - before))
    return all(any(session.labels.matured(since, until).values()) for since, until in spans)


def last_candidate(session: Session) -> datetime | None:
    return max((decision.at for decision in session.decisions if decision.candidate), default=None)


def last_drift_start(session: Session) -> datetime | None:
    """When drift alone last started a decision, or a rollback was done."""
    times = [decision.at for decision in session.decisions if decision.started == "drift"]
    times += [event.at for event in session.registry.ledger.events if event.action == "rollback"]
    return max(times, default=None)


def last_change(session: Session) -> datetime:
    """When what serves last changed, but for continuations."""
    change = session.registry.ledger.last_change
    return change.at if change is not None else session.start


def spent_budget(session: Session) -> int:
    """How many candidates findings have asked for since the last change in service, where they may ask for no more."""
    since = last_change(session)
    mine = [d for d in session.decisions if d.candidate and d.at > since and d.decision.trigger.due is None]
    return len(mine) if len(mine) >= session.tree.scope.monitoring.retrain_budget else 0
