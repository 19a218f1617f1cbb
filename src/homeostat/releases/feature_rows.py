"""Feature rows of past events, as a release's own ``features.sql`` has them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from homeostat.core.periods import period_of
from homeostat.data.workspace import Workspace
from homeostat.features.build import FeatureTables
from homeostat.features.tables import read_features

if TYPE_CHECKING:
    from homeostat.project.layout import Project
    from homeostat.training.bundle import Bundle


def rows_of(ledger: Project, bundle: Bundle, since: datetime, until: datetime) -> pl.DataFrame:
    """Feature rows, as the bundle's own ``features.sql`` has them, of events after ``since`` and before ``until``."""
    sql = None if bundle.sql == ledger.features_text else bundle.sql
    labels = labels_since(ledger, since)
    if sql is None:
        table = read_features(ledger, labels)
    else:
        tables = FeatureTables(Workspace(ledger))
        parts = [tables.of(label, sql) for label in labels]
        table = pl.concat(parts) if parts else read_features(ledger, [])
    return table.filter(pl.col("event_time") > since, pl.col("event_time") < until)


def labels_since(ledger: Project, since: datetime) -> list[str]:
    """The batches with features that may hold events after ``since``."""
    scope = ledger.scope
    found = sorted(path.stem for path in ledger.features.glob("*.parquet"))
    return [label for label in found if period_of(label, scope.events_period, scope.rhythm.offset).end > since]
