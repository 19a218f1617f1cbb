"""The scope as a page that a domain expert can read: sections of sentences, and the problems in it."""

from __future__ import annotations

import itertools
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from homeostat.checks.scope_problems import scope_problems
from homeostat.core.approval import DONE_UNANSWERED
from homeostat.core.costs import threshold
from homeostat.core.errors import ScopeError
from homeostat.core.text import count, metric_name, percent, side
from homeostat.project.layout import WORKTREE
from homeostat.project.value_types import format_duration

if TYPE_CHECKING:
    from homeostat.project.layout import Project
    from homeostat.project.scope import Abstain, Approval, Objective, Rollout, Scope, Source
    from homeostat.project.training_scope import Rung

WIDTH = 100
TASKS = {"binary": "yes or no", "regression": "an amount", "ranking": "an order within each group"}


@dataclass(frozen=True)
class Page:
    """The page, its problems at the end of it."""

    text: str
    problems: tuple[str, ...]


HISTORY = {
    "warn": "A batch unlike those before it trains nothing until it is released; quarantined if a repair fits exactly.",
    "quarantine": "A batch unlike those before it is quarantined.",
    "off": "Batches are not compared with those before them.",
}


def scope_page(project: Project, gates: Iterable[str] = (), questions: Iterable[str] = ()) -> Page:
    """The scope in sentences; contracts, SQL expressions and features.sql are checked against it.

    ``gates`` and ``questions``: a line each, on how the release in service stands at them.
    """
    scope = project.scope
    problems = scope_problems(project)
    sections = [
        ("What we predict, and why", _predicted(scope)),
        *([("Before a model", answers)] if (answers := list(questions)) else []),
        ("The data, and when they become known", _data(project)),
        ("What mistakes cost", _costs(scope)),
        ("How a model is made and measured", _training(scope)),
        ("What a release must pass", _release(scope)),
        *([("How a release begins to serve", _rollout(scope.rollout))] if scope.rollout else []),
        ("What is watched, and what happens then", _monitoring(scope)),
        *([("What waits for a person", _approval(scope.approval))] if scope.approval else []),
        ("Who is paged, and when", _paging(scope)),
        ("Rhythm", _rhythm(scope)),
        *([("Gates, and the release in service", lines)] if (lines := list(gates)) else []),
        ("Problems", list(problems) or ["None found."]),
    ]
    body = "\n\n".join(f"{title.upper()}\n" + "\n".join(map(_wrapped, lines)) for title, lines in sections)
    return Page(f"THE SCOPE OF {scope.project}\n\n{body}", problems)


def _wrapped(line: str) -> str:
    first = "  " + " " * (len(line) - len(line.lstrip()))
    later = first + "  " * line.lstrip().startswith("- ")
    return textwrap.fill(line.strip(), WIDTH, initial_indent=first, subsequent_indent=later)


def _span(length: timedelta | str) -> str:
    """A length in words.

    >>> _span(timedelta(days=2)), _span(timedelta(hours=1))
    ('2 days', '1 hour')
    """
    if isinstance(length, str):
        return length
    written = format_duration(length)
    unit = {"d": "day", "h": "hour", "m": "minute", "s": "second"}[written[-1]]
    return f"{written[:-1]} {unit}{'' if written[:-1] == '1' else 's'}"


def _predicted(scope: Scope) -> Iterator[str]:
    events = scope.events
    yield scope.goal
    yield f"Every row of {events.source} is an event. A prediction for it is needed at: {events.predict_at}."
    for name, objective in scope.objectives.items():
        yield f"- {name}: {_objective(objective)}"
    horizon = _span(events.label_horizon)
    yield f"An event trains or judges a model once its label is known, {horizon} after its time at the earliest."
    if events.labels_until is not None:
        yield f"Labels of events from {events.labels_until} on are not trusted: they train and judge nothing."
    acted = "changes" if events.acted_on else "does not change"
    yield f"What is done about a prediction {acted} what happens, and so the label."
    for word, columns in (
        ("must not", scope.features.barred),
        ("may, as people have decided,", scope.features.allowed),
    ):
        if columns:
            yield f"Features {word} come from: {', '.join(columns)}."
    yield f"features.sql looks back {_span(scope.features.history)} from the start of each period."


def _objective(objective: Objective) -> str:
    among = "" if objective.where == "true" else f" among rows with {objective.where}"
    uses = count(len(objective.features), "feature") if objective.features else "no features yet"
    return (
        f"{TASKS[objective.task]}, whether {objective.label}{among}; known with the group {objective.known}; "
        f"{uses}; a missed event costs {objective.weight:g}."
    )


def _data(project: Project) -> Iterator[str]:
    for name, source in project.scope.sources.items():
        place = f"{source.package}: {source.path}" if source.package else source.path or "a SQL query"
        every = "read once" if not source.timed else f"one batch every {_span(source.period)}"
        yield f"- {name}, {every}, from {place}; a row is named by {', '.join(source.key)}."
        if away := _outside(source, project.root):
            yield f"    It lies outside the project ({away}): git does not version it, and other hosts need it too."
        if source.timed:
            late = _span(source.late_after)
            yield f"    Its time is {source.time}. A batch that has not arrived {late} after its period is missing."
        for group, known in source.known_at.items():
            yield f"    {group} ({count(len(known.columns), 'column')}) is known at {known.at}."
        if source.volume is not None:
            off = percent(source.volume)
            yield f"    A batch is quarantined if its size is more than {off} off the median of the last 28."
        if source.timed:
            yield f"    {HISTORY[source.history]}"
        yield from _contract(project, name)


def _outside(source: Source, root: Path) -> str:
    """How the files of a source lie outside the project; empty where they are in it, or in a package."""
    if source.package is not None:
        return ""
    if source.path is None:
        return "behind a database's url"
    if "://" in source.path:
        return "at an address"
    if Path(source.path).is_absolute():
        return "by an absolute path"
    fixed = itertools.takewhile(lambda part: not set(part) & set("*?["), Path(source.path).parts)
    if (root.resolve() / Path(*fixed)).resolve().is_relative_to(root.resolve()):
        return ""
    if ".." in Path(source.path).parts:
        return f"by .., which scheduled work follows from {WORKTREE}: write an absolute path"
    return "by a link"


def _contract(project: Project, name: str) -> Iterator[str]:
    from homeostat.adapters.gx import SEVERITIES, rules_of

    path = project.contracts / f"{name}.json"
    if not path.is_file():
        yield f"    It has no contract: only schema, keys, size and time are checked (expectations/{name}.json)."
        return
    try:
        rules = rules_of(path.read_bytes(), path.name)
    except ScopeError:
        return  # it is among the problems
    many = Counter(rule.get("severity") for rule in rules)
    yield f"    Its contract has {', '.join(f'{many[s]} {s}' for s in SEVERITIES)}:"
    for rule in sorted(rules, key=lambda r: SEVERITIES.index(r["severity"]) if r.get("severity") in SEVERITIES else 9):
        yield f"    {rule.get('severity')}: {rule.get('meta', {}).get('reason', 'no reason given')}"


def _costs(scope: Scope) -> Iterator[str]:
    yield f"A false alert costs {scope.costs.alert:g}; a missed event costs the weight of its objective."
    most = count(scope.costs.capacity, "alert")
    yield f"At most {most} in one period of {scope.events.source}: for the riskiest events."
    for name, objective in scope.objectives.items():
        from_on = threshold(objective, scope.costs.alert)
        if from_on is not None:
            yield f"- {name}: by itself worth an alert above a score of {from_on:.3g}."
    if scope.costs.abstain is not None:
        yield from _abstain(scope.costs.abstain)
    for name, expression in scope.events.filters.items():
        yield f"- Filter {name}: an event with {expression} is neither ranked nor acted on."


def _abstain(abstain: Abstain) -> Iterator[str]:
    if abstain.margin is not None:
        yield f"- Where acting and not acting are expected to cost the same within {abstain.margin:g}, it abstains."
    for name, (low, high) in abstain.scores.items():
        yield f"- Where the score of {name} lies from {low:g} to {high:g}, it abstains."
    what = {"drop": "nothing is done", "ask for more": "more is asked for", "person": "a person decides"}
    yield f"  Then {what[abstain.then]}; a release may leave {percent(abstain.most)} of events so at most."


def _training(scope: Scope) -> Iterator[str]:
    windows, training, evaluation = scope.windows, scope.training, scope.evaluation
    length = "all history" if windows.train == "all" else f"the last {_span(windows.train)}"
    yield f"The model is {training.model}, trained on {length}; the last {_span(windows.holdout)} judge it."
    if training.calibrate and any(o.task == "binary" for o in scope.objectives.values()):
        yield "Where things happen more or less often than it says, in the same order, its scores are calibrated again."
        if training.calibrate != ("platt",):
            kinds = " or ".join(training.calibrate)
            yield f"That is {kinds} calibration: the plainest, unless another is better on later events."
    again = "it is fitted once more on everything" if training.refit else "it is released as it is"
    yield f"Once judged, {again}. Until {_span(windows.warm_up)} of history, the baseline is in service."
    baseline = training.baseline
    by = f"the label's rate by {', '.join(baseline.by)}" if baseline.by else baseline.column or baseline.sql
    yield f"The baseline to beat is {by or 'the label rate of all events'}."
    if training.ladder is not None:
        yield f"Every {_span(training.ladder.every)} the rungs of the ladder are judged on the same held-out events."
        margin = percent(scope.ladder_margin)
        yield f"The simplest whose loss is for certain less than {margin} above the best's makes the candidates:"
        yield from (f"- {name}: {_rung(rung)}" for name, rung in training.ladder.rungs.items())
    tasks = dict.fromkeys(o.task for o in scope.objectives.values())
    for task in tasks:
        yield f"Measured ({task}): {', '.join(metric_name(m) for m in getattr(evaluation.metrics, task))}."
    within = f"Each figure comes with a {percent(evaluation.confidence)} CI, overall, by month"
    slices = f" and for each {' and '.join(evaluation.slices)} with {count(evaluation.min_slice, 'event')} or more"
    yield f"{within}{slices if evaluation.slices else ''}."


def _rung(rung: Rung) -> str:
    rule = rung.rule
    parts: list[str] = [rung.model]
    if rule is not None:
        parts.append(rule.column or rule.sql or f"the label's rate by {', '.join(rule.by) or 'nothing'}")
    parts += [f"{count(len(own), 'feature')} for {name}" for name, own in rung.features.items()]
    if rung.lightgbm is not None:
        parts.append(f"{rung.lightgbm.trees} trees of {rung.lightgbm.leaves} leaves")
    return ", ".join(parts)


def _release(scope: Scope) -> Iterator[str]:
    limits = scope.release
    yield f"- {_loss(scope)} at least {percent(limits.beats_baseline)} below the baseline's;"
    yield "- on events that trained neither, for certain less above that of the version in service than"
    for name in scope.objectives:
        drafted = f"half of what past windows differ by ({percent(limits.not_worse)} or more)"
        yield f"  {name}: {percent(limits.margin[name]) if name in limits.margin else drafted},"
    yield f"  and in every slice that can be judged less than {percent(limits.slice_not_worse)} above it;"
    yield "- made by another recipe (features, labels, kind, parameters): costs less, for certain;"
    yield f"- predicted/observed ratio at most {percent(limits.calibration)} off 1."
    if limits.slice_floor is not None:
        yield f"- in every slice {side(-limits.slice_floor)} the baseline's, or not significantly short of it;"
    if limits.slice_gap is not None:
        yield f"- between two slices of a column that gain differs by no more than {percent(limits.slice_gap)};"
    for name, limit in (limits.budget.model_dump(exclude_none=True) if limits.budget else {}).items():
        what = {"megabytes": "MB of bundle", "score_seconds": "s to score an event", "make_seconds": "s to make it"}
        yield f"- at most {limit:g} {what[name]};"
    asked = count(limits.ask_after, "candidate")
    yield f"What cannot be judged is not released; after {asked} in a row a person is asked."


def _rollout(rollout: Rollout) -> Iterator[str]:
    steps = ", then ".join(map(percent, rollout.steps))
    yield {
        "at once": "A release that passed is in service at once, for all keys.",
        "shadow": "A release that passed first scores the requests without answering them.",
        "canary": f"A release that passed first answers {steps} of the keys.",
    }[rollout.strategy]
    lasts = f"A step lasts {_span(rollout.hold)} or more, until {count(rollout.events, 'event', 'were')} scored"
    yield f"{lasts}; one that waits for them longer than {_span(rollout.patience)} alerts."
    yield "A release that is tried is taken back where, by a significant difference,"
    yield f"- it fails {percent(rollout.errors)} of requests more than the version in service;"
    yield f"- 95 % of its answers take longer than {1000 * rollout.latency:g} ms, and longer than that version's;"
    yield f"- its scores lie more than {rollout.score_drift:g} from that version's of the same time;"
    yield "- its loss on mature events is above that version's by more than a release may be."


def _monitoring(scope: Scope) -> Iterator[str]:
    watch, rhythm = scope.monitoring, scope.rhythm
    yield f"Every {_span(rhythm.decide)}, the mature events of the last {_span(watch.window)} are judged:"
    yield (
        f"- {_loss(scope)}, over the baseline's on the same events, more than {percent(watch.quality_drop)} above "
        "the release's promise, or above the baseline's at all: a finding."
    )
    yield f"- The predicted/observed ratio more than {percent(watch.calibration)} off 1: a finding."
    yield f"- A feature lacks {percent(watch.missing_rise)} more of its values than when the model was made: a finding."
    yield (
        f"- {percent(watch.drift_share)} of the columns with a drift score ({watch.drift_method}) above "
        f"{watch.drift_limit:g}, or predictions above {watch.score_drift:g}: a finding."
    )
    yield "A difference is a finding only where it is significant."
    yield "A finding starts a decision: the previous version and a fresh candidate are judged on the same events."
    yield (
        f"The previous version comes back if it is at least {percent(watch.roll_back)} better; a candidate is released "
        "if it passes as a release; otherwise nothing changes, but where a model loses to the baseline and costs more: "
        "there the baseline serves."
    )
    yield f"After that, drift alone starts no decision for {_span(watch.cool_down)}."
    yield (
        f"Findings on quality ask for {count(watch.retrain_budget, 'fresh candidate')} at most until something changes "
        f"in service, one in {_span(watch.cool_down)}."
    )


def _approval(approval: Approval) -> Iterator[str]:
    limit = "" if approval.above is None else f"more than {percent(approval.above)} above the champion"
    above = f", where they may cost {limit}" if limit else ""
    yield f"These wait for approval for {_span(approval.within)}{above}:"
    for place, action in enumerate(approval.actions, 1):
        unanswered = "it is done" if action in DONE_UNANSWERED else "the release in service stays"
        yield f"- {action}; if nobody answers, {unanswered}{'.' if place == len(approval.actions) else ';'}"
    yield f"{' or '.join(approval.by) or 'Anybody'} may answer."


def _paging(scope: Scope) -> Iterator[str]:
    """What pages (``alarms``), and who hears of it (``alerts``)."""
    if scope.alarms is None:
        yield "There is no alarm budget (alarms): every incident pages a person."
    else:
        pages = count(scope.alarms.false_pages, "false page")
        yield (
            f"Alarm budget (alarms): at most {pages} in {_span(scope.alarms.within)}. What may be chance is noted; a "
            "person is paged where something moved further than the budget leaves to chance, and where a fault is "
            "certain."
        )
    if (business := scope.business) is not None:
        yield (
            f"Business (business): the mean of {business.value} over {business.source}, {business.better} is better; a "
            "person is paged where a release's loss fell and that got worse."
        )
    alerts = scope.alerts
    sent = f"messages go to the addresses in the variable {alerts.notify}" if alerts.notify else "no messages are sent"
    unanswered = f"one that nobody has answered for {_span(alerts.escalate_after)} is escalated"
    yield f"Incidents are on the status, and {sent} (alerts); {unanswered}."


def _rhythm(scope: Scope) -> Iterator[str]:
    rhythm, clock = scope.rhythm, scope.clock
    begin = f"{_span(rhythm.offset)} after midnight" if rhythm.offset else "at midnight"
    yield f"- Data and predictions every {_span(rhythm.tick)}; days begin {begin}, UTC."
    yield f"- Monitoring and a decision every {_span(rhythm.decide)}."
    yield f"- A fresh candidate every {_span(rhythm.retrain)} at the latest."
    if clock.start is not None:
        yield f"The project's own clock starts at {clock.start} and runs {clock.speed:g} times as fast as the wall's."
    yield f"Scheduled work runs the code of the git branch {scope.branch}."
    if scope.remote is not None:
        agree = f"Hosts agree on the release in service by the git remote {scope.remote.git}"
        yield f"{agree}; a host that serves fetches it every {_span(scope.remote.every)}."


def _loss(scope: Scope) -> str:
    tasks = dict.fromkeys(o.task for o in scope.objectives.values())
    return " and ".join(metric_name(getattr(scope.evaluation.metrics, task)[0]) for task in tasks)
