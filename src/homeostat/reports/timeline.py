"""The timeline of a project: releases in service, decisions and incidents, one below the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homeostat.adapters.git import read_ledger
from homeostat.decisions import history
from homeostat.monitoring.alerts import read_incidents
from homeostat.project.layout import working_tree
from homeostat.project.window import read_window
from homeostat.reports import charts
from homeostat.reports.charts import Span, Term
from homeostat.reports.document import wide
from homeostat.reports.status import when

if TYPE_CHECKING:
    from homeostat.project.layout import Project

KEY = (
    '<p class="key"><i style="background:#0b5fae"></i>in service<i style="background:#b3262c"></i>put back by a '
    'rollback; dots are decisions: <i style="background:var(--baseline)"></i>nothing'
    '<i style="background:var(--good)"></i>a new release<i style="background:var(--bad)"></i>roll back or fall '
    "back; bars below them are incidents</p>"
)


def timeline(project: Project, incidents: str) -> str:
    """The drawing with its key; empty before the first release. ``incidents`` leads to the folder of their pages."""
    ledger = read_ledger(project.home, project.scope.project)
    whole = ledger.terms
    if not whole:
        return ""
    start, end, *_ = read_window(working_tree(project))
    end = max(end, ledger.events[-1].at)
    served = [
        Term(e.version, e.at, over, e.action == "rollback", f"{e.version} from {when(e.at)}: {e.why}")
        for e, over in zip(whole, [*(e.at for e in whole[1:]), end], strict=True)
    ]
    taken = history.with_outcomes(project, history.decisions(project))
    decisions = [(d.at, d.decision.action, d.headline) for d in taken]
    spans = [
        Span(i.opened, i.closed or end, i.closed is None, i.sentence, f"{incidents}{number}.html")
        for number, i in read_incidents(project).items()
    ]
    return wide(charts.terms(served, decisions, start, end, spans)) + KEY
