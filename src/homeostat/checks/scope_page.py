"""The scope as a page that a domain expert can read: sections of sentences, and the problems in it."""

from __future__ import annotations

import itertools
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from homeostat.checks.scope_problems import scope_problems
from homeostat.core.approval import DONE_UNANSWERED
from homeostat.core.costs import threshold
from homeostat.core.drift import P_VALUES
from homeostat.core.errors import ScopeError
from homeostat.core.text import count, metric_name, percent, side
from homeostat.project.layout import WORKTREE
from homeostat.project.value_types import format_duration

if TYPE_CHECKING:
    from homeostat.project.layout import Project
    from homeostat.project.scale_scope import Scale
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
    "warn": "A batch unlike those before it trains nothing until a person accepts it; if a repair fits exactly, it is "
    "quarantined.",
    "quarantine": "A batch unlike those before it is quarantined.",
    "off": "Batches are not compared with those before them.",
}


def scope_page(
    project: Project, gates: Iterable[str] = (), margins: Mapping[str, float] | None = None,
    questions: Iterable[str] = (),
) -> Page:  # fmt: skip
    """The scope in sentences; contracts, SQL expressions and features.sql are checked against it.

    ``gates`` and ``questions``: a line each, on how the release in service stands at them. ``margins``: those that the
    last candidate was judged by, shares by objective.
    """
    scope = project.scope
    problems = scope_problems(project)
    sections = [
        ("What we predict, and why", _predicted(scope)),
        *([("Before a model", answers)] if (answers := list(questions)) else []),
        ("The data, and when they become known", _data(project)),
        ("What mistakes cost", _costs(scope)),
        ("How a model is made and measured", _training(scope)),
        ("What a release must pass", _release(scope, margins or {})),
        *([("How a release begins to serve", _rollout(scope, scope.rollout))] if scope.rollout else []),
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
    yield f"Acting on a prediction {acted} the outcome, and so the label."
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
        f"{TASKS[objective.task]}, whether {objective.label}{among}; known when column group {objective.known} is; "
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
            yield f"    Column group {group} ({count(len(known.columns), 'column')}) is known at {known.at}."
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
    yield f"At most {most} per period of {scope.events.source}, for the riskiest events."
    for name, objective in scope.objectives.items():
        from_on = threshold(objective, scope.costs.alert)
        if from_on is not None:
            yield f"- {name}: worth an alert by itself above a score of {from_on:.3g}."
    if scope.costs.abstain is not None:
        yield from _abstain(scope.costs.abstain)
    for name, expression in scope.events.filters.items():
        yield f"- Filter {name}: an event with {expression} is neither ranked nor acted on."


def _abstain(abstain: Abstain) -> Iterator[str]:
    if abstain.margin is not None:
        yield f"- It abstains where the expected costs of acting and not acting differ by under {abstain.margin:g}."
    for name, (low, high) in abstain.scores.items():
        yield f"- It abstains where the score of {name} lies from {low:g} to {high:g}."
    what = {"drop": "nothing is done", "ask for more": "more is asked for", "person": "a person decides"}
    yield f"  Then {what[abstain.then]}; a release may abstain from at most {percent(abstain.most)} of the events."


def _training(scope: Scope) -> Iterator[str]:
    windows, training, evaluation = scope.windows, scope.training, scope.evaluation
    length = _history(windows.train)
    yield f"The model is {training.model}, trained on {length}; the last {_span(windows.holdout)} judge it."
    for name, objective in scope.objectives.items():
        if objective.train is not None:
            yield f"- {name} is trained on {_history(objective.train)}."
    if training.calibrate and any(o.task == "binary" for o in scope.objectives.values()):
        yield "If the ranking holds but the predicted/observed ratio is off, the scores are recalibrated."
        if training.calibrate != ("platt",):
            kinds = " or ".join(training.calibrate)
            yield f"By {kinds} calibration: the simplest, unless another is significantly better on later events."
    again = "it is fitted again on everything" if training.refit else "it is released as it is"
    yield f"Once judged, {again}. The baseline serves until there are {_span(windows.warm_up)} of history."
    baseline = training.baseline
    by = f"the label's rate by {', '.join(baseline.by)}" if baseline.by else baseline.column or baseline.sql
    yield f"The baseline to beat is {by or 'the label rate of all events'}."
    if training.ladder is not None:
        yield f"Every {_span(training.ladder.every)} the rungs of the ladder are judged on the same held-out events."
        margin = percent(scope.ladder_margin)
        yield f"The simplest whose loss is significantly less than {margin} above the best's makes the candidates:"
        yield from (f"- {name}: {_rung(rung)}" for name, rung in training.ladder.rungs.items())
    tasks = dict.fromkeys(o.task for o in scope.objectives.values())
    for task in tasks:
        yield f"Measured ({task}): {', '.join(metric_name(m) for m in getattr(evaluation.metrics, task))}."
    within = f"Each figure comes with a {percent(evaluation.confidence)} CI, overall, by month"
    slices = f" and for each {' and '.join(evaluation.slices)} with {count(evaluation.min_slice, 'event')} or more"
    yield f"{within}{slices if evaluation.slices else ''}."
    if evaluation.runs > 1:
        yield f"Times are too few: each time's events count as {evaluation.runs} blocks by key, as if independent."


def _history(length: timedelta | str) -> str:
    return "all history" if isinstance(length, str) else f"the last {_span(length)}"


def _rung(rung: Rung) -> str:
    rule = rung.rule
    parts: list[str] = [rung.model]
    if rule is not None:
        parts.append(rule.column or rule.sql or f"the label's rate by {', '.join(rule.by) or 'nothing'}")
    parts += [f"{count(len(own), 'feature')} for {name}" for name, own in rung.features.items()]
    if rung.weights:
        parts.append(f"the losses of {', '.join(f'{name} times {w:g}' for name, w in rung.weights.items())} added up")
    if rung.lightgbm is not None:
        parts.append(f"{rung.lightgbm.trees} trees of {rung.lightgbm.leaves} leaves")
    return ", ".join(parts)


def _release(scope: Scope, margins: Mapping[str, float]) -> Iterator[str]:
    limits, loss = scope.release, _loss(scope)
    level = percent(2 * scope.evaluation.confidence - 1)  # of two ends that are each one-sided at the confidence
    yield f"- {loss} at least {percent(limits.beats_baseline)} below the baseline's;"
    yield (
        f"- not worse than the champion (the release in service) on events that trained neither: the upper end of the "
        f"{level} CI of the difference in {loss} lies below the margin:"
    )
    for name in scope.objectives:
        yield f"  {name}: {_margin(scope, name, margins)};"
    yield (
        f"- in no slice worse: there the upper end lies below {percent(limits.slice_not_worse)}; a slice whose CI is "
        "too wide for that fails only if it is significantly worse, and by more than that;"
    )
    yield "- if made by another recipe (features, labels, kind, parameters): significantly lower cost;"
    if limits.slice_floor is not None:
        yield f"- in every slice {side(-limits.slice_floor)} the baseline's, or not significantly short of it;"
    for name, limit in (limits.fairness.model_dump(exclude_none=True) if limits.fairness else {}).items():
        of = {"parity": "share that is given an alert", "odds": "shares given one of events that happened, or did not"}
        columns = " and of ".join(scope.evaluation.fairness)
        yield f"- the {of[name]}, differs by at most {_points(limit)} between groups of {columns};"
    if limits.slice_gap is not None:
        yield f"- the gain over the baseline differs by at most {_points(limits.slice_gap)} between slices of a column;"
    for name, limit in (limits.budget.limits if limits.budget else {}).items():
        what = {"megabytes": "MB of bundle", "score_seconds": "s to score an event", "make_seconds": "s to make it",
                "score_memory": "MB of memory to score", "make_memory": "MB of memory to make it",
                "score_cost": "of money for 1,000 scores", "make_cost": "of money to make it"}  # fmt: skip
        yield f"- at most {limit:g} {what[name]};"
    low, high = (f"{1 + off:.3g}" for off in (-limits.calibration, limits.calibration))
    yield f"- predicted/observed ratio not significantly outside {low} to {high}, or as near to 1 as the champion's."
    yield f"A candidate that cannot be judged is not released; after {limits.ask_after} in a row an incident opens."


def _margin(scope: Scope, name: str, margins: Mapping[str, float]) -> str:
    """The margin of an objective: the scope's own, or how it is drafted and what that last came to."""
    own = scope.release.margin.get(name)
    if own is not None:
        return percent(own)
    least, most = percent(scope.release.not_worse), percent(scope.monitoring.roll_back)
    last = f"; now {percent(margins[name])}" if name in margins else ""
    return f"half the standard deviation of past windows, from {least} to {most}{last}"


def _points(share: float) -> str:
    """A difference of two shares.

    >>> _points(0.2), _points(0.01)
    ('20 percentage points', '1 percentage point')
    """
    return f"{100 * share:g} percentage point{'' if share == 0.01 else 's'}"


def _rollout(scope: Scope, rollout: Rollout) -> Iterator[str]:
    steps = ", then ".join(map(percent, rollout.steps))
    yield {
        "at once": "A release that passed is in service at once, for all keys.",
        "shadow": "A release that passed first scores the requests without answering them.",
        "canary": f"A release that passed first answers {steps} of the keys.",
    }[rollout.strategy]
    lasts = f"A step of a canary or shadow lasts at least {_span(rollout.hold)}"
    yield f"{lasts}, and until {count(rollout.events, 'event', 'were')} scored."
    yield f"A step that waits longer than {_span(rollout.patience)} raises an incident."
    yield "A release on trial is rolled back if, significantly,"
    yield f"- it fails {_points(rollout.errors)} more of its requests than the champion;"
    yield f"- the 95th percentile of its response times is above {1000 * rollout.latency:g} ms and the champion's;"
    yield f"- its scores drift more than {rollout.score_drift:g} from the champion's of the same time;"
    yield f"- its loss on mature events is more than {percent(scope.release.not_worse)} above the champion's."


def _monitoring(scope: Scope) -> Iterator[str]:
    watch, rhythm = scope.monitoring, scope.rhythm
    window = f"the mature events of the last {_span(watch.window)}"
    yield f"Every {_span(rhythm.decide)} a decision evaluates the champion on {window}. A rule fails if"
    yield (
        f"- {_loss(scope)}, relative to the baseline's on the same events, is more than {percent(watch.quality_drop)} "
        "above what the release promised, or above the baseline's at all, significantly;"
    )
    yield f"- the predicted/observed ratio is more than {percent(watch.calibration)} off 1, significantly;"
    yield f"- a feature's share of missing values is more than {_points(watch.missing_rise)} above its training data's;"
    beyond = "below" if watch.drift_method in P_VALUES else "above"
    yield (
        f"- more than {percent(watch.drift_share)} of the features have drifted ({watch.drift_method} {beyond} "
        f"{watch.drift_limit:g}), or the scores have ({beyond} {watch.score_drift:g})."
    )
    yield (
        "If one fails, the decision compares the champion with the previous version on the same events, and with a "
        "fresh candidate if cool-down and budget allow one."
    )
    yield (
        f"The previous version comes back if it is at least {percent(watch.roll_back)} better, significantly; a "
        "candidate is released if it passes; the baseline replaces a model that is significantly worse, if its alerts "
        "cost no more. Otherwise the champion stays."
    )
    yield (
        f"Drift alone asks for no candidate, and for that comparison at most once in {_span(watch.cool_down)}. Quality "
        f"asks for at most {count(watch.retrain_budget, 'candidate')} until something changes in service, one in "
        f"{_span(watch.cool_down)}."
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
            f"Alarm budget (alarms): at most {pages} in {_span(scope.alarms.within)}. A finding that may be chance is "
            "noted and pages nobody. A person is paged for a change beyond the budget's limit, and for a certain fault."
        )
    if (business := scope.business) is not None:
        yield (
            f"Business (business): the mean of {business.value} over {business.source}, {business.better} is better; a "
            "person is paged if a release lowers the loss and worsens this, both significantly."
        )
    alerts = scope.alerts
    sent = f"messages go to the addresses in the variable {alerts.notify}" if alerts.notify else "no messages are sent"
    unanswered = f"an incident that nobody has answered for {_span(alerts.escalate_after)} is escalated"
    yield f"Incidents are on the status, and {sent} (alerts); {unanswered}."


def _rhythm(scope: Scope) -> Iterator[str]:
    rhythm, clock = scope.rhythm, scope.clock
    begin = f"{_span(rhythm.offset)} after midnight" if rhythm.offset else "at midnight"
    yield f"- Data and predictions every {_span(rhythm.tick)}; days begin {begin}, UTC."
    yield f"- Monitoring and a decision every {_span(rhythm.decide)}."
    yield f"- A fresh candidate every {_span(rhythm.retrain)} at the latest."
    if (learn := scope.learn) is not None:
        often = f"every {_span(learn.every)}" if learn.every else f"after each {count(learn.batch or 0, 'label')}"
        yield f"- In between, the models in service are continued {often}; scores move by {learn.max_move:g} at most."
    own = {name: objective.retrain for name, objective in scope.objectives.items() if objective.retrain is not None}
    for name, every in own.items():
        yield f"- {name} is fitted afresh every {_span(every)}; objectives that are not due then keep their models."
    if clock.start is not None:
        yield f"The project's own clock starts at {clock.start} and runs {clock.speed:g} times as fast as the wall's."
    yield f"Scheduled work runs the code of the git branch {scope.branch}."
    if scope.scale is not None:
        yield f"Work is spread over {_workers(scope.scale)}."
    if scope.remote is not None:
        agree = f"Hosts agree on the release in service by the git remote {scope.remote.git}"
        yield f"{agree}; a host that serves fetches it every {_span(scope.remote.every)}."


def _workers(scale: Scale) -> str:
    if scale.scheduler is not None:
        return f"the workers of the cluster at {scale.scheduler}"
    low, high = scale.adaptive or (scale.workers, scale.workers)
    many = count(low or 1, "process") if low == high else f"{low} to {high} processes"
    return f"{many} of this machine"


def _loss(scope: Scope) -> str:
    tasks = dict.fromkeys(o.task for o in scope.objectives.values())
    return " and ".join(metric_name(getattr(scope.evaluation.metrics, task)[0]) for task in tasks)
