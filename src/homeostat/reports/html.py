"""The report page: the results of the loop, in one file that needs nothing else, for a reader who knows the domain."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from homeostat.core.evidence_table import Row, evidence_table
from homeostat.core.periods import period_of
from homeostat.core.sentences import sentence
from homeostat.core.text import count, metric_name, side
from homeostat.decisions.history import Batch, Decided
from homeostat.project.layout import working_tree
from homeostat.project.whole_files import write_text
from homeostat.project.window import read_window
from homeostat.reports import charts
from homeostat.reports.charts import Cell, Line, Term
from homeostat.reports.estimates import NOTE as NOTE_ON_ESTIMATES
from homeostat.reports.estimates import estimate_lines
from homeostat.reports.open_items import OpenItem
from homeostat.reports.results import DIGITS, MODELS, NOTE, Results, results
from homeostat.reports.status import read, when
from homeostat.reports.style import STYLE

if TYPE_CHECKING:
    from homeostat.core.findings import Decision
    from homeostat.project.layout import Project
    from homeostat.project.scope import Scope

LISTED = 60  # batches that were not accepted whole, in words
BETTER = {"auc": "higher", "average_precision": "higher", "r2": "higher", "ndcg": "higher"}  # others: lower


def write_report(project: Project, path: Path, outcome: Results | None = None) -> Path:
    """Write the page of everything that is on record to ``path``; the evidence is linked from there.

    ``outcome``: the project's results, where they have been read.

    Raises:
        DataError: prediction rows or a verdict are damaged.
        EnvironmentFault: a record is damaged.
    """
    outcome = outcome or results(project)
    start, end, *_ = read_window(working_tree(project))
    sections = [
        *_head(project.scope, outcome, start, end),
        *_open(read(project).open),
        *_quality(project.scope, outcome),
        *_table(outcome),
        *_releases(outcome, start, end),
        *_decisions(outcome, path),
        *_batches(project.scope, outcome, start, end),
    ]
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    title = f"<title>{escape(project.scope.project)}</title>\n<style>{STYLE}</style>"
    body = "\n".join(["<body><main>", *sections, "</main></body></html>", ""])
    return write_text(f'<!doctype html>\n<html lang="en"><head>{head}{title}</head>\n{body}', path)


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
        f'<li><span class="{"bad" if item.alerts else ""}">{escape(item.text)}</span><br>'
        f"<small>{escape(item.progress)} <code>{escape(item.command)}</code></small></li>"
        for item in items
    ]
    yield f"<ul>{''.join(rows)}</ul>" if rows else "<p>Nothing is open.</p>"


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
            yield _figure(title, charts.lines(outcome.months, drawn, DIGITS))
    drawn = [Line(name, model, [outcome.money.get((model, m)) for m in outcome.months]) for model, name in _named()]
    title = f"<b>cost</b>, in false alerts ({_price(scope)}); lower is better"
    yield _figure(title, charts.lines(outcome.months, drawn, 0)) + "</div>"


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
        yield _grid(head, rows, f"<td>mean*</td><td></td>{means}")
    head = f"<tr><th>cost</th>{_names()}</tr>"
    rows = [f"<td>{m}</td>{_cells([outcome.money.get((o, m)) for o in MODELS], 0)}" for m in outcome.months]
    yield _grid(head, rows, f"<td>all*</td>{_cells([outcome.total(o) for o in MODELS], 0)}")
    yield f'<p class="soft">* {NOTE}.</p>'


def _names() -> str:
    return "".join(f"<th>{escape(name)}</th>" for name in MODELS.values())


def _cells(values: Iterable[float | None], digits: int) -> str:
    return "".join("<td>–</td>" if v is None else f"<td>{v:,.{digits}f}</td>" for v in values)


def _grid(head: str, rows: Iterable[str], last: str = "") -> str:
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    foot = f'<tr class="sum">{last}</tr>' if last else ""
    return f'<div class="wide"><table><thead>{head}</thead><tbody>{body}{foot}</tbody></table></div>'


def _releases(outcome: Results, start: datetime, end: datetime) -> Iterator[str]:
    yield "<h2>Releases in service</h2>"
    events = outcome.ledger.events
    if not events:
        yield '<p class="soft">Nothing has been released yet.</p>'
        return
    whole = outcome.ledger.terms
    until = [*(e.at for e in whole[1:]), max(end, events[-1].at)]
    served = [
        Term(e.version, e.at, over, e.action == "rollback", f"{e.version} from {when(e.at)}: {e.why}")
        for e, over in zip(whole, until, strict=True)
    ]
    decisions = [(d.at, d.decision.action, d.headline) for d in outcome.decisions]
    yield _wide(charts.terms(served, decisions, start, max(end, until[-1])))
    yield (
        '<p class="key"><i style="background:#0b5fae"></i>in service<i style="background:#b3262c"></i>put back by a '
        'rollback; dots are decisions: <i style="background:var(--baseline)"></i>nothing'
        '<i style="background:var(--good)"></i>release or retrain<i style="background:var(--bad)"></i>roll back or '
        'fall back</p>'
    )
    rows = [
        f"<td>{when(e.at)}</td><td>{e.version}</td><td>{e.what}</td><td>{escape(e.who)}</td>"
        f'<td class="text">{escape(e.why)}</td>'
        for e in events
    ]
    yield _grid('<tr><th>when</th><th>version</th><th>event</th><th>who</th><th class="text">why</th></tr>', rows)


def _decisions(outcome: Results, page: Path) -> Iterator[str]:
    yield "<h2>Decisions</h2>"
    if not outcome.decisions:
        yield '<p class="soft">Nothing has been decided yet.</p>'
    yield from (_decision(decided, page) for decided in reversed(outcome.decisions))


def _decision(decided: Decided, page: Path) -> str:
    decision = decided.decision
    style = {"roll back": "bad", "fall back": "bad", "nothing": "soft", "keep": "soft"}.get(decision.action, "good")
    head = f'{decided.at:%Y-%m-%d} <b class="{style}">{escape(decision.action)}</b> {escape(decided.headline)}'
    links = [_link(decided.path, page, "the decision"), *_evidence(decided, page)]
    commands = [f"<code>{escape(c)}</code>" for c in (decided.command, decided.drift_command) if c]
    more = " · ".join([*links, *commands])
    shown = _evidence_table(decision) + _estimates(decided)
    return f"<details><summary>{head}</summary>{shown}<p>{more}</p></details>"


def _estimates(decided: Decided) -> str:
    """Quality of the events whose labels were not in, as it was estimated then."""
    lines = "".join(f"<li>{escape(line)}</li>" for line in estimate_lines(decided.quality, every=True))
    return f'<p class="soft">Estimated, before labels. {NOTE_ON_ESTIMATES}</p><ul>{lines}</ul>' if lines else ""


def _evidence_table(decision: Decision) -> str:
    """The comparisons and findings of a decision; a finding's sentence shows where one points at its row."""
    table = evidence_table(decision)
    if not table.rows:
        return ""
    head = "".join(f"<th>{escape(heading)}</th>" for heading in table.headings)
    return _grid(f"<tr>{head}</tr>", map(_evidence_row, table.rows))


def _evidence_row(row: Row) -> str:
    first, *rest = map(escape, row.cells)
    title = f' title="{escape(sentence(row.finding))}"' if row.finding else ""
    bad = " bad" if row.outcome == "fail" else ""
    return f'<td class="text{bad}"{title}>{first}</td>' + "".join(f"<td>{cell}</td>" for cell in rest)


def _evidence(decided: Decided, page: Path) -> list[str]:
    """Links to what the decision cites: paths from the project's folder."""
    home = decided.path.parents[2]
    return [_link(home / cited, page, cited) for cited in decided.decision.evidence]


def _link(target: Path, page: Path, name: str) -> str:
    where = os.path.relpath(target, page.parent)
    return f'<a href="{escape(where)}">{escape(name)}</a>'


def _batches(scope: Scope, outcome: Results, start: datetime, end: datetime) -> Iterator[str]:
    yield "<h2>Batches</h2>"
    timed = [b for b in outcome.batches if scope.sources[b.source].timed]
    rows: dict[str, list[Cell]] = {}
    for batch in timed:
        rows.setdefault(batch.source, []).append(_cell(scope, batch))
    if rows and end > start:
        yield _wide(charts.strips(rows, start, end))
        yield (
            '<p class="key"><i style="background:var(--rule)"></i>accepted<i style="background:var(--warn)"></i>'
            'rows quarantined<i style="background:var(--bad)"></i>quarantined whole'
            '<i style="background:var(--ink)"></i>missing</p>'
        )
    rest = sorted((b for b in outcome.batches if not b.accepted_whole), key=lambda b: (b.label, b.source))
    if not rest:
        yield "<p>Every batch was accepted whole.</p>"
        return
    items = "".join(f"<li>{escape(b.sentence)}</li>" for b in rest[-LISTED:])
    more = f" (the last {LISTED} are listed)" if len(rest) > LISTED else ""
    title = f"Missing, or quarantined whole or in part: {len(rest)} of {count(len(outcome.batches), 'batch')}{more}"
    yield f"<details><summary>{title}</summary><ul>{items}</ul></details>"


def _cell(scope: Scope, batch: Batch) -> Cell:
    start = period_of(batch.label, scope.sources[batch.source].length, scope.rhythm.offset).start
    if batch.accepted_whole:
        return Cell(start, "accepted", f"{batch.name}: {count(batch.verdict.rows_accepted, 'row')} accepted")
    status = batch.verdict.status
    return Cell(start, "part" if status == "accepted" else status, batch.sentence)


def _figure(title: str, drawing: str) -> str:
    return f"<figure><figcaption>{title}</figcaption>{drawing}</figure>" if drawing else ""


def _wide(drawing: str) -> str:
    return f'<div class="wide">{drawing}</div>'
