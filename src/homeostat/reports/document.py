"""A page: one file of HTML that needs nothing else, in which no value of the data can steer whoever reads it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

from homeostat.core.text import printable
from homeostat.reports.style import STYLE

HEAD = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'


def document(title: str, body: Iterable[str], style: str = "") -> str:
    """A whole page around the parts of its ``body``; ``style`` is added to the style sheet that all have.

    Characters that would steer a terminal or turn the direction of writing are spelled out.
    """
    head = f"{HEAD}<title>{escape(title)}</title>\n<style>{STYLE}{style}</style>"
    text = "\n".join(["<!doctype html>", f'<html lang="en"><head>{head}</head>', "<body><main>", *body])
    lines = (line if line.isprintable() else printable(line) for line in text.split("\n"))
    return "\n".join([*lines, "</main></body></html>", ""])


def prose(text: str) -> str:
    """A sentence as HTML, with what is between backquotes as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))


def grid(head: str, rows: Iterable[str], last: str = "") -> str:
    """A table that scrolls sideways where it is wide; ``last`` is a row of sums."""
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    foot = f'<tr class="sum">{last}</tr>' if last else ""
    return f'<div class="wide"><table><thead>{head}</thead><tbody>{body}{foot}</tbody></table></div>'


def figure(title: str, drawing: str) -> str:
    """A drawing under its title, which is HTML; nothing where there is no drawing."""
    return f"<figure><figcaption>{title}</figcaption>{drawing}</figure>" if drawing else ""


def wide(drawing: str) -> str:
    return f'<div class="wide">{drawing}</div>'
