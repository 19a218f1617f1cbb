"""The report page: what came of the loop, in one file that needs nothing else, for a reader who knows the domain."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from homeostat.adapters.parquet import write_text
from homeostat.core.periods import period_of
from homeostat.core.text import metric_name
from homeostat.decisions.history import Batch, Decided
from homeostat.reports import charts
from homeostat.reports.charts import Cell, Line, Term
from homeostat.reports.results import DIGITS, MODELS, NOTE, Results, results
from homeostat.reports.style import STYLE

if TYPE_CHECKING:
    from homeostat.project.layout import Project
    from homeostat.project.scope import Scope

LISTED = 60  # batches that are held back, in words
BETTER = {"auc": "higher", "average_precision": "higher", "r2": "higher", "ndcg": "higher"}  # others: lower


def write_report(project: Project, path: Path) -> Path:
    """Write the page of everything that is on record to ``path``; the evidence is linked from there.

    Raises:
        DataError: prediction rows or a verdict are damaged.
        EnvironmentFault: a record is damaged.
    """
    found = results(project)
    start, end = project.ledger.window if project.ledger.window_file.is_file() else project.window
    sections = [
        *_head(project.scope, found, start, end),
        *_quality(project.scope, found),
        *_table(found),
        *_releases(found, start, end),
        *_decisions(found, path),
        *_batches(project.scope, found, start, end),
    ]
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    title = f"<title>{escape(project.scope.project)}</title>\n<style>{STYLE}</style>"
    body = "\n".join(["<body><main>", *sections, "</main></body></html>", ""])
    return write_text(f'<!doctype html>\n<html lang="en"><head>{head}{title}</head>\n{body}', path)


# ---- sections


def _head(scope: Scope, found: Results, start: datetime, end: datetime) -> Iterator[str]:
    champion, counts = found.ledger.champion, found.counts
    yield f"<h1>{escape(scope.project)}</h1><p>{escape(scope.goal)}</p>"
    serves = f"<b>{champion.version}</b> serves since {_when(champion.at)}." if champion else "Nothing serves yet."
    yield f'<p class="soft">{_when(start)} to {_when(end)} UTC. {serves}</p>'
    held = f"{counts['batches quarantined']} batches whole, {counts['batches missing']} missing"
    judged = f"of {counts['candidates judged']} candidates judged"
    tiles = [
        ("rows accepted", f"{counts['rows accepted']:,}", ""),
        ("rows quarantined", f"{counts['rows quarantined']:,}", held),
        ("releases", f"{counts['releases']}", judged),
        ("rollbacks", f"{counts['rollbacks']}", f"{counts['decisions']} decisions"),
        *_against_never(found),
    ]
    yield f"<dl>{''.join(_tile(*tile) for tile in tiles)}</dl>"


def _against_never(found: Results) -> Iterator[tuple[str, str, str]]:
    for objective, metrics in found.metrics.items():
        ours, theirs = (found.mean(objective, model, metrics[0]) for model in ("served", "never"))
        if ours is not None and theirs:
            off = (ours - theirs) / theirs
            side = "below" if off < 0 else "above"
            said = f"{abs(off):.1%} {side} never retrained"
            yield f"{objective}: {metric_name(metrics[0])}", f"{ours:.{DIGITS}f}", said


def _tile(name: str, value: str, said: str) -> str:
    more = f"<small>{escape(said)}</small>" if said else ""
    return f"<div><dt>{escape(name)}</dt><dd>{escape(value)}{more}</dd></div>"


def _quality(scope: Scope, found: Results) -> Iterator[str]:
    yield "<h2>How well it did, month by month</h2>"
    if not found.months:
        yield '<p class="soft">No predicted event is mature yet.</p>'
        return
    yield (
        "<p>As served: the predictions that were given at the time. Beside them what the first learned model would "
        "have said had nobody retrained it, and the baseline that needs no model.</p>"
    )
    yield '<div class="charts">'
    for objective, metrics in found.metrics.items():
        for metric in metrics:
            drawn = [Line(name, model, [found.figures.get((objective, model, m, metric)) for m in found.months])
                     for model, name in _named()]  # fmt: skip
            said = f"<b>{escape(objective)}: {metric_name(metric)}</b>, {BETTER.get(metric, 'lower')} is better"
            yield _figure(said, charts.lines(found.months, drawn, DIGITS))
    drawn = [Line(name, model, [found.money.get((model, m)) for m in found.months]) for model, name in _named()]
    said = f"<b>cost</b>, in alerts not needed ({_price(scope)}); lower is better"
    yield _figure(said, charts.lines(found.months, drawn, 0)) + "</div>"


def _named() -> list[tuple[str, str]]:
    return [(model, "as served" if model == "served" else name) for model, name in MODELS.items()]


def _price(scope: Scope) -> str:
    missed = ", ".join(f"{name} {objective.weight:g}" for name, objective in scope.objectives.items())
    return f"an alert {scope.costs.alert:g}; missed: {escape(missed)}"


def _table(found: Results) -> Iterator[str]:
    if not found.months:
        return
    yield "<h3>The same in numbers</h3>"
    for objective, metrics in found.metrics.items():
        spans = "".join(f'<th colspan="3">{escape(objective)}: {metric_name(metric)}</th>' for metric in metrics)
        head = f"<tr><th></th><th></th>{spans}</tr><tr><th>month</th><th>events</th>{_names() * len(metrics)}</tr>"
        rows = [
            f"<td>{month}</td><td>{found.rows[objective, 'served', month]:,}</td>"
            + "".join(_cells([found.figures.get((objective, o, month, m)) for o in MODELS], DIGITS) for m in metrics)
            for month in found.months
            if (objective, "served", month) in found.rows
        ]
        means = "".join(_cells([found.mean(objective, o, m) for o in MODELS], DIGITS) for m in metrics)
        yield _grid(head, rows, f"<td>mean*</td><td></td>{means}")
    head = f"<tr><th>cost</th>{_names()}</tr>"
    rows = [f"<td>{m}</td>{_cells([found.money.get((o, m)) for o in MODELS], 0)}" for m in found.months]
    yield _grid(head, rows, f"<td>all*</td>{_cells([found.total(o) for o in MODELS], 0)}")
    yield f'<p class="soft">* {NOTE}.</p>'


def _names() -> str:
    return "".join(f"<th>{escape(name)}</th>" for name in MODELS.values())


def _cells(values: Iterable[float | None], digits: int) -> str:
    return "".join("<td>–</td>" if v is None else f"<td>{v:,.{digits}f}</td>" for v in values)


def _grid(head: str, rows: Iterable[str], last: str = "") -> str:
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    foot = f'<tr class="sum">{last}</tr>' if last else ""
    return f'<div class="wide"><table><thead>{head}</thead><tbody>{body}{foot}</tbody></table></div>'


def _releases(found: Results, start: datetime, end: datetime) -> Iterator[str]:
    yield "<h2>What served when</h2>"
    events = found.ledger.events
    if not events:
        yield '<p class="soft">Nothing has been released yet.</p>'
        return
    whole = found.ledger.terms
    until = [*(e.at for e in whole[1:]), max(end, events[-1].at)]
    served = [
        Term(e.version, e.at, over, e.action == "rollback", f"{e.version} from {_when(e.at)}: {e.why}")
        for e, over in zip(whole, until, strict=True)
    ]
    decided = [(d.at, d.action, d.sentence) for d in found.decisions]
    yield _wide(charts.terms(served, decided, start, max(end, until[-1])))
    yield (
        '<p class="key"><i style="background:#0b5fae"></i>in service<i style="background:#b3262c"></i>put back by a '
        'rollback; dots are decisions: <i style="background:var(--baseline)"></i>nothing'
        '<i style="background:var(--good)"></i>release or retrain<i style="background:var(--bad)"></i>roll back</p>'
    )
    rows = [
        f"<td>{_when(e.at)}</td><td>{e.version}</td><td>{e.what}</td><td>{escape(e.who)}</td>"
        f'<td class="said">{escape(_uncited(e.why))}</td>'
        for e in events
    ]
    yield _grid('<tr><th>when</th><th>version</th><th>event</th><th>who</th><th class="said">why</th></tr>', rows)


def _decisions(found: Results, page: Path) -> Iterator[str]:
    yield "<h2>What was decided, and why</h2>"
    if not found.decisions:
        yield '<p class="soft">Nothing has been decided yet.</p>'
    yield from (_decision(decided, page) for decided in reversed(found.decisions))


def _decision(decided: Decided, page: Path) -> str:
    style = {"roll back": "bad", "nothing": "soft", "keep": "soft"}.get(decided.action, "good")
    head = f'{decided.at:%Y-%m-%d} <b class="{style}">{escape(decided.action)}</b> {escape(_uncited(decided.sentence))}'
    findings = sorted(decided.findings, key=lambda f: ("fail", "too few to say", "pass").index(f.outcome))
    told = "".join(
        f"<li{' class=bad' if f.failed else ''}>{escape(f.outcome)}: {escape(f.sentence)}</li>" for f in findings
    )
    links = [_link(decided.path, page, "the decision"), *_evidence(decided, page)]
    return f"<details><summary>{head}</summary><ul>{told}</ul><p>{' · '.join(links)}</p></details>"


def _uncited(sentence: str) -> str:
    """Without the paths at its end: the page links them."""
    return re.sub(r" \[[^\]]*\]$", "", sentence)


def _evidence(decided: Decided, page: Path) -> list[str]:
    """Links to what the decision cites: paths from the project's folder."""
    home = decided.path.parents[2]
    return [_link(home / cited, page, cited) for cited in decided.evidence]


def _link(target: Path, page: Path, name: str) -> str:
    where = os.path.relpath(target, page.parent)
    return f'<a href="{escape(where)}">{escape(name)}</a>'


def _batches(scope: Scope, found: Results, start: datetime, end: datetime) -> Iterator[str]:
    yield "<h2>What became of the data</h2>"
    timed = [b for b in found.batches if scope.sources[b.source].timed]
    rows: dict[str, list[Cell]] = {}
    for batch in timed:
        rows.setdefault(batch.source, []).append(_cell(scope, batch))
    if rows and end > start:
        yield _wide(charts.strips(rows, start, end))
        yield (
            '<p class="key"><i style="background:var(--rule)"></i>accepted<i style="background:var(--warn)"></i>'
            'rows held<i style="background:var(--bad)"></i>held whole<i style="background:var(--ink)"></i>missing</p>'
        )
    held = sorted((b for b in found.batches if b.held), key=lambda b: (b.label, b.source))
    if not held:
        yield "<p>Every batch was accepted whole.</p>"
        return
    items = "".join(f"<li>{escape(b.sentence)}</li>" for b in held[-LISTED:])
    more = f" (the last {LISTED} are listed)" if len(held) > LISTED else ""
    said = f"Held back, whole or in part: {len(held)} of {len(found.batches)} batches{more}"
    yield f"<details><summary>{said}</summary><ul>{items}</ul></details>"


def _cell(scope: Scope, batch: Batch) -> Cell:
    start = period_of(batch.label, scope.sources[batch.source].length, scope.rhythm.offset).start
    state = batch.verdict.status if batch.verdict.status != "accepted" or not batch.held else "part"
    accepted = f"{batch.source} {batch.label}: {batch.verdict.rows_accepted:,} rows accepted"
    return Cell(start, state, batch.sentence if batch.held else accepted)


def _figure(said: str, drawing: str) -> str:
    return f"<figure><figcaption>{said}</figcaption>{drawing}</figure>" if drawing else ""


def _wide(drawing: str) -> str:
    return f'<div class="wide">{drawing}</div>'


def _when(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M}"
