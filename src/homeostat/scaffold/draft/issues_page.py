"""The page of issues: what looks wrong with a table, the worst first, with charts; one file that needs no other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from homeostat.core.text import count
from homeostat.reports.charts import Line, lines
from homeostat.reports.style import STYLE
from homeostat.scaffold.audit.issue import Issue

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
    yield from map(_item, issues)


def _item(issue: Issue) -> str:
    where = f" <code>{escape(issue.column)}</code>" if issue.column else ""
    figure = ""
    if issue.chart:
        chart = lines([label for label, _ in issue.chart], [Line("", "served", [v for _, v in issue.chart])], 3)
        figure = f"<figure><figcaption>{escape(issue.chart_title)}</figcaption>{chart}</figure>"
    return (
        f'<h3>{escape(issue.kind)}{where} <small class="{CLASSES[issue.certainty]}">{issue.certainty}</small></h3>'
        f"<p>{escape(issue.text)}</p>{figure}<p><small>fix:</small> {escape(issue.fix)}</p>"
    )
