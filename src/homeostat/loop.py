"""The loop: the steps of a tick, as plain functions of the project and of ``now`` (naive UTC).

Flows, replay and the command line call these and nothing else. Each can be called again after it was interrupted:
what is done is found done, and state moves on only at the end of a tick.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from homeostat.adapters import dvc, worktree
from homeostat.adapters.parquet import write_text
from homeostat.core.errors import EnvironmentFault, UsageError
from homeostat.core.findings import Decision, Due, Finding, Reason
from homeostat.core.headlines import headline
from homeostat.core.incidents import Incident, update_incidents
from homeostat.core.ledger import Ledger
from homeostat.core.periods import floor, periods_between
from homeostat.core.policy import Evidence, decide_action, loses_to_baseline, only_drift, starts_decision
from homeostat.core.rollout import rollout_alarm
from homeostat.core.rules import Rule
from homeostat.data.intake import DataOutcome
from homeostat.decisions import evidence, pending, rollout
from homeostat.features.intake import Intake
from homeostat.features.tables import mature, read_features
from homeostat.monitoring import champion
from homeostat.project.clock import beginning, move_on, stands_at
from homeostat.project.layout import Project
from homeostat.releases import registry
from homeostat.serving import batch_scoring
from homeostat.training import bundle as bundles

log = logging.getLogger("homeostat.loop")
WHO = "homeostat"  # who acts when the loop does


@dataclass(frozen=True)
class Weighed:
    """What was decided, and on what, before anything is done about it.

    ``previous`` is the version to go back to from ``release``; ``started`` the kind of sign that asked for a decision.
    """

    decision: Decision
    candidate: evidence.Candidate | None = None
    release: str = ""
    previous: str = ""
    quality: dict[str, Any] = field(default_factory=dict)
    started: str = ""

    def to_dict(self, now: datetime) -> dict[str, Any]:
        """The record that is kept of it."""
        decision = {"headline": headline(self.decision), **self.decision.to_dict()}
        body = {"at": now.isoformat(), **decision, "release": self.release, "quality": self.quality}
        candidate = {"bundle": self.candidate.bundle} if self.candidate else None
        return body | {"previous": self.previous, "started": self.started, "candidate": candidate}


@dataclass(frozen=True)
class Tick:
    """One pass of the loop; ``seconds`` says where its time went, ``opened`` what to alert on.

    ``step`` is what was decided of a release that is being tried, if one was.
    """

    now: datetime
    data: DataOutcome
    predicted: int
    decision: Decision | None
    opened: tuple[Incident, ...]
    seconds: dict[str, float] = field(default_factory=dict)
    step: Decision | None = None


def tick(
    project: Project, now: datetime, live: bool = False,
    take_in: Callable[[Project, datetime], DataOutcome] | None = None,
) -> Tick:  # fmt: skip
    """Bring in what is due, predict, and decide when the rhythm says so. State moves on at the end.

    ``live``: events ahead are predicted too, as of now; in a replay each event is scored as of its own predict-at.
    ``take_in`` stands in for ``data``: a flow's own tries again what the sources break.
    """
    spent: dict[str, float] = {}
    with _timed(spent, "data"):
        outcome = (take_in or data)(project, now)
    if now < stands_at(project):
        raise UsageError(f"joined the ledger of other hosts, which stands at {stands_at(project)}; run again")
    with _timed(spent, "predict"):
        predicted = predict(project, now, live)
    tried = step(project, now)
    opened = _alert(project, (*_batch_findings(outcome), rollout_alarm(tried)), now)
    decision = None
    if decision_is_due(project, now):
        with _timed(spent, "decide"):
            decision = decide(project, now)
        opened += _alert(project, decision.findings, now)
    ledger = project.ledger
    ledger.set_window(ledger.window[0], now)
    move_on(project, now)
    return Tick(now, outcome, predicted, decision, opened, spent, tried)


def begin(project: Project, now: datetime) -> Project:
    """The tree of scheduled work, brought to the code of the scope's branch; made before the first tick."""
    home, scope = project.home, project.scope
    _hear(project)
    start = max(project.window[0], beginning(project))
    known = worktree.has_branch(home, scope.project)
    if not known:
        move_on(project, start)  # first: a run cut short right here begins at the same time
    worktree.follow(home, scope.project, scope.branch, now)
    project.ledger.amendments.mkdir(parents=True, exist_ok=True)  # git keeps no empty folder, and the DAG reads it
    dvc.share_cache(project.ledger.root, home)
    if not known:
        project.ledger.set_window(project.window[0], start)
    return project.ledger


def _hear(project: Project) -> None:
    """Take over what other hosts released, and give them what they lack; a remote that fails stops nothing."""
    try:
        registry.catch_up(project)
    except EnvironmentFault as error:
        log.warning("%s; the loop goes on with what is known here", error)


def data(
    project: Project, now: datetime, intake: Intake | None = None, horizon: datetime | None = None
) -> DataOutcome:
    """Land, judge and featurize every batch that is due since the last completed tick.

    ``intake`` may have prepared this tick, and prepares those after it up to ``horizon``.

    Raises:
        DataError: a source cannot be read; nothing is lost, and the next run carries on.
    """
    ledger = begin(project, now)
    last = stands_at(project)
    # A host that has just joined the ledger of others knows the project's time from it.
    return (intake or Intake(ledger)).take(max(now, last), last, horizon)


def predict(project: Project, now: datetime, live: bool = False) -> int:
    """Write the predictions of the batches since the last completed tick, and ``live`` of the events ahead."""
    ledger = project.ledger
    (start, _), last = ledger.window, stands_at(project)
    scope = ledger.scope
    periods = periods_between(start, now, scope.events_period, scope.rhythm.offset)
    labels = [p.label for p in periods if p.end > last]
    done = sum(
        batch_scoring.predict_batch(project, label, now)
        for label in labels
        if (ledger.features / f"{label}.parquet").is_file()
    )
    return done + (batch_scoring.predict_ahead(project, now) if live else 0)


def step(project: Project, now: datetime) -> Decision | None:
    """Whether a release that is being tried beside the champion goes on, waits or is taken back; None: none is."""
    return rollout.step(project, now, WHO)


def decision_is_due(project: Project, now: datetime) -> bool:
    """Whether the rhythm asks for a decision at ``now``."""
    rhythm = project.ledger.scope.rhythm
    slot = floor(now, rhythm.decide, rhythm.offset)
    last = max((datetime.fromisoformat(r["at"]) for r in _records(project)), default=project.ledger.window[0])
    return slot > last


def next_decision(project: Project, now: datetime) -> datetime:
    """When the rhythm next asks for a decision: ``now``, or later."""
    rhythm = project.ledger.scope.rhythm
    return now if decision_is_due(project, now) else floor(now, rhythm.decide, rhythm.offset) + rhythm.decide


def decide(project: Project, now: datetime, due: Due | None = None) -> Decision:
    """Look at how the champion does; where something asks for it fetch the evidence, act on it and keep the record.

    ``due`` is why a fresh candidate is wanted in any case; otherwise the rhythm says when one is. What is decided is
    written down before it is done: a run that was interrupted in between does what was decided, not something else.

    Raises:
        HomeostatError: the DAG or the deployment was stopped; what serves is whole, and the next run carries on.
    """
    _settle(project, now)
    plan = pending.of(project.decisions, now)
    if not plan.is_file():
        known = registry.ledger(project)
        weighed = (
            weigh(project, now, champion.look(project, now), due) if known.champion else _first(project, now, known)
        )
        write_text(json.dumps(weighed.to_dict(now), indent=1) + "\n", plan)
    return _carry_out(project, plan, now)


def weigh(project: Project, now: datetime, seen: champion.Look, due: Due | None = None) -> Weighed:
    """What to do about what was seen of the champion, by the evidence that it asks for; nothing is done or recorded."""
    known = registry.ledger(project)
    assert known.champion is not None, "nothing serves"
    scope = project.ledger.scope
    confidence = scope.evaluation.confidence
    if known.rollout is not None:
        found = Evidence(known.champion.version, confidence, seen.paths, tried=known.rollout.version)
        decision = decide_action(seen.findings, found, scope.monitoring.roll_back)
        return Weighed(decision, None, known.champion.version, "", seen.quality)
    due = due or retrain_is_due(project, now)
    signs = starts_decision(seen.findings, now, _last_start(project, known), scope.monitoring.cool_down)
    previous = known.previous_healthy()
    found = Evidence(known.champion.version, confidence, seen.paths, previous_version=previous or "")
    candidate = None
    if due or signs:
        if due or _last_candidate_is_before(project, now - scope.monitoring.cool_down):
            candidate = evidence.fresh_candidate(project, now, known, previous)
        found = Evidence(
            champion=known.champion.version, confidence=confidence, paths=seen.paths, previous_version=previous or "",
            previous=evidence.previous_beside_champion(project, now, known, previous), due=due,
            gate=candidate.gate if candidate else None,
            candidate=candidate.champion if candidate else {},
            candidate_previous=candidate.previous if candidate else {},
            barred=evidence.barred(project, known, candidate, now) if candidate else None,
        )  # fmt: skip
    decision = decide_action(seen.findings, found, scope.monitoring.roll_back)
    if decision.action == "nothing" and loses_to_baseline(seen.findings):
        instead = _to_the_baseline(project, now, known, found)
        other = decide_action(seen.findings, instead, scope.monitoring.roll_back)
        if other.action == "roll back":
            decision, previous = other, instead.previous_version
    started = "" if not signs else "drift" if only_drift(signs) else "quality"
    return Weighed(decision, candidate, known.champion.version, previous or "", seen.quality, started)


def _to_the_baseline(project: Project, now: datetime, known: Ledger, found: Evidence) -> Evidence:
    """The evidence with the last release of the baseline as the version to go back to, where there is one."""
    version = evidence.baseline_release(project, known)
    if version in (None, found.previous_version):
        return found
    beside = evidence.previous_beside_champion(project, now, known, version)
    return replace(found, previous_version=version, previous=beside, candidate_previous={})


def retrain(project: Project, now: datetime, reason: str) -> Decision:
    """Make a fresh candidate now, for that reason; release it if it earns it."""
    return decide(project, now, due=Due("request", request=reason))


def judge(project: Project, now: datetime) -> Decision:
    """What the gate says of a fresh candidate; nothing is released or recorded."""
    return evidence.fresh_candidate(project, now, registry.ledger(project), None).gate


def monitor(project: Project, now: datetime) -> champion.Look | None:
    """How the champion does: findings and their records; None before the first release. Nothing is decided."""
    return champion.look(project, now) if registry.ledger(project).champion else None


def retrain_is_due(project: Project, now: datetime) -> Due | None:
    """Why the rhythm asks for a fresh candidate at ``now``, if it does."""
    scope, (start, _) = project.ledger.scope, project.ledger.window
    known = registry.ledger(project)
    assert known.champion is not None
    last = _last_candidate(project)
    serving = registry.restore(project, known.champion.version)
    if scope.training.model != "heuristic" and bundles.is_baseline(serving.training):
        due = start + scope.windows.warm_up
        tried = last is not None and due <= last > now - scope.monitoring.cool_down
        return Due("warm-up", due) if now >= due and not tried else None
    if last is None:
        return Due("first")
    return Due("interval", last) if now - last >= scope.rhythm.retrain else None


def _first(project: Project, now: datetime, known: Ledger) -> Weighed:
    ledger = project.ledger
    if not any(ledger.features.glob("*.parquet")):
        return Weighed(Decision("nothing", Reason.NO_BATCH))
    table = read_features(ledger)
    for name in ledger.scope.objectives:
        if mature(table, name, ledger.scope, now).is_empty():
            return Weighed(Decision("nothing", Reason.NOT_MATURE, facts={"objective": name}))
    candidate = evidence.fresh_candidate(project, now, known, None)
    barred = evidence.barred(project, known, candidate, now)
    if barred and candidate.gate.action == "release":
        facts = {"barred": barred.to_dict()}
        return Weighed(replace(candidate.gate, action="keep", reason=Reason.BARRED, facts=facts), candidate)
    return Weighed(candidate.gate, candidate)


def _settle(project: Project, now: datetime) -> None:
    pending.settle(project, project.decisions, registry.ledger(project), now)


def _carry_out(project: Project, plan: Path, now: datetime) -> Decision:
    """Do what was decided, once however often this is called, and make the plan the record of it."""
    body = json.loads(plan.read_text())
    decision = Decision.from_dict(body)
    cited = tuple(dict.fromkeys([*decision.evidence, project.cited(pending.record(plan))]))
    if decision.action == "roll back":
        registry.rollback(project, headline(decision), WHO, now, to=body["previous"], evidence=cited)
    elif decision.action in ("retrain", "release"):
        root = project.ledger.root
        commit = worktree.commit_kept(root, f"candidate of {now:%Y-%m-%d %H:%M}", now)
        bundle, begin = body["candidate"]["bundle"], rollout.first_step(project.ledger.scope)
        registry.release(project, commit, bundle, headline(decision), WHO, now, cited, *begin)
    pending.done(plan)
    return decision


def _last_candidate(project: Project) -> datetime | None:
    return max((datetime.fromisoformat(r["at"]) for r in _records(project) if r["candidate"]), default=None)


def _last_candidate_is_before(project: Project, time: datetime) -> bool:
    """Signs ask for a candidate once in a cool-down: the next would be made of nearly the same data."""
    last = _last_candidate(project)
    return last is None or last <= time


def _last_start(project: Project, known: Ledger) -> datetime | None:
    """When drift alone last started a decision, or a rollback was done."""
    times = [datetime.fromisoformat(r["at"]) for r in _records(project) if r["started"] == "drift"]
    times += [event.at for event in known.events if event.action == "rollback"]
    return max(times, default=None)


def _records(project: Project) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(project.decisions.glob("*.json"))]


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


def _alert(project: Project, findings: tuple[Finding, ...], now: datetime) -> tuple[Incident, ...]:
    """Fold findings into the incidents on record; those that are new."""
    paths = {path.stem: path for path in sorted(project.incidents.glob("*.json"))}
    known = {number: Incident.from_dict(json.loads(path.read_text())) for number, path in paths.items()}
    open_now = {number: incident for number, incident in known.items() if incident.closed is None}
    changes = update_incidents(open_now.values(), findings, now)
    by_problem = {incident.problem: number for number, incident in open_now.items()}
    following = max((int(number) for number in known), default=0) + 1
    for incident in (*changes.closed, *changes.open):
        if incident.problem not in by_problem:
            by_problem[incident.problem] = f"{following:04d}"
            following += 1
        text = json.dumps(incident.to_dict(), indent=1) + "\n"
        path = project.incidents / f"{by_problem[incident.problem]}.json"
        if not path.is_file() or path.read_text() != text:
            write_text(text, path)
    return changes.opened


@contextmanager
def _timed(spent: dict[str, float], step: str) -> Iterator[None]:
    began = time.perf_counter()
    try:
        yield
    finally:
        spent[step] = time.perf_counter() - began
