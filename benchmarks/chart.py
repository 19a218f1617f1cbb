"""The README's chart, docs/year.svg: log loss by month as served, never retrained and of the baseline.

Below it, when the loop retrained, alerted and rolled back. From a finished replay:

    .venv/bin/python benchmarks/chart.py REPLAY
"""

from __future__ import annotations

import sys
from calendar import monthrange
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from whole_process import ROOT

from homeostat.core.text import metric_name
from homeostat.decisions import history
from homeostat.project.layout import Project
from homeostat.reports import charts
from homeostat.reports.results import DIGITS, MODELS, Results, results

TARGET = ROOT / "docs" / "year.svg"


def place(time: datetime, months: tuple[str, ...]) -> float:
    """Where a time lies among the months' points, which stand for the middle of each."""
    share = (time.day - 1 + time.hour / 24) / monthrange(time.year, time.month)[1]
    return months.index(f"{time:%Y-%m}") + share - 0.5


def row(name: str, style: str, times: Iterable[datetime], report: Results) -> charts.Row:
    """Marks at the times, each titled with its day."""
    return charts.Row(name, style, [charts.Mark(place(t, report.months), f"{t:%Y-%m-%d}: {name}") for t in times])


def drawing(project: Project, objective: str) -> str:
    """The chart of one objective's loss, as SVG."""
    report = results(project)
    loss = report.metrics[objective][0]
    values = [
        charts.Line(name, model, [report.figures.get((objective, model, month, loss)) for month in report.months])
        for model, name in MODELS.items()
    ]
    rows = [
        row("retrain", "act", (d.at for d in report.decisions if d.decision.action == "retrain"), report),
        row("alert", "alert", (i.opened for i in history.incidents(project) if not i.noted), report),
        row("rollback", "bad", (e.at for e in report.ledger.events if e.action == "rollback"), report),
    ]
    title = f"{objective}: {metric_name(loss)} of each month's predictions, lower is better"
    return charts.standalone(charts.lines(report.months, values, DIGITS, rows, charts.LONG), title)


def main() -> None:
    """Draw the first objective of the replay that is named."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    project = Project.find(Path(sys.argv[1]))
    TARGET.write_text(drawing(project, next(iter(project.scope.objectives))))
    print(TARGET.relative_to(ROOT))


if __name__ == "__main__":
    main()
