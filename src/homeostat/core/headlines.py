"""A decision in one short line; its numbers stand in the table of evidence below it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from homeostat.core.approval import Outcome, PendingApproval
from homeostat.core.evidence_table import row
from homeostat.core.findings import CANNOT_JUDGE, Decision, Due, Finding, objections
from homeostat.core.rules import DRIFT, Reason, Rule
from homeostat.core.text import change, count, listed, percent, span

NAMED = 3  # findings that a headline names
BY_A_PERSON = "`homeostat promote candidate --why TEXT`"
COMPARING = {Rule.NOT_WORSE: "the champion", Rule.BEATS_BASELINE: "the baseline"}  # rules of the gate


def headline(decision: Decision) -> str:
    """What was decided, and what started it.

    >>> headline(Decision("nothing", Reason.NO_BATCH))
    'Nothing in service: no batch of events has been accepted yet.'
    """
    if decision.text:
        return decision.text
    trigger = [*([_due(decision.trigger.due)] if decision.trigger.due else []), *_quoted(decision.trigger.findings)]
    started = f" Trigger: {listed(trigger, NAMED)}." if trigger else ""
    return f"{_verb(decision)}: {summary(decision)}.{started}{_also_failed(decision)}{_answered(decision)}"


def summary(decision: Decision) -> str:
    """What was decided, without the action and what started it: ``v0.5.0 replaces v0.4.0 (loss: late -4.6 %)``."""
    return decision.text or SUMMARIES[decision.reason](decision)


def _also_failed(decision: Decision) -> str:
    """What failed of the champion and started nothing, where the headline does not name it anyway."""
    if not decision.gate:  # then the findings are what the headline is about
        return ""
    named = {*decision.trigger.findings, *(f.name for f in decision.findings if f.rule == Rule.LABELS)}
    others = [f.name for f in decision.findings if f.failed and f.name not in named]
    return f" Failed too: {listed(_quoted(others), NAMED)}." if others else ""


def _answered(decision: Decision) -> str:
    """Who approved what was done, or that nobody did in time."""
    outcome = Outcome.of(decision)
    if outcome is None or decision.action == "nothing":
        return ""
    if outcome.answer == "approve":
        return f" Approved by {outcome.who}: {outcome.why}."
    return f" Nobody answered until {outcome.until:%Y-%m-%d %H:%M}."


def _verb(decision: Decision) -> str:
    champion = decision.versions.champion
    if decision.action in ("nothing", "keep"):
        return f"Keep {champion}" if champion else "Nothing in service"
    return decision.action.capitalize()


def _due(due: Due) -> str:
    return {
        "first": "no candidate so far",
        "interval": f"{_scheduled(due)} is of {due.since:%Y-%m-%d}" if due.since else "",
        "warm-up": f"the warm-up ended on {due.since:%Y-%m-%d}" if due.since else "",
        "fallback": f"the baseline serves since {due.since:%Y-%m-%d}" if due.since else "",
        "ladder": f"the ladder was last judged on {due.since:%Y-%m-%d}" if due.since else "the ladder is new",
        "request": due.request,
    }[due.kind]


def _scheduled(due: Due) -> str:
    if not due.objectives:
        return "scheduled, the last candidate"
    return f"scheduled for {listed(due.objectives, len(due.objectives))}, whose last fit"


def _first(decision: Decision) -> str:
    why = decision.facts.get("why")
    return f"{_candidate(decision)}, the baseline, is the first in service{f': {why}' if why else ''}"


def _passed(decision: Decision) -> str:
    versions = decision.versions
    if decision.action == "release" or not versions.champion:  # what the gate says, before anything replaces anything
        return f"{_candidate(decision)} passes its gate{_bracketed(_gate_changes(decision))}{_doubts(decision)}"
    return _replaces_champion(decision)


def _replaces_champion(decision: Decision) -> str:
    candidate, champion = _candidate(decision), decision.versions.champion
    changes = _gate_changes(decision, named=False)
    judged = [f for f in decision.gate if f.rule == Rule.NOT_WORSE and f.value is not None]
    if any((f.value or 0.0) > 0 for f in judged):
        changes.append("within the margin" if len(judged) == 1 else "within the margins")
    rules = {f.rule for f in decision.gate}
    if Rule.ENOUGH_ROWS in rules and Rule.BEATS_BASELINE not in rules:  # it need not beat itself
        candidate = f"{candidate}, the baseline on newer data,"
    return f"{candidate} replaces {champion}{_bracketed(changes)}"


def _doubts(decision: Decision) -> str:
    """What a first model rests on that is better than honest ones are."""
    too_good = [f for f in (*decision.gate, *decision.findings) if f.rule == Rule.TOO_GOOD]
    return "".join(f"; {f.subject} is too good to trust, resting on {listed(f.facts['features'], 3)}" for f in too_good)


def _would_pass(decision: Decision) -> str:
    versions, changes = decision.versions, _bracketed(_gate_changes(decision))
    if versions.candidate and versions.candidate == versions.champion:
        return f"the candidate is {versions.champion} itself, byte for byte"
    return f"{_candidate(decision)} passes its gate{changes} and would be released; {BY_A_PERSON} releases it now"


def _failed(decision: Decision) -> str:
    return f"{_candidate(decision)} fails its gate: {_objections(decision)}"


def _cannot_judge(decision: Decision) -> str:
    return f"{_candidate(decision)} cannot be judged: {_objections(decision)}"


def _objections(decision: Decision) -> str:
    against = objections(decision.gate or decision.findings)
    return listed([_measured(f) for f in sorted(against, key=lambda f: not f.failed)], NAMED)


def _previous_better(decision: Decision) -> str:
    champion, previous, candidate = decision.versions.champion, decision.versions.previous, _candidate(decision)
    better = _bracketed(_changes(decision, previous, champion))
    if decision.action == "roll back":
        return f"{previous} replaces {champion}{better}"
    replaced = _replaces_champion(decision)
    ahead = _bracketed(_changes(decision, decision.versions.candidate, previous))
    return f"{replaced}, which {previous} beats too{better}; {candidate} beats {previous}{ahead}"


def _worse_than_baseline(decision: Decision) -> str:
    lost = [f for f in decision.findings if f.failed and f.rule == Rule.AGAINST_BASELINE and f.value is not None]
    by = _bracketed([f"{f.subject} {change(f.value or 0.0)}" for f in lost])
    baseline = f"the baseline {decision.facts.get('baseline', '')}".rstrip()
    return f"{baseline} replaces {decision.versions.champion}, which loses to it{by}"


def _barred(decision: Decision) -> str:
    bar = decision.facts["barred"]
    passed, day = f"{_candidate(decision)} passes its gate but is", f"{datetime.fromisoformat(bar['at']):%Y-%m-%d}"
    if bar["until"] is None:
        return (
            f"{passed} {bar['version']} byte for byte, which {bar['who']} yanked on {day} ({bar['why']}); "
            "change what it is made from, or wait for data"
        )
    until = f"{datetime.fromisoformat(bar['until']):%Y-%m-%d}"
    rolled_back = f"same code and scope as {bar['version']}, rolled back on {day}"
    return f"{passed} barred until {until}: {rolled_back}; {BY_A_PERSON} releases it now"


def _rollout_first(decision: Decision) -> str:
    tried = decision.versions.candidate
    return f"{tried} is being tried beside it, and its steps decide first; to end that, promote it or roll back"


def _no_candidate(decision: Decision) -> str:
    spent, rests = decision.facts.get("spent"), decision.facts.get("rests_until")
    signs = [f for f in decision.findings if f.name in decision.trigger.findings]
    why = ""
    if spent:
        why = f": findings have asked for {spent} since the last change in service; `homeostat run training` makes one"
    elif signs and all(f.rule in DRIFT for f in signs):
        why = ", for drift alone asks for none"
    elif rests:
        why = f": the last was judged within a cool-down, which ends on {rests[:10]}"
    return f"no candidate was made{why}"


def _noted(_: Decision) -> str:
    return "drift is noted, and quality is as it was promised"


def _not_as_judged(decision: Decision) -> str:
    versions = decision.versions
    return f"{versions.previous} replaces {versions.champion}, whose scores are not those that were judged"


def _weights(decision: Decision) -> str:
    versions, weights = decision.versions, decision.facts["weights"]
    changed = listed([f"{name} {_value(was)} -> {_value(now)}" for name, (was, now) in weights.items()], NAMED)
    models = f"weights changed: {changed}; the models are those of {versions.champion}"
    if decision.action == "release":
        return f"{versions.candidate}, {models}"
    return f"{models}, and they fail their gate: {_objections(decision)}"


def _continued(decision: Decision) -> str:
    versions, changes = decision.versions, _bracketed(_gate_changes(decision, named=False))
    if decision.action == "release":
        return f"{versions.candidate} continues {versions.champion}{changes}"
    return f"the continuation does not pass: {_objections(decision)}"


def _value(value: float | str | None) -> str:
    """A weight or cost; none where the scope has no such entry."""
    return "none" if value is None else value if isinstance(value, str) else f"{value:g}"


def _level(decision: Decision) -> str:
    versions, ratios = decision.versions, decision.facts["calibrators"]
    moved = listed([f"{name} {was:.2f} -> {now:.2f}" for name, (was, now) in ratios.items()], NAMED)
    made = versions.candidate or "new calibrators"
    return f"{made}, predicted/observed {moved}; the models are those of {versions.champion}"


def _waits(decision: Decision) -> str:
    """What is proposed, until when a person may answer, and what is done otherwise."""
    pending = PendingApproval.of(decision)
    unanswered = f"{decision.versions.champion} stays" if pending.default == "keep" else "it is done"
    until = f"waits for approval until {pending.until:%Y-%m-%d %H:%M}; if nobody answers, {unanswered}"
    proposed = SUMMARIES[pending.reason](replace(decision, action=pending.action, reason=pending.reason))
    return f"{pending.action} {until}: {proposed}"


def _approval_first(_: Decision) -> str:
    return "an earlier decision waits for approval, and no other change is made meanwhile"


def _declined(decision: Decision) -> str:
    outcome = _outcome(decision)
    return f"{outcome.who} declined to {outcome.action}, as decided on {outcome.asked:%Y-%m-%d %H:%M}: {outcome.why}"


def _unanswered(decision: Decision) -> str:
    outcome = _outcome(decision)
    asked = f"to {outcome.action}, as decided on {outcome.asked:%Y-%m-%d %H:%M}"
    return f"nobody approved {asked}, until {outcome.until:%Y-%m-%d %H:%M}"


def _void(decision: Decision) -> str:
    outcome = _outcome(decision)
    return f"the decision of {outcome.asked:%Y-%m-%d %H:%M} to {outcome.action} is void: {outcome.why}"


def _outcome(decision: Decision) -> Outcome:
    outcome = Outcome.of(decision)
    assert outcome is not None, "it waited"
    return outcome


def _labels(decision: Decision) -> str:
    odd = {f.since for f in decision.findings if f.failed and f.rule == Rule.LABELS}
    return f"labels cannot be trusted since {min(odd)}, so nothing learns from them or is judged by them"


def _nothing_due(decision: Decision) -> str:
    outcomes = Counter(f.outcome for f in decision.findings)
    drifted, unsure = outcomes.pop("explains", 0), outcomes["too few to say"]
    more = f", {unsure} had too few events" if unsure else ""
    more += f"; {count(drifted, 'feature')} drifted" if drifted else ""
    rules, failed = count(outcomes.total(), "rule"), [f.name for f in decision.findings if f.failed]
    if failed:
        return f"{len(failed)} of {rules} failed ({listed(_quoted(failed), NAMED)}) and no action follows{more}"
    return f"none of {rules} failed{more}"


def _no_batch(_: Decision) -> str:
    return "no batch of events has been accepted yet"


def _not_mature(decision: Decision) -> str:
    return f"no event of {decision.facts['objective']} is mature yet"


def _step_passed(decision: Decision) -> str:
    versions, following = decision.versions, decision.facts["next"]
    if following is None:
        return f"{versions.candidate} replaces {versions.champion} for all keys"
    return f"{versions.candidate} goes from {_place(decision)} to {percent(following)} of keys"


def _step_failed(decision: Decision) -> str:
    champion, challenger = decision.versions.champion, decision.versions.candidate
    failed = listed([_measured(f) for f in decision.findings if f.failed], NAMED)
    return f"{challenger} is taken back from {_place(decision)}, {champion} answers all; failed {failed}"


def _step_waits(decision: Decision) -> str:
    facts = decision.facts
    elapsed, hold = (timedelta(seconds=facts[k]) for k in ("elapsed", "hold"))
    stays = f"{decision.versions.candidate} stays at {_place(decision)}"
    if elapsed < hold:
        return f"{stays}: the step has run {span(elapsed)} of {span(hold)}"
    lacking = [_measured(f) for f in decision.findings if f.outcome == "too few to say"]
    waits = f"{stays}: too few to say {listed(lacking, NAMED)}"
    return f"{waits}; it has waited {span(elapsed)}: promote it or roll back to end this" if facts["stuck"] else waits


SUMMARIES: Mapping[Reason, Callable[[Decision], str]] = {
    Reason.NO_BATCH: _no_batch,
    Reason.NOT_MATURE: _not_mature,
    Reason.FIRST: _first,
    Reason.PASSED: _passed,
    Reason.WOULD_PASS: _would_pass,
    Reason.FAILED: _failed,
    Reason.CANNOT_JUDGE: _cannot_judge,
    Reason.BARRED: _barred,
    Reason.PREVIOUS_BETTER: _previous_better,
    Reason.ROLLOUT_FIRST: _rollout_first,
    Reason.NO_CANDIDATE: _no_candidate,
    Reason.NOTED: _noted,
    Reason.NOT_AS_JUDGED: _not_as_judged,
    Reason.WEIGHTS: _weights,
    Reason.LEVEL: _level,
    Reason.CONTINUED: _continued,
    Reason.WORSE_THAN_BASELINE: _worse_than_baseline,
    Reason.LABELS: _labels,
    Reason.NOTHING_DUE: _nothing_due,
    Reason.WAITS: _waits,
    Reason.APPROVAL_FIRST: _approval_first,
    Reason.DECLINED: _declined,
    Reason.UNANSWERED: _unanswered,
    Reason.VOID: _void,
    Reason.STEP_PASSED: _step_passed,
    Reason.STEP_FAILED: _step_failed,
    Reason.STEP_WAITS: _step_waits,
}


def _candidate(decision: Decision) -> str:
    return decision.versions.candidate or "the candidate"


def _place(decision: Decision) -> str:
    share = decision.facts["share"]
    return "shadow" if share is None else f"{percent(share)} of keys"


def _changes(decision: Decision, version: str, other: str) -> list[str]:
    """By objective how far the loss of one version lies from that of another."""
    compared = [c for c in decision.comparisons if (c.version, c.other) == (version, other)]
    return _losses([f"{c.objective} {change(c.share)}" for c in compared])


def _losses(changes: list[str]) -> list[str]:
    """The changes by objective, of which the first says what has changed."""
    return [f"loss: {changes[0]}", *changes[1:]] if changes else []


def _gate_changes(decision: Decision, named: bool = True) -> list[str]:
    """The same by the findings of the gate: against the champion, or where there is none against the baseline."""
    findings = decision.gate or decision.findings
    for rule, other in COMPARING.items():
        if compared := [f for f in findings if f.rule == rule and f.value is not None]:
            against = f" against {other}" if named else ""
            return _losses([f"{f.subject} {change(f.facts['share'])}{against}" for f in compared])
    return []


def _measured(finding: Finding) -> str:
    """A finding by name, with its value and limit; with its interval, where that is why it cannot be judged."""
    shown = row(finding)
    ends = f"{shown.interval}; " if finding.outcome == CANNOT_JUDGE and shown.interval else ""
    value = " ".join(part for part in (shown.value, f"({ends}limit {shown.limit})" if shown.limit else "") if part)
    return f"`{finding.name}` {value}".rstrip()


def _quoted(names: Iterable[str]) -> list[str]:
    return [f"`{name}`" for name in names]


def _bracketed(parts: list[str]) -> str:
    return f" ({', '.join(parts)})" if parts else ""
