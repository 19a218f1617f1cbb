"""One incident on one screen, for whoever is on call: what, since when, what is to blame, what was done, what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from homeostat.core.errors import UsageError
from homeostat.core.evidence_table import option_row
from homeostat.core.findings import QUIET, Finding
from homeostat.core.headlines import headline
from homeostat.core.incidents import Incident
from homeostat.core.rules import FIRST_COMMAND, ON_QUALITY, Rule
from homeostat.core.sentences import sentence
from homeostat.core.text import count, listed, percent
from homeostat.decisions import history
from homeostat.monitoring.alerts import read_incidents
from homeostat.project.layout import working_tree
from homeostat.reports.status import when

if TYPE_CHECKING:
    from homeostat.core.ledger import Ledger
    from homeostat.decisions.history import Decided
    from homeostat.project.layout import Project

SHOWN = 5  # decisions, rows, or incidents before
NAMED = 8  # columns or values in a line
OF_DATA = frozenset({Rule.BATCH, Rule.HISTORY})
OF_MODEL = ON_QUALITY | {Rule.FALLBACK}

Line = tuple[str, str]  # what a line is about, and its text


@dataclass(frozen=True)
class Screen:
    """``number`` is that of the incident's file; ``before`` are earlier incidents of the same problem, in order."""

    number: str
    incident: Incident
    before: tuple[Incident, ...]
    ledger: Ledger
    decisions: tuple[Decided, ...]  # since it was opened, until it was closed, the newest first
    rows: tuple[str, ...]  # a few of the rows that it is about


def read(project: Project, number: str | None) -> Screen | None:
    """The incident of that number; without one, the first that still fails, or else the last that did.

    None where no number is given and none is on record.

    Raises:
        UsageError: there is no such incident; the line names those on record.
        EnvironmentFault: the ledger or a record cannot be read.
    """
    from homeostat.adapters.git import read_ledger

    on_record = read_incidents(project)
    if number is None and not on_record:
        return None
    number = _worst(on_record) if number is None else number.zfill(4)
    if number not in on_record:
        there = f"on record are {min(on_record)} to {max(on_record)}" if on_record else "none is on record"
        raise UsageError(f"no incident {number}; {there}")
    incident = on_record[number]
    rule, subject = incident.finding.rule, incident.finding.subject
    alike = {n for n, i in on_record.items() if i.finding.rule == rule and i.finding.subject == subject}
    before = tuple(on_record[n] for n in sorted(alike) if n < number)
    during = [d for d in history.decisions(project) if incident.opened <= d.at <= (incident.closed or d.at)]
    rows = tuple(_rows(working_tree(project), incident.finding))
    return Screen(number, incident, before, read_ledger(project.home, project.scope.project), tuple(during[::-1]), rows)


def lines(screen: Screen) -> Iterator[Line]:
    """The screen, a line each; a line without a name goes on with the one before."""
    incident, finding = screen.incident, screen.incident.finding
    yield "incident", f"{screen.number}  {incident.problem}"
    yield "what", sentence(finding)
    yield "state", _state(incident)
    yield "since", _since(incident)
    yield from _named("blame", _blame(finding))
    yield from _named("cost", _cost(screen.decisions) if finding.rule in OF_MODEL else [])
    yield from _named("options", _options(screen.decisions) if finding.rule in OF_MODEL else [])
    yield from _named("done", _done(screen))
    yield from _named("rows", screen.rows)
    yield from _named("before", _before(screen.before))
    yield from _named("type", _commands(screen))


def _named(name: str, texts: Sequence[str]) -> Iterator[Line]:
    for place, text in enumerate(texts):
        yield ("" if place else name), text


def _worst(on_record: dict[str, Incident]) -> str:
    """The oldest of those that still fail; else of those that are open; else the last one."""
    opened = [number for number, incident in on_record.items() if incident.closed is None]
    failing = [number for number in opened if not on_record[number].passes]
    return next(iter(failing or opened), max(on_record))


def _state(incident: Incident) -> str:
    if incident.closed is not None:
        return f"closed by itself at {when(incident.closed)}, after quiet checks"
    return f"open; {incident.progress}"


def _since(incident: Incident) -> str:
    batch = incident.finding.since or str(incident.finding.facts.get("batch", ""))
    first = f"; first in batch {batch}" if batch else ""
    return f"{when(incident.opened)} UTC{first}"


def _blame(finding: Finding) -> list[str]:
    """Source, columns, slice or features that it names, the first first."""
    facts = finding.facts
    source = facts.get("source") or (finding.subject if finding.rule in OF_DATA else "")
    parts = [
        f"source {source}" if source else "",
        f"columns {listed(_columns(finding), NAMED)}" if _columns(finding) else "",
        f"{facts['column']} = {facts['slice']}" if facts.get("slice") and facts.get("column") else "",
        f"features {listed(facts['furthest'], NAMED)}" if facts.get("furthest") else "",
        f"objective {finding.subject}" if finding.rule in ON_QUALITY and finding.subject else "",
    ]
    told = "; ".join(part for part in parts if part)
    return [told] if told else []


def _columns(finding: Finding) -> list[str]:
    """Those that it names, or that what failed in its batch names."""
    parts = [finding.facts, *(failed.get("facts", {}) for failed in finding.facts.get("failed", ()))]
    lists = [part["columns"] for part in parts if isinstance(part.get("columns"), list)]  # a count is of the schema
    return list(dict.fromkeys(column for columns in lists for column in columns))


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
    texts += [f"{when(d.at)}  {headline(d.decision)}" for d in (taken or screen.decisions[:1])[:SHOWN]]
    return texts or ["nothing yet; the next decision weighs it"]


def _before(before: Sequence[Incident]) -> list[str]:
    if not before:
        return ["never"]
    ended = [f"{i.opened:%Y-%m-%d} to {i.closed:%Y-%m-%d}" for i in before if i.closed]
    return [f"{count(len(before), 'time')}: {listed(ended[::-1], SHOWN)}; each closed by itself"]


def _commands(screen: Screen) -> list[str]:
    """What to type first, then what fixes it, then the way back."""
    finding, champion = screen.incident.finding, screen.ledger.champion
    commands = [f"{FIRST_COMMAND[finding.rule]:52} look first"]
    source, batch = finding.facts.get("source") or finding.subject, finding.facts.get("batch")
    if finding.rule in OF_DATA and batch and finding.facts.get("status") != "missing":
        commands += [
            f"{f'homeostat data correct {source} {batch} FILE':52} put the right rows in its place",
            f"{f'homeostat data release-rows {source} {batch}':52} it is right as it is",
        ]
    if screen.decisions:
        commands.append(f"{screen.decisions[0].command:52} the last decision, whole")
    if finding.rule in OF_MODEL and champion is not None and len({e.version for e in screen.ledger.terms}) > 1:
        commands.append(f"{'homeostat rollback':52} back to the last healthy release")
    return commands


def _rows(tree: Project, finding: Finding) -> Iterator[str]:
    """A few rows of the batch that the finding is about: those in quarantine, or else as they were accepted."""
    source, batch = finding.facts.get("source") or finding.subject, finding.facts.get("batch")
    if finding.rule not in OF_DATA or not batch:
        return
    import polars as pl

    paths = (folder / source / f"{batch}.parquet" for folder in (tree.quarantine, tree.accepted))
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        return
    rows = pl.read_parquet(path, n_rows=SHOWN)
    wanted = [*tree.scope.sources[source].key, *_columns(finding)]
    shown = [c for c in dict.fromkeys(wanted) if c in rows.columns]
    for row in rows.select(shown).iter_rows(named=True):
        yield ", ".join(f"{name} {'null' if value is None else value}" for name, value in row.items())
