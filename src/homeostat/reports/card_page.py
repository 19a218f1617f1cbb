"""The model card as a page of HTML that opens offline, and as Markdown; no value of the data can steer either."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from homeostat.core.text import printable
from homeostat.project.whole_files import write_text
from homeostat.releases.registry import Registry
from homeostat.reports.card import Card, Facts, Grid, Part, Picture, Records, model_card
from homeostat.reports.document import document, figure, grid, prose

if TYPE_CHECKING:
    from homeostat.project.layout import Project

STYLE = """
dl.facts { grid-template-columns: max-content 1fr; gap: 2px 20px; } dl.facts div { display: contents; }
dl.facts dt { padding: 3px 0; } dl.facts dd { font-size: 1rem; padding: 3px 0; overflow-wrap: anywhere; }
nav { font-size: 0.9rem; margin-bottom: 12px; } figure { margin: 14px 0 20px; }
figure svg { max-width: 560px; } .wide + p { margin-top: 8px; }
td { white-space: normal; }
"""
MARKS = re.compile(r"([\\`*_{}\[\]<>#|~!&$])")  # what Markdown, or HTML within it, would read as more than a letter


def write_cards(project: Project, records: Records) -> None:
    """Write the page of every release that is unpacked here.

    Raises:
        DataError: an unpacked release is damaged.
    """
    for release in records.ledger.releases:
        if (bundle := records.bundle_of(release)) is not None:
            card = model_card(project, records, release, bundle)
            write_text(html(card), page_of(project, release.version))


def card_of(project: Project, version: str) -> Card:
    """The card of one release.

    Raises:
        UsageError: there is no such version.
        EnvironmentFault, DataError: its bundle cannot be found, or is damaged; a record is damaged.
    """
    registry = Registry.open(project)
    release = registry.registered(version)
    return model_card(project, Records.read(project, registry.ledger), release, registry.load(release.version))


def page_of(project: Project, version: str) -> Path:
    """Where the card of a release lies."""
    return project.cards / f"{version}.html"


def html(card: Card) -> str:
    title = f"{card.project} {card.version}"
    nav = f'<nav><a href="../index.html">{escape(card.project)}</a> / {escape(card.version)}</nav>'
    body = [nav, f"<h1>{escape(title)}: model card</h1>"]
    for section in card.sections:
        body += [f"<h2>{escape(section.title)}</h2>", *map(_html, section.parts)]
    return document(f"{title}: model card", body, STYLE)


def _html(part: Part) -> str:
    match part:
        case str():
            return f"<p>{prose(part)}</p>"
        case tuple():
            return f"<ul>{''.join(f'<li>{prose(text)}</li>' for text in part)}</ul>"
        case Facts():
            rows = (f"<div><dt>{escape(name)}</dt><dd>{prose(value)}</dd></div>" for name, value in part.rows)
            return f'<dl class="facts">{"".join(rows)}</dl>'
        case Grid():
            head = "".join(f"<th>{escape(heading)}</th>" for heading in part.headings)
            return grid(f"<tr>{head}</tr>", map(_cells, part.rows))
        case Picture():
            return figure(f"<b>{escape(part.title)}</b>", part.drawing)


def _cells(row: Iterable[str]) -> str:
    return "".join(f"<td>{escape(cell)}</td>" for cell in row)


def markdown(card: Card) -> str:
    """The same as Markdown: pictures as tables of their numbers."""
    lines = [f"# {_plain(f'{card.project} {card.version}')}: model card"]
    for section in card.sections:
        lines += ["", f"## {_plain(section.title)}"]
        shown: list[Grid] = []
        for part in section.parts:
            numbers = part.numbers if isinstance(part, Picture) else part
            if isinstance(numbers, Grid) and numbers in shown:
                continue  # its picture has shown the same numbers
            shown += [numbers] if isinstance(numbers, Grid) else []
            lines += ["", *_markdown(part)]
    return "\n".join([*lines, ""])


def _markdown(part: Part) -> Iterator[str]:
    match part:
        case str():
            yield _prose(part)
        case tuple():
            yield from (f"- {_prose(text)}" for text in part)
        case Facts():
            yield from (f"- **{_plain(name)}**: {_prose(value)}" for name, value in part.rows)
        case Grid():
            yield f"| {' | '.join(map(_plain, part.headings))} |"
            yield f"|{'---|' * len(part.headings)}"
            yield from (f"| {' | '.join(map(_plain, row))} |" for row in part.rows)
        case Picture():
            yield f"**{_plain(part.title)}**"
            yield ""
            yield from _markdown(part.numbers)


def _prose(text: str) -> str:
    """A sentence, with what is between backquotes as code.

    >>> _prose("a*b where `x*y > 1`")
    'a\\\\*b where `x*y > 1`'
    """
    parts = re.split(r"`([^`]+)`", text)
    return "".join(f"`{_line(part)}`" if place % 2 else _plain(part) for place, part in enumerate(parts))


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line.

    >>> _plain("<b>|[x](y)")
    '\\\\<b\\\\>\\\\|\\\\[x\\\\](y)'
    """
    return MARKS.sub(r"\\\1", _line(text))


def _line(text: str) -> str:
    return printable(re.sub(r"\s+", " ", text))
