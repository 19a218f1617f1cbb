"""How estimates of quality did, before their labels were in: inside their band how often, and against the last window.

Give folders of finished replays:

    .venv/bin/python benchmarks/estimates.py REPLAY...

A line an objective and metric. Inside: of the estimates that had earned a band and were graded since, the share whose
observed figure lay in it (90 to 98 % is asked for). Error: the median distance from what was observed, of all graded
estimates, beside that of repeating the last window that was graded when the estimate was made.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from statistics import median

from homeostat.monitoring.quality import QualityRecords
from homeostat.project.layout import Project

HEADINGS = "table: objective", "metric", "graded", "with a band", "inside", "error", "last window's", "trusted"


def lines(project: Project) -> Iterator[str]:
    """A row of the table for each metric of each objective."""
    records = QualityRecords.read(project, datetime.max)
    for name, metric in sorted({(e["objective"], e["metric"]) for r in records.records for e in r["estimates"]}):
        graded = records.graded(name, metric)
        banded = [abs(e["value"] - value) <= e["half"] for e, value in graded if e["half"] is not None]
        after = [(abs(e["value"] - value), abs(e["last"] - value)) for e, value in graded if e["last"] is not None]
        inside = f"{sum(banded) / len(banded):.1%}" if banded else "-"
        error, naive = (f"{median(of):.4f}" if of else "-" for of in zip(*after, strict=True)) if after else ("-", "-")
        trust = records.trust(name, metric)
        earned = "too few" if trust is None else "yes" if trust.earned else "no"
        cells = (f"{project.scope.project}: {name}", metric, len(graded), len(banded), inside, error, naive, earned)
        yield f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    print(f"| {' | '.join(HEADINGS)} |\n|{'---|' * len(HEADINGS)}")
    for folder in sys.argv[1:]:
        print(*lines(Project.find(Path(folder))), sep="\n")


if __name__ == "__main__":
    main()
