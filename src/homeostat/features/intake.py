"""Taking data in, up to the features: what a tick does first."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from homeostat.data.intake import DataOutcome, judge_due
from homeostat.data.workspace import Workspace
from homeostat.features.build import FeatureTables

if TYPE_CHECKING:
    from homeostat.project.layout import Project


def take_in(tree: Project, now: datetime, last: datetime) -> DataOutcome:
    """Land, judge and featurize every batch that is due at ``now``, the last completed tick being ``last``.

    Raises:
        DataError: a source cannot be read; nothing is lost, and the next run carries on.
        ScopeError: the scope, a contract or features.sql cannot be used.
    """
    workspace = Workspace(tree)
    outcome = judge_due(workspace, now, last, workspace.files.commit)
    tables = FeatureTables(workspace)
    for label in outcome.featurized:
        tables.make(label)
    return outcome
