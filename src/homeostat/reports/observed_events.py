"""The events that an incident of quality is about: those predicted worst, and predictions beside what was observed."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from homeostat.core.periods import period_containing
from homeostat.features.tables import mature
from homeostat.monitoring import outcomes
from homeostat.project.layout import working_tree
from homeostat.reports import charts
from homeostat.reports.charts import Line
from homeostat.training.evaluate import GIVEN

if TYPE_CHECKING:
    from homeostat.core.findings import Finding
    from homeostat.project.layout import Project

BINS = 10  # of predictions, with as many events in each
PREDICTED, OBSERVED = "predicted", "observed"


def judged_events(project: Project, finding: Finding, until: datetime) -> pl.DataFrame | None:
    """The events of the window that ends at ``until``, of the finding's objective and slice, that were mature then.

    Columns: the key, event_time, predicted, baseline, observed, release. None where the finding is about no objective,
    or about an order, or nothing was mature.
    """
    scope, name = project.scope, finding.subject
    if name not in scope.objectives or scope.objectives[name].task == "ranking":
        return None
    table = outcomes.rows(project, until - scope.monitoring.window, until)
    if table.is_empty():
        return None
    table = mature(table, name, scope, until).drop_nulls(f"score__{name}")
    column, value = finding.facts.get("column"), finding.facts.get("slice")
    if value is not None and f"{GIVEN}{column}" in table.columns:
        table = table.filter(pl.col(f"{GIVEN}{column}").cast(pl.String) == str(value))
    named = {PREDICTED: f"score__{name}", "baseline": f"baseline__{name}", OBSERVED: f"label__{name}"}
    table = table.select(*scope.key, "event_time", *(pl.col(c).alias(n) for n, c in named.items()), "release")
    return None if table.is_empty() else table


def worst_predicted(project: Project, events: pl.DataFrame, most: int) -> pl.DataFrame:
    """The events whose prediction was furthest from what was observed, the furthest first, with their source's rows."""
    off = (pl.col(OBSERVED) - pl.col(PREDICTED)).abs()
    worst = events.sort(off, descending=True, maintain_order=True).head(most)
    tree = working_tree(project)
    scope = tree.scope
    labels = {period_containing(t, scope.events_period, scope.rhythm.offset).label for t in worst["event_time"]}
    paths = [tree.accepted / scope.events.source / f"{label}.parquet" for label in sorted(labels)]
    there = [pl.read_parquet(path) for path in paths if path.is_file()]
    if not there:
        return worst
    rows = pl.concat(there, how="diagonal_relaxed").unique(scope.key, keep="first", maintain_order=True)
    more = rows.select(*scope.key, *(c for c in rows.columns if c not in worst.columns))
    return worst.join(more, on=list(scope.key), how="left", nulls_equal=True, maintain_order="left")


def calibration_chart(events: pl.DataFrame) -> str:
    """Means of predicted and observed values, event by event in order of prediction, tenth by tenth."""
    ordered = events.sort(PREDICTED, maintain_order=True).with_row_index("place")
    part = (pl.col("place") * min(BINS, events.height) // events.height).alias("part")
    means = ordered.group_by(part, maintain_order=True).agg(pl.col(PREDICTED).mean(), pl.col(OBSERVED).mean())
    sides = ((PREDICTED, "baseline"), (OBSERVED, "served"))
    drawn = [Line(name, style, means[name].to_list()) for name, style in sides]
    return charts.lines([f"{value:.3g}" for value in means[PREDICTED]], drawn, 3, width=charts.LONG)
