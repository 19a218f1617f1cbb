"""The whole audit once roles are assigned: issues of labels, rows, history and columns."""

from __future__ import annotations

import polars as pl

from homeostat.scaffold.audit.column_roles import Roles
from homeostat.scaffold.audit.columns import AllLimits, column_issues
from homeostat.scaffold.audit.coverage import coverage_issues
from homeostat.scaffold.audit.issue import Issue
from homeostat.scaffold.audit.label_leakage import Leakage
from homeostat.scaffold.audit.labels import label_issues
from homeostat.scaffold.audit.readings import reading_issues
from homeostat.scaffold.audit.rows import row_issues
from homeostat.scaffold.audit.time_bins import TimeBins
from homeostat.scaffold.profile.profile_table import Profile
from homeostat.scaffold.profile.workspace import Workspace

MINOR = 40  # severity up to which an issue of a column that is kept out anyway is not reported


def find_issues(
    work: Workspace, profile: Profile, leakage: Leakage, roles: Roles, rows: pl.DataFrame, limits: AllLimits
) -> list[Issue]:
    """Everything but leakage; ``rows`` are labelled, in order of time, ``limits`` those of the contract."""
    bins = TimeBins.of(rows)
    issues = [
        *label_issues(work, profile, bins),
        *row_issues(work, profile, roles, bins),
        *coverage_issues(work, profile),
        *column_issues(work, profile, roles, bins, limits),
        *reading_issues(work, profile),
    ]
    return [i for i in issues if i.column not in leakage.barred or i.severity > MINOR]
