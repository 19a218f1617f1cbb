"""The table of evidence of a decision, as HTML."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from homeostat.core.evidence_table import Row, evidence_table
from homeostat.core.sentences import sentence
from homeostat.reports.document import grid

if TYPE_CHECKING:
    from homeostat.core.findings import Decision


def evidence_grid(decision: Decision) -> str:
    """The comparisons and findings of a decision; a finding's sentence shows where one points at its row."""
    table = evidence_table(decision)
    if not table.rows:
        return ""
    head = "".join(f"<th>{escape(heading)}</th>" for heading in table.headings)
    return grid(f"<tr>{head}</tr>", map(_row, table.rows))


def _row(row: Row) -> str:
    first, *rest = map(escape, row.cells)
    title = f' title="{escape(sentence(row.finding))}"' if row.finding else ""
    bad = " bad" if row.outcome == "fail" else ""
    return f'<td class="text{bad}"{title}>{first}</td>' + "".join(f"<td>{cell}</td>" for cell in rest)
