"""The whole audit once roles are assigned: issues of labels, rows, history and columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homeostat.scaffold.audit.columns import column_issues
from homeostat.scaffold.audit.coverage import coverage_issues
from homeostat.scaffold.audit.labels import label_issues
from homeostat.scaffold.audit.rows import row_issues
from homeostat.scaffold.audit.time_bins import TimeBins

if TYPE_CHECKING:
    import duckdb
    import polars as pl

    from homeostat.scaffold.audit.column_roles import Roles
    from homeostat.scaffold.audit.issue import Issue
    from homeostat.scaffold.audit.label_leakage import Leakage
    from homeostat.scaffold.profile.profile_table import Profile

MINOR = 40  # severity up to which an issue of a column that is kept out anyway is not reported


def find_issues(
    connection: duckdb.DuckDBPyConnection, profile: Profile, leakage: Leakage, roles: Roles, rows: pl.DataFrame
) -> list[Issue]:
    """Everything but leakage; ``rows`` are labelled, in order of time."""
    bins = TimeBins.of(rows)
    issues = [
        *label_issues(connection, profile, bins),
        *row_issues(connection, profile, roles, bins),
        *coverage_issues(connection, profile),
        *column_issues(connection, profile, roles, bins),
    ]
    return [i for i in issues if i.column not in leakage.barred or i.severity > MINOR]
