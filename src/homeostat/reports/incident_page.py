"""The page of one incident: the screen of ``incident``, then a picture of each piece of evidence; one file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from homeostat.project.layout import working_tree
from homeostat.project.whole_files import write_text
from homeostat.reports import charts, incident
from homeostat.reports.charts import Band, Line, Mark
from homeostat.reports.document import document, figure, grid, prose
from homeostat.reports.drift_pictures import drift_pictures
from homeostat.reports.evidence_grid import evidence_grid
from homeostat.reports.incident import Part, Rows, Screen, batch_of, columns, commands, counterfactuals, parts
from homeostat.reports.measure import measure
from homeostat.reports.status import when

if TYPE_CHECKING:
    from homeostat.project.layout import Project

WIDE = 860  # pixels of a drawing over all of time
FACTS = ("state", "since", "owner", "blame", "cost")  # parts that are a line each, side by side
LISTS = ("answers", "done", "others")
STYLE = """
.lead { font-size: 1.15rem; max-width: 62ch; margin: 8px 0 16px; }
.badge { font-size: 0.8rem; font-weight: 600; border-radius: 10px; padding: 2px 10px; vertical-align: middle;
  color: #fff; background: var(--bad); margin-left: 8px; white-space: nowrap; }
.badge.closed, .badge.noted { background: var(--baseline); } .badge.snoozed { background: var(--warn); }
dl.facts { grid-template-columns: max-content 1fr; gap: 2px 20px; }
dl.facts div { display: contents; } dl.facts dt { padding: 3px 0; }
dl.facts dd { font-size: 1rem; padding: 3px 0; }
table.type td { text-align: left; white-space: normal; border: 0; padding: 3px 20px 3px 0; }
td.blamed { color: var(--bad); font-weight: 600; }
h2 { margin-top: 26px; } dl.facts { margin-bottom: 0; }
form { background: var(--panel); border-radius: 6px; padding: 12px 16px; margin-top: 18px; }
form label { display: inline-block; margin-right: 16px; color: var(--soft); font-size: 0.85rem; }
form label.long input { width: min(100%, 26em); } form p { margin: 10px 0 0; max-width: none; }
input, select, button { font: inherit; font-size: 0.95rem; color: var(--ink); background: var(--paper);
  border: 1px solid var(--rule); border-radius: 5px; padding: 4px 10px; }
label input { display: block; } button { cursor: pointer; margin: 4px 10px 4px 0; } span button { margin-right: 0; }
form span { margin-right: 18px; } button.bad { color: var(--bad); border-color: var(--bad); }
pre { white-space: pre-wrap; font: 0.85rem/1.5 ui-monospace, monospace; }
nav { font-size: 0.9rem; margin-bottom: 12px; }
"""


def write_incident(project: Project, number: str) -> Path:
    """Write the page of an incident beside its record; its path."""
    return write_text(incident_page(project, number), project.incidents / f"{number}.html")


def incident_page(project: Project, number: str, forms: str = "") -> str:
    """The page of the incident of that number; ``forms`` is HTML with what a person may do, on a page that is served.

    Raises: as ``incident.read``.
    """
    screen = incident.read(project, number)
    assert screen is not None, "a number names an incident or is refused"
    by_name = {part.name: part for part in parts(screen)}
    page = project.incidents / f"{number}.html"
    title = f"{screen.incident.problem} ({project.scope.project})"
    body = [
        f'<nav><a href="{_relative(project.report_page, page)}">{escape(project.scope.project)}</a> / {number}</nav>',
        f"<h1>{escape(screen.incident.problem)}{_badge(screen)}</h1>",
        f'<p class="lead">{prose(capitalized(by_name["what"].texts[0]))}</p>',
        _facts([by_name[name] for name in FACTS if name in by_name]),
        forms,
        _commands(screen, project.home / "RUNBOOK.md"),
        *_graph(project, screen),
        *(_list(by_name[name]) for name in LISTS if name in by_name),
        *_beside(screen),
        *_rows(screen.rows),
        *_before(screen),
        *_evidence(project, screen, page),
    ]
    return document(title, [part for part in body if part], STYLE)


# ---- the first screen


def _badge(screen: Screen) -> str:
    incident = screen.incident
    word = "closed" if incident.closed else "noted" if incident.noted else "snoozed" if screen.snooze else "open"
    return f'<span class="badge {word}">{word}</span>'


def capitalized(text: str) -> str:
    """A sentence that begins as one on a page.

    >>> capitalized("30 % is missing"), capitalized("too late")
    ('30 % is missing', 'Too late')
    """
    return text[:1].upper() + text[1:]


def _facts(facts: Iterable[Part]) -> str:
    rows = (f"<div><dt>{f.title}</dt><dd>{'<br>'.join(map(prose, f.texts))}</dd></div>" for f in facts)
    return f'<dl class="facts">{"".join(rows)}</dl>'


def _commands(screen: Screen, runbook: Path) -> str:
    rows = (f"<tr><td><code>{escape(c.text)}</code></td><td>{escape(c.purpose)}</td></tr>" for c in commands(screen))
    rule = screen.incident.finding.rule
    text = runbook.read_text() if runbook.is_file() else ""
    section = text.partition(f"\n## {rule}\n")[2].partition("\n## ")[0].strip()
    more = f"<details><summary>RUNBOOK: {rule}</summary><pre>{escape(section)}</pre></details>" if section else ""
    return f'<h2>What to type</h2><table class="type">{"".join(rows)}</table>{more}'


def _list(part: Part) -> str:
    return f"<h2>{part.title}</h2><ul>{''.join(f'<li>{prose(text)}</li>' for text in part.texts)}</ul>"


def _beside(screen: Screen) -> Iterator[str]:
    rows = counterfactuals(screen)
    if rows:
        yield "<h2>On the same rows</h2><p class='soft'>Below zero: the first has the smaller loss.</p>"
        cells = ((f'<td class="text">{escape(r.what)}</td>', *_cells(r.value, r.interval)) for r in rows)
        yield grid('<tr><th class="text">what</th><th>difference</th><th>interval</th></tr>', map("".join, cells))


def _rows(rows: Rows) -> Iterator[str]:
    if not rows.values:
        return
    yield "<h2>Some of the rows</h2>"
    head = "".join(f"<th>{escape(name)}</th>" for name in rows.columns)
    styles = [' class="blamed"' if name in rows.blamed else "" for name in rows.columns]
    yield grid(
        f"<tr>{head}</tr>",
        ("".join(f"<td{s}>{escape(v)}</td>" for s, v in zip(styles, row, strict=True)) for row in rows.values),
    )


def _before(screen: Screen) -> Iterator[str]:
    yield "<h2>Before</h2>"
    if not screen.before:
        yield "<p>This has not happened before.</p>"
        return
    rows = [
        f'<td><a href="{number}.html">{number}</a></td><td>{when(one.opened)}</td>'
        f"<td>{when(one.closed) if one.closed else 'open'}</td><td class=\"text\">closed by itself</td>"
        for number, one in reversed(screen.before)
    ]
    yield grid('<tr><th>incident</th><th>since</th><th>until</th><th class="text">what ended it</th></tr>', rows)


# ---- the measure over time


def _graph(project: Project, screen: Screen) -> Iterator[str]:
    drawn = measure(project, screen)
    if drawn is None:
        return
    times = drawn.times
    place = _placing(times)
    terms = [e for e in screen.ledger.terms if times[0] <= e.at <= times[-1]]
    marks = [Mark(place(e.at), f"{e.version} {e.what} {when(e.at)}") for e in terms]
    until = screen.incident.closed or times[-1]
    band = Band(place(screen.incident.opened), place(until), f"incident {screen.number}")
    limits = [Line("limit", "limit", drawn.limits)] if any(limit is not None for limit in drawn.limits) else []
    lines = [Line("measured", "served", drawn.values), *limits]
    labels = [f"{time:%m-%d}" for time in times]
    unit = f", {drawn.unit}" if drawn.unit else ""
    yield "<h2>Over time</h2>"
    yield figure(
        f"<b>{escape(drawn.name)}</b>{unit}; shaded: this incident; dotted: a release begins to serve",
        charts.lines(labels, lines, 3, width=WIDE, marks=marks, bands=[band]),
    )


def _placing(times: Sequence[datetime]) -> Callable[[datetime], float]:
    """Where a time lies among evenly spaced labels; times outside lie at the ends."""

    def place(time: datetime) -> float:
        after = next((n for n, one in enumerate(times) if one >= time), len(times) - 1)
        if after == 0 or times[after] <= time:
            return float(after)
        before = times[after - 1]
        return after - 1 + (time - before) / (times[after] - before)

    return place


# ---- the evidence


def _evidence(project: Project, screen: Screen, page: Path) -> Iterator[str]:
    yield "<h2>Evidence</h2>"
    yield from _pictures(project, screen)
    for decided in screen.decisions[: incident.SHOWN]:
        more = f'<a href="{_relative(decided.path, page)}">the record</a> · <code>{escape(decided.command)}</code>'
        title = f"{when(decided.at)} {prose(decided.headline)}"
        yield f"<details><summary>{title}</summary>{evidence_grid(decided.decision)}<p>{more}</p></details>"
    links = [
        f'<a href="{_relative(project.home / path, page)}">{escape(path)}</a>'
        for path in (*screen.incident.finding.evidence, project.cited(project.incidents / f"{screen.number}.json"))
    ]
    yield f"<p>{' · '.join(links)}</p>"


def _pictures(project: Project, screen: Screen) -> Iterator[str]:
    """Of columns to blame their values beside those before; of an objective what was predicted and observed."""
    one, finding = screen.incident, screen.incident.finding
    source, batch = batch_of(finding)
    if source in project.scope.sources:
        from homeostat.reports.column_pictures import pictures

        yield from pictures(working_tree(project), source, batch, columns(finding))
    elif finding.rule in incident.OF_EVENTS:
        from homeostat.reports.observed_events import calibration_chart, judged_events

        events = judged_events(project, finding, one.last_failed)
        if events is not None:
            title = f"<b>Predicted and observed</b>, {events.height:,} events in order of prediction, a tenth at a time"
            yield figure(title, calibration_chart(events))
    else:
        for path in finding.evidence:
            yield from drift_pictures(project.home / path, project.scope.monitoring.score_drift)


def _cells(*texts: str) -> list[str]:
    return [f"<td>{escape(text)}</td>" for text in texts]


def _relative(target: Path, page: Path) -> str:
    return escape(os.path.relpath(target, page.parent))
