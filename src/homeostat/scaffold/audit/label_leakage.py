"""Columns that leak the label: by what they predict, by when they are written, by their sums, by their names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from homeostat.scaffold.audit.bounds import bounds
from homeostat.scaffold.audit.candidates import Candidates, as_learned
from homeostat.scaffold.audit.filled_together import late_presence, siblings
from homeostat.scaffold.audit.issue import Issue
from homeostat.scaffold.audit.label_components import components
from homeostat.scaffold.audit.late_columns import (
    equal_to_known_time,
    late_by_name,
    late_times,
    late_twins,
    perfect_predictors,
)
from homeostat.scaffold.audit.neighbouring_labels import neighbouring_labels
from homeostat.scaffold.audit.same_order import same_order
from homeostat.scaffold.audit.single_label_values import single_label_issue, single_label_values
from homeostat.scaffold.audit.two_columns import totals, two_columns
from homeostat.scaffold.audit.within_groups import within_groups
from homeostat.scaffold.profile.profile_table import Profile
from homeostat.scaffold.profile.table import Column
from homeostat.scaffold.profile.workspace import Workspace

SHOWN = 12  # values or bins of a chart


@dataclass(frozen=True)
class Leakage:
    """The issues, the columns to keep out, and those whose values determine the label but may be known in time."""

    issues: tuple[Issue, ...]
    barred: tuple[str, ...]
    allowed: tuple[str, ...]
    powers: dict[str, float]

    @property
    def suspects(self) -> set[str]:
        """Columns that are kept, and may be known only afterwards: no baseline and no slice goes by them."""
        return {i.column for i in self.issues if not i.barred}


def find_leakage(work: Workspace, profile: Profile, rows: pl.DataFrame) -> Leakage:
    """Every column against the label. ``rows`` are labelled, in order of time, with ``__y`` and ``__t``."""
    candidates = Candidates.of(profile, rows)
    issues: list[Issue] = []
    barred: set[str] = set()
    for issue in (
        *equal_to_known_time(candidates),
        *components(candidates),
        *perfect_predictors(candidates),
        *same_order(candidates),
        *neighbouring_labels(work, candidates),
        *bounds(candidates),
        *late_twins(candidates),
        *late_times(candidates),
        *late_by_name(candidates),
        *late_presence(candidates),
        *within_groups(candidates),
    ):
        if issue.column not in barred:
            issues.append(issue)
        barred |= {issue.column} if issue.barred else set()
    issues += two_columns(candidates, barred)
    barred = {i.column for i in issues if i.barred}
    determined = [v for v in single_label_values(work, candidates) if v.column not in barred]
    for column in dict.fromkeys(v.column for v in determined):
        issues.append(single_label_issue(candidates, [v for v in determined if v.column == column]))
    issues += siblings(candidates, {i.column: i.kind for i in issues if i.barred})
    issues += totals(candidates, {i.column for i in issues if i.barred})
    barred = {i.column for i in issues if i.barred}
    kept = [i for i in issues if i.barred or i.column not in barred]
    return Leakage(
        tuple(_with_chart(candidates, i) for i in sorted(kept, key=lambda i: -i.severity)),
        tuple(c.name for c in candidates.columns if c.name in barred),
        tuple(dict.fromkeys(v.column for v in determined if v.column not in barred)),
        dict(candidates.powers),
    )


def _with_chart(candidates: Candidates, issue: Issue) -> Issue:
    """The issue with the label's mean by the values of the column, or by bins of them."""
    if issue.column not in candidates.rows.columns or issue.chart:
        return issue
    column = candidates.profile.table.column(issue.column)
    place = as_learned(candidates.rows, column)
    binned = place.dtype.is_numeric() and place.n_unique() > SHOWN
    if binned:
        place = place.cast(pl.Float64).fill_nan(None)
        edges = np.unique(np.quantile(place.drop_nulls().to_numpy(), np.linspace(0, 1, SHOWN + 1)[1:-1]))
        by = pl.Series(np.searchsorted(edges, place.fill_null(0.0).to_numpy(), side="right"))
        by = by.cast(pl.String).set(place.is_null(), None)
    else:
        by = place = place.cast(pl.String)
    means = pl.DataFrame({"by": by, "place": place, "y": candidates.y})
    means = means.group_by("by").agg(pl.len(), pl.min("place"), pl.mean("y"))
    means = means.sort("len", "place", descending=[True, False]).head(SHOWN + 1).sort("place", nulls_last=True)
    chart = tuple((_tick(column, low), mean) for low, mean in means.select("place", "y").iter_rows())
    if len(chart) < 2:
        return issue
    title = f"mean of {candidates.profile.label.column} by {column.raw}"
    return replace(issue, chart=chart, chart_title=title, categories=not binned)


def _tick(column: Column, value: Any) -> str:
    """A value, or the least of a bin, under a chart."""
    if value is None:
        return "missing"
    unit = " days" if column.kind == "time" else ""
    return f"{value:.4g}{unit}" if isinstance(value, float) else str(value)[:20]
