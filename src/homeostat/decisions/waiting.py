"""A decision that waits for approval: whether one does, and what becomes of it: done, dropped or void."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from homeostat.adapters.git_command import is_ancestor
from homeostat.core.approval import Outcome, PendingApproval, approval_finding, dropped, taken_up
from homeostat.core.errors import UsageError
from homeostat.core.findings import Decision, Finding
from homeostat.core.headlines import headline
from homeostat.core.policy import distrusts_labels
from homeostat.core.rules import Reason, Rule
from homeostat.decisions import act, evidence, pending
from homeostat.decisions.candidate import commit_candidate
from homeostat.decisions.history import read_decision
from homeostat.decisions.pending import decision_that_waits
from homeostat.monitoring.answers import read_answers
from homeostat.project.records import read_body

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeostat.decisions.history import Decided
    from homeostat.decisions.session import Session


@dataclass(frozen=True)
class _Waiting:
    """The decision that waits, what it proposes, and its record as it stands in the file."""

    decided: Decided
    proposed: PendingApproval
    body: Mapping[str, Any]
    record: str

    def outcome(self, answer: str, who: str = "", why: str = "") -> Outcome:
        return Outcome(self.proposed.action, answer, self.decided.at, self.proposed.until, self.record, who, why)


def settle_approval(session: Session, now: datetime, at_once: Sequence[Finding]) -> Decision | None:
    """Do what a person approved, drop what was declined, take the default after the deadline; None: nothing is to do.

    What it rests on must still hold, by ``at_once``, the findings of this tick, and by the ledger; else it is void.

    Raises:
        HomeostatError: the deployment was stopped; the champion stays, and the next run carries on.
    """
    project = session.project
    pending.settle(project, project.approvals, session.registry.ledger, now)
    decided = decision_that_waits(project, session.decisions)
    if decided is None:
        return None
    body, record = read_body(decided.path), project.cited(decided.path)
    waiting = _Waiting(decided, PendingApproval.of(decided.decision), body, record)
    outcome = _outcome(session, waiting, now, at_once)
    if outcome is None:
        return None
    plan = pending.of(project.approvals, decided.at)
    act.write_plan(_carried_on(session, waiting, outcome, now), plan)
    decision = act.do(session, plan, now)
    pending.done(plan)
    return decision


def approval_findings(session: Session) -> list[Finding]:
    """That a decision waits for a person; or that none does any more, where one did."""
    decided = decision_that_waits(session.project, session.decisions)
    if decided is not None:
        return [approval_finding(decided.decision, decided.at, session.project.cited(decided.path))]
    was_open = any(i.finding.rule == Rule.APPROVAL and i.closed is None for i in session.incidents.values())
    return [Finding(Rule.APPROVAL, "", "pass")] if was_open else []


def declined(session: Session, now: datetime) -> Outcome | None:
    """What a person declined less than a cool-down ago about the release in service, if anything."""
    records, champion = sorted(session.project.approvals.glob("*.json")), session.registry.ledger.champion
    if not records or champion is None:
        return None
    last = read_decision(records[-1])
    recent = last.at > now - session.tree.scope.monitoring.cool_down
    of_champion = last.decision.reason == Reason.DECLINED and last.release == champion.version
    return Outcome.of(last.decision) if recent and of_champion else None


def _outcome(session: Session, waiting: _Waiting, now: datetime, at_once: Sequence[Finding]) -> Outcome | None:
    """What becomes of it now; None while it waits on. The last answer in time counts."""
    if void := _void(session, waiting, at_once):
        return waiting.outcome("void", why=void)
    answers = read_answers(session.project).get(waiting.record, [])
    answer = next((a for a in reversed(answers) if a.kind in ("approve", "decline") and a.at <= waiting.proposed.until),
                  None)  # fmt: skip
    if answer is not None:
        return waiting.outcome(answer.kind, answer.who, answer.why)
    return waiting.outcome("none") if now >= waiting.proposed.until else None


def _void(session: Session, waiting: _Waiting, at_once: Sequence[Finding]) -> str:
    """What of its evidence holds no more; empty if all does.

    Scores that are not as judged need no labels, and a candidate that a person asked for is judged by doubtful ones.
    """
    ledger, version, proposed = session.registry.ledger, waiting.decided.release, waiting.proposed
    if ledger.champion is None or ledger.champion.version != version:
        return f"{ledger.champion.version if ledger.champion else 'nothing'} is in service now"
    if ledger.rollout is not None:
        return f"{ledger.rollout.version} is being tried beside {version}"
    if proposed.action == "roll back" and waiting.body["previous"] in ledger.barred():
        return f"{waiting.body['previous']} was taken out of service"
    due = waiting.decided.decision.trigger.due
    if proposed.reason == Reason.NOT_AS_JUDGED or (due and due.kind == "request"):
        return ""
    if distrusts_labels(at_once):
        return "labels cannot be trusted any more"
    if any(f.failed and f.rule == Rule.SWITCH for f in at_once):
        return f"the scores of {version} are not those that were judged"
    return ""


def _carried_on(session: Session, waiting: _Waiting, outcome: Outcome, now: datetime) -> dict[str, Any]:
    """The plan: the record of the decision that waited with what is done about it, or why it is not."""
    decision, made = waiting.decided.decision, waiting.body.get("made")
    if outcome.answer == "approve" or (outcome.answer == "none" and waiting.proposed.default != "keep"):
        try:
            made = _made(session, waiting, now)
            decision = taken_up(decision, outcome)
        except UsageError as error:
            decision = dropped(decision, waiting.outcome("void", outcome.who, str(error)))
    else:
        decision = dropped(decision, outcome)
    if made and decision.action != "nothing":
        decision = act.named(decision, made["bundle"], session.registry.ledger)
    body = {**waiting.body, "at": now.isoformat(), "headline": headline(decision), **decision.to_dict()}
    return body | {"candidate": None, "made": made}  # none was judged for it


def _made(session: Session, waiting: _Waiting, now: datetime) -> dict[str, str] | None:
    """The commit and the bundle to release: those that were judged; of a baseline those of now. None for a rollback.

    Raises:
        UsageError: what was judged is not there any more, or was yanked meanwhile.
    """
    action, ledger = waiting.proposed.action, session.registry.ledger
    if action == "roll back":
        return None
    if action == "fall back":
        baseline, _ = evidence.fresh_candidate(session, now, baseline=True)
        return {"commit": act.commit_of(session, now), "bundle": baseline.bundle}
    if action == "recalibrate":
        made: dict[str, str] = waiting.body["made"]
        champion = ledger.champion
        if champion is None or not is_ancestor(session.project.home, champion.commit, made["commit"]):
            raise UsageError(f"git has removed the commit {made['commit'][:12]} of the new calibrators")
    else:
        candidate, commit = commit_candidate(session, waiting.decided.at, now)
        made = {"commit": commit, "bundle": candidate.bundle}
    if (yank := ledger.yanked_bundle(made["bundle"])) is not None:
        raise UsageError(f"it is {yank.version} byte for byte, which {yank.who} yanked: {yank.why}")
    return made
