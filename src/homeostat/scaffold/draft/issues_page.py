"""The suspicion page: what looks wrong with a table, the worst first, with pictures; one file that needs no other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from homeostat.charts import Line, lines
from homeostat.report_style import STYLE
from homeostat.scaffold.draft.summary import guesses

if TYPE_CHECKING:
    from homeostat.scaffold.audit.issue import Doubt
    from homeostat.scaffold.draft.features_sql import FeatureDraft
    from homeostat.scaffold.draft.roles import Choices
    from homeostat.scaffold.profile.profile_table import Understanding

HOW = {"certain": "bad", "likely": "", "possible": "soft"}


def page(project: str, found: Understanding, choices: Choices, features: FeatureDraft, doubts: Sequence[Doubt]) -> str:
    """The whole page as HTML."""
    kept_out = [d for d in doubts if d.barred]
    others = [d for d in doubts if not d.barred]
    body = [
        f"<h1>What looks wrong with {escape(found.table.name)}</h1>",
        f'<p class="soft">Of the project {escape(project)}: {len(doubts)} things, the worst first. '
        "Each says what, where, how sure, and the one line that mends it.</p>",
        *_section("Kept out of the first scope: they give the label away", kept_out, "No column gives the label away."),
        *_section("To look at", others, "Nothing else."),
        "<h2>What was understood</h2><p>",
        "<br>".join(escape(line) for line in guesses(found, choices, features)),
        "</p>",
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(project)}: "
        f"suspicions</title><style>{STYLE}</style></head><body><main>{''.join(body)}</main></body></html>\n"
    )


def _section(title: str, doubts: Sequence[Doubt], none: str) -> Iterator[str]:
    yield f"<h2>{escape(title)}</h2>"
    if not doubts:
        yield f"<p>{escape(none)}</p>"
    for doubt in doubts:
        yield _item(doubt)


def _item(doubt: Doubt) -> str:
    where = f" <code>{escape(doubt.column)}</code>" if doubt.column else ""
    drawn = ""
    if doubt.picture:
        chart = lines([label for label, _ in doubt.picture], [Line("", "served", [v for _, v in doubt.picture])], 3)
        drawn = f"<figure><figcaption>{escape(doubt.drawn)}</figcaption>{chart}</figure>"
    return (
        f'<h3>{escape(doubt.kind)}{where} <small class="{HOW[doubt.certainty]}">{doubt.certainty}</small></h3>'
        f"<p>{escape(doubt.said)}</p>{drawn}<p><small>mend:</small> {escape(doubt.mend)}</p>"
    )
