"""The report page: the results of the loop, in one file that needs nothing else, for a reader who knows the domain."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from homeostat.core.periods import period_of
from homeostat.core.text import count, metric_name, side
from homeostat.decisions.history import Batch, Decided
from homeostat.monitoring.alerts import read_incidents
from homeostat.project.layout import working_tree
from homeostat.project.whole_files import write_text
from homeostat.project.window import read_window
from homeostat.reports import charts
from homeostat.reports.card import Records
from homeostat.reports.card_page import page_of, write_cards
from homeostat.reports.charts import Cell, Line
from homeostat.reports.document import document, figure, grid, prose, wide
from homeostat.reports.estimates import NOTE as NOTE_ON_ESTIMATES
from homeostat.reports.estimates import estimate_lines
from homeostat.reports.evidence_grid import evidence_grid
from homeostat.reports.incident_page import write_incident
from homeostat.reports.open_items import OpenItem
from homeostat.reports.results import DIGITS, MODELS, NOTE, Results, results
from homeostat.reports.status import read, when
from homeostat.reports.timeline import timeline
from homeostat.reports.weight_picture import front_drawn

if TYPE_CHECKING:
    from homeostat.core.ledger import ReleaseEvent
    from homeostat.project.layout import Project
    from homeostat.project.scope import Scope

OPEN, NOTED = '<b class="bad">open</b>', '<span class="soft">noted</span>'
LISTED = 60  # batches that were not accepted whole, in words
BETTER = {"auc": "higher", "average_precision": "higher", "r2": "higher", "ndcg": "higher"}  # others: lower


def write_report(project: Project, path: Path, outcome: Results | None = None) -> Path:
    """Write the page of everything that is on record to ``path``, the page of each incident and each release's card.

    ``outcome``: the project's results, where they have been read.

    Raises: as ``report_page``.
    """
    for number in read_incidents(project):
        write_incident(project, number)
    outcome = outcome or results(project)
    write_cards(project, Records.of(project, outcome.ledger, outcome.batches, outcome.decisions))
    return write_text(report_page(project, path, outcome), path)


def report_page(project: Project, path: Path, outcome: Results | None = None) -> str:
    """The page of everything that is on record, to lie at ``path``: the evidence is linked from there.

    Raises:
        DataError: prediction rows or a verdict are damaged.
        EnvironmentFault: a record is damaged.
    """
    outcome = outcome or results(project)
    start, end, *_ = read_window(working_tree(project))
    sections = [
        *_head(project.scope, outcome, start, end),
        *_open(read(project).open),
        *_timeline(project, outcome, path, start, end),
        *_incidents(project, path),
        *_quality(project.scope, outcome),
        *_weights(project),
        *_table(outcome),
        *_releases(project, outcome, path),
        *_decisions(outcome, path),
        *_batches(outcome),
    ]
    return document(project.scope.project, sections)


# ---- sections


def _head(scope: Scope, outcome: Results, start: datetime, end: datetime) -> Iterator[str]:
    champion, counts = outcome.ledger.champion, outcome.counts
    yield f"<h1>{escape(scope.project)}</h1><p>{escape(scope.goal)}</p>"
    serves = f"<b>{champion.version}</b> in service since {when(champion.at)}." if champion else "No release yet."
    yield f'<p class="soft">{when(start)} to {when(end)} UTC. {serves}</p>'
    whole = f"{count(counts['batches quarantined'], 'batch')} whole, {counts['batches missing']} missing"
    judged = f"of {count(counts['candidates judged'], 'candidate')} judged"
    tiles = [
        ("rows accepted", f"{counts['rows accepted']:,}", ""),
        ("rows quarantined", f"{counts['rows quarantined']:,}", whole),
        ("releases", f"{counts['releases']}", judged),
        ("rollbacks", f"{counts['rollbacks']}", count(counts["decisions"], "decision")),
        *_against_never(outcome),
    ]
    yield f"<dl>{''.join(_tile(*tile) for tile in tiles)}</dl>"


def _against_never(outcome: Results) -> Iterator[tuple[str, str, str]]:
    for objective, metrics in outcome.metrics.items():
        ours, theirs = (outcome.mean(objective, model, metrics[0]) for model in ("served", "never"))
        if ours is not None and theirs:
            versus = f"{side((ours - theirs) / theirs)} never retrained"
            yield f"{objective}: {metric_name(metrics[0])}", f"{ours:.{DIGITS}f}", versus


def _tile(name: str, value: str, note: str) -> str:
    more = f"<small>{escape(note)}</small>" if note else ""
    return f"<div><dt>{escape(name)}</dt><dd>{escape(value)}{more}</dd></div>"


def _open(items: Iterable[OpenItem]) -> Iterator[str]:
    """What the status has under ``open``, whole."""
    yield "<h2>Open</h2>"
    rows = [
        f'<li><span class="{"bad" if item.alerts else ""}">{prose(item.text)}</span><br>'
        f"<small>{escape(item.progress)} <code>{escape(item.command)}</code></small></li>"
        for item in items
    ]
    yield f"<ul>{''.join(rows)}</ul>" if rows else "<p>Nothing is open.</p>"


def _incidents(project: Project, page: Path) -> Iterator[str]:
    """Every incident with its page, those that are open first, then the newest."""
    on_record = sorted(read_incidents(project).items(), key=lambda one: (one[1].closed is not None, -int(one[0])))
    yield "<h2>Incidents</h2>"
    if not on_record:
        yield '<p class="soft">Nothing has failed yet.</p>'
        return
    rows = [
        f"<td>{_link(project.incidents / f'{number}.html', page, number)}</td><td class='text'>{escape(i.problem)}</td>"
        f"<td>{when(i.opened)}</td><td>{when(i.closed) if i.closed else NOTED if i.noted else OPEN}</td>"
        f"<td>{i.told}</td>"
        for number, i in on_record
    ]
    head = '<th>incident</th><th class="text">problem</th><th>since</th><th>until</th><th>alert</th>'
    yield grid(f"<tr>{head}</tr>", rows)


def _quality(scope: Scope, outcome: Results) -> Iterator[str]:
    yield "<h2>Quality, month by month</h2>"
    if not outcome.months:
        yield '<p class="soft">No predicted event is mature yet.</p>'
        return
    yield (
        "<p>As served: the predictions that were given at the time. Beside them the predictions of the first learned "
        "model, never retrained, and of the baseline, which needs no model.</p>"
    )
    yield '<div class="charts">'
    for objective, metrics in outcome.metrics.items():
        for metric in metrics:
            drawn = [Line(name, model, [outcome.figures.get((objective, model, m, metric)) for m in outcome.months])
                     for model, name in _named()]  # fmt: skip
            title = f"<b>{escape(objective)}: {metric_name(metric)}</b>, {BETTER.get(metric, 'lower')} is better"
            yield figure(title, charts.lines(outcome.months, drawn, DIGITS))
    drawn = [Line(name, model, [outcome.money.get((model, m)) for m in outcome.months]) for model, name in _named()]
    title = f"<b>cost</b>, in false alerts ({_price(scope)}); lower is better"
    yield figure(title, charts.lines(outcome.months, drawn, 0)) + "</div>"


def _weights(project: Project) -> Iterator[str]:
    """The last sweep of weights that was drawn."""
    if drawing := front_drawn(project):
        yield "<h2>Other weights</h2>"
        yield figure("<b>What alerts capture</b> of held-out events; the line joins the Pareto front", drawing)


def _named() -> list[tuple[str, str]]:
    return [(model, "as served" if model == "served" else name) for model, name in MODELS.items()]


def _price(scope: Scope) -> str:
    missed = ", ".join(f"{name} {objective.weight:g}" for name, objective in scope.objectives.items())
    return f"an alert {scope.costs.alert:g}; missed: {escape(missed)}"


def _table(outcome: Results) -> Iterator[str]:
    if not outcome.months:
        return
    yield "<h3>The same in numbers</h3>"
    for objective, metrics in outcome.metrics.items():
        spans = "".join(f'<th colspan="3">{escape(objective)}: {metric_name(metric)}</th>' for metric in metrics)
        head = f"<tr><th></th><th></th>{spans}</tr><tr><th>month</th><th>events</th>{_names() * len(metrics)}</tr>"
        rows = [
            f"<td>{month}</td><td>{outcome.rows[objective, 'served', month]:,}</td>"
            + "".join(_cells([outcome.figures.get((objective, o, month, m)) for o in MODELS], DIGITS) for m in metrics)
            for month in outcome.months
            if (objective, "served", month) in outcome.rows
        ]
        means = "".join(_cells([outcome.mean(objective, o, m) for o in MODELS], DIGITS) for m in metrics)
        yield grid(head, rows, f"<td>mean*</td><td></td>{means}")
    head = f"<tr><th>cost</th>{_names()}</tr>"
    rows = [f"<td>{m}</td>{_cells([outcome.money.get((o, m)) for o in MODELS], 0)}" for m in outcome.months]
    yield grid(head, rows, f"<td>all*</td>{_cells([outcome.total(o) for o in MODELS], 0)}")
    yield f'<p class="soft">* {NOTE}.</p>'


def _names() -> str:
    return "".join(f"<th>{escape(name)}</th>" for name in MODELS.values())


def _cells(values: Iterable[float | None], digits: int) -> str:
    return "".join("<td>–</td>" if v is None else f"<td>{v:,.{digits}f}</td>" for v in values)


def _timeline(project: Project, outcome: Results, page: Path, start: datetime, end: datetime) -> Iterator[str]:
    """Batches by source, then releases, decisions and incidents, one below the other."""
    scope = project.scope
    rows: dict[str, list[Cell]] = {}
    for batch in outcome.batches:
        if scope.sources[batch.source].timed:
            rows.setdefault(batch.source, []).append(_cell(scope, batch))
    yield "<h2>Timeline</h2>"
    if rows and end > start:
        yield wide(charts.strips(rows, start, end))
        yield (
            '<p class="key"><i style="background:var(--rule)"></i>accepted'
            '<i style="background:var(--baseline)"></i>in doubt<i style="background:var(--warn)"></i>rows quarantined'
            '<i style="background:var(--bad)"></i>quarantined whole<i style="background:var(--ink)"></i>missing</p>'
        )
    yield timeline(project, _to(project.incidents, page) + "/")


def _releases(project: Project, outcome: Results, page: Path) -> Iterator[str]:
    yield "<h2>Releases in service</h2>"
    events = outcome.ledger.events
    if not events:
        yield '<p class="soft">Nothing has been released yet.</p>'
        return
    rows = [
        f"<td>{when(e.at)}</td><td>{_card(project, e, page)}</td><td>{e.what}</td><td>{escape(e.who)}</td>"
        f'<td class="text">{escape(e.why)}</td>'
        for e in events
    ]
    yield grid('<tr><th>when</th><th>version</th><th>event</th><th>who</th><th class="text">why</th></tr>', rows)


def _card(project: Project, event: ReleaseEvent, page: Path) -> str:
    """The version, with a link to its model card where the release is unpacked here."""
    here = (project.releases / event.bundle).is_dir()
    return _link(page_of(project, event.version), page, event.version) if here else escape(event.version)


def _decisions(outcome: Results, page: Path) -> Iterator[str]:
    yield "<h2>Decisions</h2>"
    if not outcome.decisions:
        yield '<p class="soft">Nothing has been decided yet.</p>'
    yield from (_decision(decided, page) for decided in reversed(outcome.decisions))


def _decision(decided: Decided, page: Path) -> str:
    decision = decided.decision
    style = {"roll back": "bad", "fall back": "bad", "nothing": "soft", "keep": "soft"}.get(decision.action, "good")
    head = f'{decided.at:%Y-%m-%d} <b class="{style}">{escape(decided.headline)}</b>'
    links = [_link(decided.path, page, "the decision"), *_evidence(decided, page)]
    commands = [f"<code>{escape(c)}</code>" for c in (decided.command, decided.drift_command) if c]
    more = " · ".join([*links, *commands])
    shown = evidence_grid(decision) + _estimates(decided)
    return f"<details><summary>{head}</summary>{shown}<p>{more}</p></details>"


def _estimates(decided: Decided) -> str:
    """Quality of the events whose labels were not in, as it was estimated then."""
    lines = "".join(f"<li>{escape(line)}</li>" for line in estimate_lines(decided.quality, every=True))
    return f'<p class="soft">Estimated, before labels. {NOTE_ON_ESTIMATES}</p><ul>{lines}</ul>' if lines else ""


def _evidence(decided: Decided, page: Path) -> list[str]:
    """Links to what the decision cites: paths from the project's folder."""
    home = decided.path.parents[2]
    return [_link(home / cited, page, cited) for cited in decided.decision.evidence]


def _link(target: Path, page: Path, name: str) -> str:
    return f'<a href="{escape(_to(target, page))}">{escape(name)}</a>'


def _to(target: Path, page: Path) -> str:
    return os.path.relpath(target, page.parent)


def _batches(outcome: Results) -> Iterator[str]:
    yield "<h2>Batches</h2>"
    rest = sorted((b for b in outcome.batches if not b.accepted_whole), key=lambda b: (b.label, b.source))
    if not rest:
        yield "<p>Every batch was accepted whole.</p>"
        return
    items = "".join(f"<li>{escape(b.sentence)}</li>" for b in rest[-LISTED:])
    more = f" (the last {LISTED} are listed)" if len(rest) > LISTED else ""
    of = count(len(outcome.batches), "batch")
    title = f"Missing, in doubt, or quarantined whole or in part: {len(rest)} of {of}{more}"
    yield f"<details><summary>{title}</summary><ul>{items}</ul></details>"


def _cell(scope: Scope, batch: Batch) -> Cell:
    start = period_of(batch.label, scope.sources[batch.source].length, scope.rhythm.offset).start
    if batch.accepted_whole:
        return Cell(start, "accepted", f"{batch.name}: {count(batch.verdict.rows_accepted, 'row')} accepted")
    part = "part" if batch.verdict.rows_quarantined else "doubt"
    return Cell(start, part if batch.verdict.status == "accepted" else batch.verdict.status, batch.sentence)

