"""The page of issues: what looks wrong with a table, the worst first, with charts; one file that needs no other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from homeostat.core.text import count
from homeostat.reports.charts import Line, bars, lines
from homeostat.reports.style import STYLE
from homeostat.scaffold.audit.issue import Issue

FEWEST = 4  # values that a line shows something of
CLASSES = {"certain": "bad", "likely": "", "possible": "soft"}


def issues_page(project: str, table: str, issues: Sequence[Issue], summary: Sequence[str]) -> str:
    """The whole page as HTML; ``summary`` are lines on the profile of the table."""
    barred, others = ([i for i in issues if i.barred is flag] for flag in (True, False))
    many = count(len(issues), "issue")
    body = [
        f"<h1>Issues with {escape(table)}</h1>",
        f'<p class="soft">Of the project {escape(project)}: {many}, the worst first. '
        "Each says what, where, how sure, and how to fix it.</p>",
        *_section("Left out of the first scope: they leak the label", barred, "No column leaks the label."),
        *_section("To look at", others, "No other issues."),
        f"<h2>Profile</h2><p>{'<br>'.join(map(escape, summary))}</p>",
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(project)}: issues</title><style>{STYLE}</style></head>"
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def _section(title: str, issues: Sequence[Issue], none: str) -> Iterator[str]:
    yield f"<h2>{escape(title)}</h2>"
    if not issues:
        yield f"<p>{escape(none)}</p>"
    yield f'<div class="cards">{"".join(map(_item, issues))}</div>'


def _item(issue: Issue) -> str:
    where = f" <code>{escape(issue.column)}</code>" if issue.column else ""
    return (
        f'<article><h3>{escape(issue.kind)}{where} <small class="{CLASSES[issue.certainty]}">{issue.certainty}</small>'
        f"</h3><p>{escape(issue.text)}</p>{_figure(issue)}<p><small>fix:</small> {escape(issue.fix)}</p></article>"
    )


def _figure(issue: Issue) -> str:
    """The chart of an issue: bars of values without an order, or of a few; else a line."""
    if not issue.chart:
        return ""
    labels, values = [label for label, _ in issue.chart], [value for _, value in issue.chart]
    if issue.categories or len(values) < FEWEST:
        drawing = bars(labels, values, 3)
    else:
        drawing = lines(labels, [Line("", "served", values)], 3)
    return f"<figure><figcaption>{escape(issue.chart_title)}</figcaption>{drawing}</figure>"
