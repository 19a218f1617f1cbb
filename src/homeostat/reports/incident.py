"""One incident on one screen, for whoever is on call: what, since when, what is to blame, what was done, what to do.

The screen is a record; a terminal and a page show the same ``parts`` of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from homeostat.core.errors import UsageError
from homeostat.core.evidence_table import Row, comparison_rows, option_row
from homeostat.core.evidence_table import row as finding_row
from homeostat.core.findings import QUIET, Finding, objections
from homeostat.core.headlines import headline
from homeostat.core.incidents import ANSWERED, Incident
from homeostat.core.rules import FIRST_COMMAND, OF_DATA, ON_QUALITY, OUTCOMES, Rule
from homeostat.core.sentences import sentence
from homeostat.core.text import change, count, listed, percent
from homeostat.decisions import history
from homeostat.decisions.proposals import Proposal, of_incident
from homeostat.monitoring.answers import answered_incidents
from homeostat.project.clock import clock_now
from homeostat.project.layout import working_tree
from homeostat.reports.status import when

if TYPE_CHECKING:
    from datetime import datetime

    import polars as pl

    from homeostat.core.answers import Answer, Answered
    from homeostat.core.ledger import Ledger
    from homeostat.decisions.history import Decided
    from homeostat.project.layout import Project

SHOWN = 5  # decisions, rows, or incidents before
NAMED = 8  # columns or values in a line
OF_MODEL = ON_QUALITY | {Rule.FALLBACK, Rule.APPROVAL}

OF_EVENTS = OUTCOMES | {Rule.METRICS, Rule.SERVED_SLICES}

Line = tuple[str, str]  # what a line is about, and its text


class Command(NamedTuple):
    """What to type, and what for."""

    text: str
    purpose: str


@dataclass(frozen=True)
class Rows:
    """A few whole rows as text; ``blamed`` are the columns that they are shown for, ``key`` those that identify one."""

    columns: tuple[str, ...] = ()
    values: tuple[tuple[str, ...], ...] = ()
    key: frozenset[str] = frozenset()
    blamed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Screen:
    """``number`` is that of the incident's file; ``before`` are earlier incidents of the same problem, in order."""

    number: str
    incident: Incident
    before: tuple[tuple[str, Incident], ...]
    ledger: Ledger
    decisions: tuple[Decided, ...]  # since it was opened, until it was closed, the newest first
    rows: Rows  # a few of the rows that it is about
    answers: tuple[Answer, ...]  # of people, the oldest first
    owner: str
    snooze: Answer | None  # that holds now
    proposal: Proposal | None  # what waits for approval


@dataclass(frozen=True)
class Part:
    """One thing that the screen says: ``name`` stands left of it in a terminal, ``title`` above it on a page."""

    name: str
    title: str
    texts: tuple[str, ...]


def read(project: Project, number: str | None) -> Screen | None:
    """The incident of that number; without one, the first that still fails, or else the last that did.

    None where no number is given and none is on record.

    Raises:
        UsageError: there is no such incident; the line names those on record.
        EnvironmentFault: the ledger or a record cannot be read.
    """
    from homeostat.adapters.git import read_ledger

    answered = {one.number: one for one in answered_incidents(project)}
    if number is None and not answered:
        return None
    number = _number(project, answered, number)
    on_record = {n: one.incident for n, one in answered.items()}
    incident = on_record[number]
    rule, subject = incident.finding.rule, incident.finding.subject
    alike = {n for n, i in on_record.items() if i.finding.rule == rule and i.finding.subject == subject}
    before = tuple((n, on_record[n]) for n in sorted(alike) if n < number)
    decisions = history.decisions(project)
    taken = history.with_outcomes(project, decisions)
    during = [d for d in taken if incident.opened <= d.at <= (incident.closed or d.at)]
    answers = answered[number].answers
    given = any(answer.kind in ("approve", "decline") for answer in answers)
    proposal = None if given else of_incident(project, number, incident, decisions)
    return Screen(
        number, incident, before, read_ledger(project.home, project.scope.project), tuple(during[::-1]),
        _rows(project, incident), answers, answered[number].owner,
        answered[number].snooze(clock_now(project)), proposal,
    )  # fmt: skip


def number_of(project: Project, number: str | None) -> str:
    """The number of an incident as its file has it; without one, that of the worst.

    Raises:
        UsageError: there is no such incident; the line names those on record.
    """
    return _number(project, {one.number: one for one in answered_incidents(project)}, number)


def parts(screen: Screen) -> list[Part]:
    """What the screen says, the most urgent first; what there is nothing to say of is left out."""
    incident, finding = screen.incident, screen.incident.finding
    every = (
        Part("what", "What", (sentence(finding),)),
        Part("state", "State", (_state(screen),)),
        Part("since", "Since", (_since(incident),)),
        Part("owner", "Owner", (screen.owner,) if screen.owner else ()),
        Part("blame", "To blame", tuple(_blame(finding))),
        Part("cost", "Cost", tuple(_cost(screen.decisions) if finding.rule in OF_MODEL else ())),
        Part("options", "Each action", tuple(_options(screen.decisions) if finding.rule in OF_MODEL else ())),
        Part("done", "What was done", tuple(_done(screen))),
        Part("answers", "What people answered", tuple(f"{when(a.at)}  {a.sentence}" for a in screen.answers)),
        Part("others", "Why nothing else", () if finding.rule in OF_DATA else tuple(_not_done(screen))),
        Part("beside", "On the same rows", tuple(map(_compared, counterfactuals(screen)))),
        Part("rows", "Some of the rows", tuple(_row_lines(screen.rows))),
        Part("before", "Before", tuple(_before(screen.before))),
        Part("type", "What to type", tuple(f"{c.text:58} {c.purpose}" for c in commands(screen))),
    )
    return [part for part in every if part.texts]


def lines(screen: Screen) -> Iterator[Line]:
    """The screen, a line each; a line without a name goes on with the one before."""
    yield "incident", f"{screen.number}  {screen.incident.problem}"
    for part in parts(screen):
        yield from (("" if place else part.name, text) for place, text in enumerate(part.texts))


def commands(screen: Screen) -> list[Command]:
    """What to type first, then what fixes it, then the way back; of a closed one what is left to look at."""
    finding, champion = screen.incident.finding, screen.ledger.champion
    source, batch = batch_of(finding)
    if screen.incident.closed is not None:
        typed = [Command(d.command, "the last decision of its time, whole") for d in screen.decisions[:1]]
        if batch and finding.facts.get("status") != "missing":
            typed.append(Command(f"homeostat data review {source} {batch}", "what came, and what was done with it"))
        return typed
    typed = [_look_first(screen)]
    if batch and finding.facts.get("status") != "missing":
        typed.append(Command(f"homeostat data correct {source} {batch} FILE", "put the right rows in its place"))
        typed.append(Command(f"homeostat data release-rows {source} {batch}", "it is right as it is"))
    if screen.proposal is not None:
        approve = f"homeostat approve {int(screen.number)}"
        typed.append(Command(f"{approve} --why TEXT", screen.proposal.sentence))
        if screen.proposal.waits is not None:
            typed.append(Command(f"{approve} --decline --why TEXT", "no: the release in service stays"))
    if screen.decisions:
        typed.append(Command(screen.decisions[0].command, "the last decision, whole"))
    this = f"homeostat status --incident {int(screen.number)}"
    typed.append(Command(f"{this} --snooze 2d --why TEXT", "let it rest, until it ends or gets worse"))
    typed.append(Command(f"{this} --owner NAME", "say who has it"))
    if finding.rule in OF_MODEL and champion is not None and len({e.version for e in screen.ledger.terms}) > 1:
        typed.append(Command("homeostat rollback --why TEXT", "back to the last healthy release"))
    return typed


def _look_first(screen: Screen) -> Command:
    """What shows the evidence: drift as of the last decision, or the decision itself where an objective moved."""
    finding, text = screen.incident.finding, FIRST_COMMAND[screen.incident.finding.rule]
    if finding.rule == Rule.CHANGE and screen.decisions:
        last = screen.decisions[0]
        blamed = {one["subject"] for one in finding.facts.get("blamed", ())[:1]}
        of_objective = blamed <= {f.subject for f in last.decision.findings if f.rule in ON_QUALITY}
        text = last.command if of_objective else last.drift_command or text
    source, batch = batch_of(finding)
    if batch and finding.facts.get("status") != "missing":
        text = f"homeostat data review {source} {batch}"
    return Command(text, "look first")


def counterfactuals(screen: Screen) -> list[Row]:
    """What other versions and the baseline came to on the same rows, by the last decision that compared any.

    Where none compared versions, the last that had the baseline beside the champion.
    """
    compared = [d for d in screen.decisions if d.decision.comparisons]
    for decided in (*compared[:1], *screen.decisions):
        against = [f for f in decided.decision.findings if f.rule == Rule.AGAINST_BASELINE and f.value]
        rows = [*comparison_rows(decided.decision), *map(finding_row, against)]
        if rows:
            return rows
    return []


def _compared(row: Row) -> str:
    return f"{row.what}: {row.value}" + (f", {row.interval}" if row.interval else "")


def columns(finding: Finding) -> list[str]:
    """Those that it names, or that what failed in its batch names."""
    parts = [finding.facts, *(failed.get("facts", {}) for failed in finding.facts.get("failed", ()))]
    lists = [part["columns"] for part in parts if isinstance(part.get("columns"), list)]  # a count is of the schema
    return list(dict.fromkeys(column for columns in lists for column in columns))


def _number(project: Project, answered: Mapping[str, Answered], number: str | None) -> str:
    if number is None and answered:
        return _worst(list(answered.values()), clock_now(project))
    number = (number or "").zfill(4)
    if number not in answered:
        there = f"on record are {min(answered)} to {max(answered)}" if answered else "none is on record"
        raise UsageError(f"no incident {number}; {there}")
    return number


def _worst(answered: Sequence[Answered], now: datetime) -> str:
    """The oldest that still fails, pages and is not snoozed; else that fails; else that is open; else the last one."""
    opened = [one for one in answered if one.incident.closed is None]
    opened = [one for one in opened if not one.incident.noted] or opened
    failing = [one for one in opened if not one.incident.passes]
    urgent = [one for one in failing if one.snooze(now) is None and one.settled is None]
    urgent.sort(key=lambda one: one.incident.finding.rule != Rule.APPROVAL)  # it has a deadline
    return next(iter(urgent or failing or opened), answered[-1]).number


def _state(screen: Screen) -> str:
    incident, snooze = screen.incident, screen.snooze
    if incident.closed is not None:
        if incident.finding.rule in ANSWERED:
            return f"closed at {when(incident.closed)}"
        told = "noted, it paged nobody" if incident.noted else incident.told
        return f"closed by itself at {when(incident.closed)}, after passing checks; {told}{_left_out(incident)}"
    if snooze is not None and snooze.until is not None:
        return f"snoozed until {when(snooze.until)}, or until it gets worse; {incident.progress}"
    escalated = f", escalated at {when(incident.escalated)}: nobody had answered" if incident.escalated else ""
    return f"open{escalated}; {incident.progress}"


def _left_out(incident: Incident) -> str:
    """What of a closed incident still holds: a batch in doubt trains nothing until a person accepts it."""
    source, batch = batch_of(incident.finding)
    if incident.finding.rule != Rule.HISTORY or not batch or not incident.finding.facts.get("suspect"):
        return ""
    return f"; {source} {batch} stays out of training, unless `homeostat data release-rows {source} {batch}`"


def _since(incident: Incident) -> str:
    batch = incident.finding.since or str(incident.finding.facts.get("batch", ""))
    first = f"; first in batch {batch}" if batch else ""
    return f"{when(incident.opened)} UTC{first}"


def _blame(finding: Finding) -> list[str]:
    """Source, columns, slice or features that it names, the first first."""
    facts = finding.facts
    source = facts.get("source") or (finding.subject if finding.rule in OF_DATA else "")
    blamed = [
        f"source {source}" if source else "",
        f"columns {listed(columns(finding), NAMED)}" if columns(finding) else "",
        f"{facts['column']} = {facts['slice']}" if facts.get("slice") and facts.get("column") else "",
        f"features {listed(facts['furthest'], NAMED)}" if facts.get("furthest") else "",
        f"feature {finding.subject}" if finding.rule == Rule.MISSING and finding.subject else "",
        f"objective {finding.subject}" if finding.rule in ON_QUALITY and finding.subject else "",
    ]
    text = "; ".join(part for part in blamed if part)
    return [text] if text else []


def _cost(decisions: Sequence[Decided]) -> list[str]:
    """What the alerts came to in the window of the last decision, beside giving none."""
    money: dict[str, Any] = next((d.quality["money"] for d in decisions if d.quality.get("money")), {})
    if not money or money["cost"]["value"] is None or not money["silence"]:
        return []
    cost, silence = money["cost"]["value"], money["silence"]
    saved = f"{percent(abs(1 - cost / silence))} {'less' if cost <= silence else 'more'} than"
    return [f"{cost:,.0f} in the last window, {saved} the {silence:,.0f} of no alerts at all"]


def _options(decisions: Sequence[Decided]) -> list[str]:
    """What each action was expected to cost at the last decision that weighed them, and why it was not taken."""
    weighed = next((d.decision for d in decisions if d.decision.options), None)
    if weighed is None:
        return []
    rows = [option_row(option, weighed) for option in weighed.options]
    widths = [max(len(row.cells[place]) for row in rows) for place in range(2)]
    return [f"{row.what:{widths[0]}}  {row.value:{widths[1]}}  {row.outcome}" for row in rows]


def _done(screen: Screen) -> list[str]:
    """What the loop or a person did meanwhile, and what it decided not to do."""
    finding, until = screen.incident.finding, screen.incident.closed
    texts = []
    if finding.rule == Rule.HISTORY and finding.facts.get("suspect"):
        texts.append("nothing trains on the events of the batches in doubt")
    if finding.rule == Rule.BATCH:
        texts.append(f"the batch is {finding.facts['status']}")
    events = [e for e in screen.ledger.events if screen.incident.opened <= e.at <= (until or e.at)]
    texts += [f"{when(e.at)}  {e.action} {e.version} by {e.who}" for e in events[-SHOWN:]]
    taken = [d for d in screen.decisions if d.decision.action not in QUIET]
    texts += [f"{when(d.at)}  {headline(d.decision)}" for d in (taken or screen.decisions[:1])[:SHOWN][::-1]]
    return texts or ["nothing yet; the next decision weighs it"]


def _not_done(screen: Screen) -> Iterator[str]:
    """Of the last decision, the actions that it did not take, each with the reason."""
    for decided in screen.decisions[:1]:
        if screen.incident.closed is not None:
            yield f"at the decision of {when(decided.at)}:"
        decision, versions = decided.decision, decided.decision.versions
        compared = [c for c in decision.comparisons if c.version == versions.previous and c.other == versions.champion]
        if decision.action != "roll back" and compared:
            losses = ", ".join(f"{c.objective} {change(c.share)}" for c in compared)
            yield f"roll back: the loss of {versions.previous} on the same rows is not significantly lower ({losses})"
        if decision.action not in ("retrain", "release"):
            against = [f"{f.name}: {sentence(f)}" for f in objections(decision.gate)]
            if against:
                yield f"retrain: {listed(against, 2)}"
            elif not decision.gate:
                yield "retrain: no candidate was made for this decision"
        baseline = [f for f in decision.findings if f.rule == Rule.AGAINST_BASELINE and f.value]
        if baseline and all((f.value or 0.0) < 0 for f in baseline):
            yield "the baseline: its loss is above the champion's on every objective"


def _before(before: Sequence[tuple[str, Incident]]) -> list[str]:
    if not before:
        return ["never"]
    ended = [f"{i.opened:%Y-%m-%d} to {i.closed:%Y-%m-%d}" for _, i in before if i.closed]
    return [f"{count(len(before), 'time')}: {listed(ended[::-1], SHOWN)}; each closed by itself"]


# ---- the rows that it is about


def batch_of(finding: Finding) -> tuple[str, str]:
    """The source and the batch that a finding is about, both empty where it is about none."""
    source, batch = finding.facts.get("source") or finding.subject, finding.facts.get("batch")
    return (source, batch) if finding.rule in OF_DATA and batch else ("", "")


def _rows(project: Project, incident: Incident) -> Rows:
    """A few rows of the batch that it is about, in quarantine or as accepted; or events predicted worst."""
    finding, tree = incident.finding, working_tree(project)
    if finding.rule in OF_EVENTS:
        return _worst_events(project, incident)
    source, batch = batch_of(finding)
    paths = (folder / source / f"{batch}.parquet" for folder in (tree.quarantine, tree.accepted))
    path = next((path for path in paths if source in tree.scope.sources and path.is_file()), None)
    if path is None:
        return Rows()
    import polars as pl

    blamed = columns(finding)
    return _shown(_lacking_first(pl.read_parquet(path), blamed).head(SHOWN), tree.scope.sources[source].key, blamed)


def _worst_events(project: Project, incident: Incident) -> Rows:
    from homeostat.reports.observed_events import OBSERVED, PREDICTED, judged_events, worst_predicted

    events = judged_events(project, incident.finding, incident.last_failed)
    if events is None:
        return Rows()
    return _shown(worst_predicted(project, events, SHOWN), project.scope.key, (PREDICTED, OBSERVED))


def _shown(rows: pl.DataFrame, key: Sequence[str], blamed: Sequence[str]) -> Rows:
    order = [c for c in dict.fromkeys([*key, *blamed, *rows.columns]) if c in rows.columns]
    values = tuple(tuple(map(_value, row)) for row in rows.select(order).iter_rows())
    return Rows(tuple(order), values, frozenset(key), frozenset(blamed))


def _value(value: object) -> str:
    if value is None:
        return "null"
    return str(round(value, 4) if isinstance(value, float) else value)


def _lacking_first(rows: pl.DataFrame, blamed: Sequence[str]) -> pl.DataFrame:
    """The rows with those first that lack values in the columns to blame; the last ones first where none is."""
    there = [c for c in blamed if c in rows.columns]
    if not there:
        return rows.reverse()
    lacking = sum((rows[c].is_null().cast(int) for c in there[1:]), rows[there[0]].is_null().cast(int))
    order = sorted(range(rows.height), key=lambda row: -lacking[row])
    return rows[order]


def _row_lines(rows: Rows) -> Iterator[str]:
    """Of each row the key and what it is shown for."""
    for row in rows.values:
        shown = [(c, v) for c, v in zip(rows.columns, row, strict=True) if c in rows.key | rows.blamed]
        yield ", ".join(f"{name} {value}" for name, value in shown)
