"""The loop: the steps of a tick, as plain functions of a session and of ``now`` (naive UTC).

Flows, replay and the command line call these and nothing else. Each can be called again after it was interrupted:
what is done is not done again, and state moves on only at the end of a tick.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from homeostat.adapters import dvc, worktree
from homeostat.adapters.dask import executor_of
from homeostat.core.errors import EnvironmentFault, UsageError
from homeostat.core.findings import Decision, Due, Finding
from homeostat.core.incidents import Incident, history_alarms
from homeostat.core.periods import floor, periods_between
from homeostat.core.policy import alarming
from homeostat.core.rollout import rollout_alarm
from homeostat.core.rules import Rule
from homeostat.data.contamination import mark_rolled_back
from homeostat.data.intake import DataOutcome
from homeostat.decisions.decide import decide
from homeostat.decisions.due import decision_is_due
from homeostat.decisions.learning import guard_rail, learn_on
from homeostat.decisions.pending import IDLE, decision_that_waits
from homeostat.decisions.reweigh import release_weights
from homeostat.decisions.rollout import advance_rollout
from homeostat.decisions.session import Session
from homeostat.decisions.waiting import approval_findings, settle_approval
from homeostat.monitoring.alerts import raise_alerts
from homeostat.monitoring.business import check_business
from homeostat.monitoring.change import left_to_baseline
from homeostat.monitoring.escalation import escalate
from homeostat.monitoring.labels import check_labels
from homeostat.project.clock import beginning, move_on
from homeostat.project.layout import Project
from homeostat.project.run_context import run_context as locked_project
from homeostat.project.window import read_window, write_window
from homeostat.releases import sync
from homeostat.serving import batch_scoring
from homeostat.serving.received_labels import amend_with_received

log = logging.getLogger("homeostat.loop")


@dataclass(frozen=True)
class Tick:
    """One pass of the loop; ``seconds`` says where its time went, ``opened`` what to alert on.

    ``step`` is what was decided of a release that is being tried, if one was; ``weights`` of new ones in the scope;
    ``approval`` of a decision that waited for a person; ``learned`` of a continuation of the champion's models.
    """

    now: datetime
    data: DataOutcome
    predicted: int
    decision: Decision | None
    opened: tuple[Incident, ...]
    seconds: dict[str, float] = field(default_factory=dict)
    step: Decision | None = None
    weights: Decision | None = None
    approval: Decision | None = None
    learned: Decision | None = None

    @property
    def decisions(self) -> tuple[Decision | None, ...]:
        """What was decided of each kind, None where nothing was."""
        return self.weights, self.step, self.approval, self.decision, self.learned


@contextmanager
def run_context(folder: Path, now: datetime | None = None) -> Iterator[tuple[Session, datetime]]:
    """Lock the project in ``folder`` for one run; its session, and the time: ``now``, or the project's own.

    A run that an error stops is an incident, until two runs have completed.

    Raises:
        UsageError: ``now`` lies before the last completed tick.
    """
    with locked_project(folder, now) as (project, at), executor_of(project.scope.scale) as executor:
        session = Session.open(project, executor)
        try:
            yield session, at
        except Exception as error:
            facts = {"error": type(error).__name__, "message": " ".join(str(error).split())}
            with suppress(OSError):  # the disk may be full: what stopped the run is raised in any case
                raise_alerts(project, session.incidents, [Finding(Rule.RUN, "", "fail", facts=facts)], at)
            raise
        passed = [Finding(rule, "", "pass") for rule in (Rule.RUN, Rule.RUN_HISTORY)]
        raise_alerts(project, session.incidents, passed, at)


def tick(
    session: Session, now: datetime, live: bool = False,
    take_in: Callable[[Session, datetime], DataOutcome] | None = None,
) -> Tick:  # fmt: skip
    """Bring in what is due, predict, and decide when the rhythm or the scores of a new release say so.

    State moves on at the end.

    ``live``: events ahead are predicted too, as of now; in a replay each event is scored as of its own predict-at.
    ``take_in`` stands in for ``data``: a flow's own tries again what the sources break.
    """
    spent: dict[str, float] = {}
    with _timed(spent, "data"):
        outcome = (take_in or data)(session, now)
    if now < session.stands_at:
        raise UsageError(f"joined the ledger of other hosts, which stands at {session.stands_at}; run again")
    with _timed(spent, "decide"):
        weights = release_weights(session, now)
    with ThreadPoolExecutor(1) as beside, _timed(spent, "predict"):
        labels = beside.submit(check_labels, session.tree, session.labels, now)  # which needs no prediction
        predicted = predict(session, now, live)
    step = advance_rollout(session, now)
    with _timed(spent, "watch"):
        at_once = (*session.switch.findings(session.registry, now), *labels.result())
    opened = _raise_alerts(session, now, (*_findings_of_loop(session, outcome, step), *at_once))
    with _timed(spent, "decide"):
        approval = settle_approval(session, now, at_once)
    decision = None
    alarms = any(alarming(finding) for finding in at_once)
    if decision_is_due(session, now) or (alarms and decision_that_waits(session.project, session.decisions) is None):
        with _timed(spent, "decide"):
            decision = decide(session, now)
            findings = (*decision.findings, *check_business(session.project, now))
        opened += _raise_alerts(session, now, findings, decision.versions.champion)
    with _timed(spent, "learn"):
        learned = learn_on(session, now, at_once) if decision is None or decision.action in IDLE else None
    opened += _raise_alerts(session, now, (*approval_findings(session), *guard_rail(learned)))
    escalate(session.project, session.incidents, now)
    session.complete(now)
    return Tick(now, outcome, predicted, decision, opened, spent, step, weights, approval, learned)


def _raise_alerts(
    session: Session, now: datetime, findings: Sequence[Finding], release: str = ""
) -> tuple[Incident, ...]:
    """The incidents that page somebody now, within the alarm budget of the scope, if it has one."""
    budget = left_to_baseline(session.tree.scope)
    return raise_alerts(session.project, session.incidents, findings, now, release, budget)


def _findings_of_loop(session: Session, outcome: DataOutcome, step: Decision | None) -> tuple[Finding, ...]:
    """Whether the batches could be used, which were unlike those before, and how a rollout goes."""
    unlike = history_alarms(_unlike(outcome), session.incidents.values())
    return (*_batch_findings(outcome), *unlike, rollout_alarm(step))


def begin(session: Session, now: datetime) -> Project:
    """The worktree of scheduled work, brought to the code of the scope's branch; made before the first tick."""
    project, scope = session.project, session.project.scope
    _follow_hosts(project)
    tags, branches = worktree.read_tags_and_branches(project.home, scope.project, scope.branch)
    session.registry.refold(tags)
    first = None if branches.own or branches.remote else max(read_window(project).start, beginning(project))
    if first is not None:
        move_on(project, first)  # now: a run that is interrupted right here begins at the same time
    if branches != session.followed or not (session.tree.root / ".git").is_file():
        worktree.follow(project.home, scope.project, scope.branch, now)
        _, session.followed = worktree.read_tags_and_branches(project.home, scope.project, scope.branch)
        session.note_tree()
    session.tree.amendments.mkdir(parents=True, exist_ok=True)  # git keeps no empty folder, and the DAG reads it
    mark_rolled_back(session.tree, session.registry.ledger)
    dvc.share_cache(session.tree.root, project.home)
    if first is not None:
        write_window(session.tree, session.start, first)
    return session.tree


def _follow_hosts(project: Project) -> None:
    """Take over what other hosts released, and give them what they lack; a remote that fails stops nothing."""
    try:
        sync.catch_up(project)
    except EnvironmentFault as error:
        log.warning("%s; the loop goes on with the releases of this host", error)


def data(
    session: Session, now: datetime, horizon: datetime | None = None, beyond: Sequence[datetime] = ()
) -> DataOutcome:
    """Land, judge and featurize every batch that is due since the last completed tick.

    Ticks after it up to ``horizon``, none of which may decide before the last, are prepared with it; the spans after
    it that end at ``beyond`` while the loop goes on.

    Raises:
        DataError: a source cannot be read; nothing is lost, and the next run carries on.
    """
    begin(session, now)
    last = session.stands_at
    # A host that has just joined the ledger of others knows the project's time from it.
    now = max(now, last)
    remarks = amend_with_received(session.tree, now)
    outcome = session.intake.take(now, last, horizon, beyond)
    return replace(outcome, remarks=(*remarks, *outcome.remarks)) if remarks else outcome


def predict(session: Session, now: datetime, live: bool = False) -> int:
    """Write the predictions of the batches since the last completed tick, and ``live`` of the events ahead."""
    tree, registry = session.tree, session.registry
    every, offset = tree.scope.events_period, tree.scope.rhythm.offset
    since = max(session.start, floor(session.stands_at, every, offset))
    due = [p.label for p in periods_between(since, now, every, offset) if p.end > session.stands_at]
    done = sum(
        batch_scoring.predict_batch(tree, registry, label, now)
        for label in due
        if (tree.features / f"{label}.parquet").is_file()
    )
    return done + (batch_scoring.predict_ahead(tree, registry, now) if live else 0)


def retrain(session: Session, now: datetime, reason: str) -> Decision:
    """Make a fresh candidate now, for that reason; release it if it earns it."""
    return decide(session, now, due=Due("request", request=reason))


def _batch_findings(outcome: DataOutcome) -> tuple[Finding, ...]:
    """One finding a source that had a batch: whether every batch of it could be used whole."""
    findings = {}
    for judged in outcome.batches:
        verdict = judged.verdict
        bad = verdict.status != "accepted"
        failed = [f.to_dict() for f in verdict.failed] if bad else []
        facts = {"batch": judged.label, "status": verdict.status, "failed": failed}
        if bad or judged.source not in findings:
            findings[judged.source] = Finding(Rule.BATCH, judged.source, "fail" if bad else "pass", facts=facts)
    return tuple(findings.values())


def _unlike(outcome: DataOutcome) -> dict[str, list[tuple[Finding, ...]]]:
    """By source, what the history rules found in each batch that they could say anything of, in order of time."""
    by_source: dict[str, list[tuple[Finding, ...]]] = {}
    for judged in outcome.batches:
        of_batch = tuple(f for f in judged.verdict.findings if f.rule == Rule.HISTORY)
        if of_batch:
            by_source.setdefault(judged.source, []).append(tuple(f for f in of_batch if f.failed))
    return by_source


@contextmanager
def _timed(spent: dict[str, float], step: str) -> Iterator[None]:
    began = time.perf_counter()
    try:
        yield
    finally:
        spent[step] = spent.get(step, 0.0) + time.perf_counter() - began
