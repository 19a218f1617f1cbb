"""Feature rows of past events, as a release's own ``features.sql`` has them."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from homeostat.adapters.parquet import read_table
from homeostat.core.errors import DataError
from homeostat.core.periods import labels_overlapping
from homeostat.data.workspace import Workspace
from homeostat.features.build import FeatureTables
from homeostat.features.sql import read_features_sql
from homeostat.features.tables import read_features
from homeostat.project.layout import Project


class FeatureRows:
    """The feature rows of one tree as they are now; each batch is read once for as long as this lives."""

    def __init__(self, tree: Project) -> None:
        self._tree = tree
        self._sql = read_features_sql(tree)
        self._labels = [path.stem for path in tree.features.glob("*.parquet")]
        self._tables: dict[tuple[str, str], pl.DataFrame] = {}

    def labels_since(self, since: datetime) -> list[str]:
        """The batches with features that may hold events after ``since``, in order of time."""
        scope = self._tree.scope
        return labels_overlapping(self._labels, scope.events_period, scope.rhythm.offset, since, None)

    def between(self, sql: str, since: datetime, until: datetime) -> pl.DataFrame:
        """The rows of events after ``since`` and before ``until``, as ``sql`` has them, in order of batch.

        Raises:
            DataError: a batch is missing or damaged, or the batches were not made by one features.sql.
            ScopeError: ``sql`` cannot be used on the sources as they are.
        """
        parts = [self._table(label, sql) for label in self.labels_since(since)]
        if not parts:
            return read_features(self._tree, [])
        try:
            rows = pl.concat(parts)
        except pl.exceptions.PolarsError as error:
            folder = self._tree.features
            raise DataError(f"{folder}: its tables have different columns; run the stage featurize again") from error
        return rows.filter(pl.col("event_time") > since, pl.col("event_time") < until)

    def _table(self, label: str, sql: str) -> pl.DataFrame:
        if (label, sql) not in self._tables:
            self._tables[label, sql] = (
                read_table(self._tree.features / f"{label}.parquet")
                if sql == self._sql
                else FeatureTables(Workspace(self._tree)).of(label, sql)
            )
        return self._tables[label, sql]
