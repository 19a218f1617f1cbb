"""Featurize: one table a batch, each event with what was known at its predict-at, and its labels."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from homeostat.adapters.import_graph import work_hash
from homeostat.adapters.parquet import digest, read_table, table_bytes, write_table
from homeostat.data.monthly_records import MonthlyRecords
from homeostat.features import sql as feature_sql
from homeostat.features.labels import labels
from homeostat.features.point_in_time import PointInTime
from homeostat.features.rows import joined
from homeostat.features.sql import read_features_sql
from homeostat.features.tables import listed

if TYPE_CHECKING:
    from homeostat.data.workspace import Workspace
    from homeostat.features.lookback import LookBack


@dataclass(frozen=True)
class Note:
    """What a feature table was made from, and the hash of its file."""

    key: str
    sha256: str


class FeatureTables:
    """The feature tables of one workspace, each compared with what it follows from before it is read."""

    def __init__(self, workspace: Workspace, point: PointInTime | None = None) -> None:
        self.workspace = workspace
        self.point = PointInTime(workspace) if point is None else point
        self._notes = MonthlyRecords(workspace.files, workspace.project.features, lambda raw: Note(**raw), vars)

    def of(self, label: str, sql: str | None = None) -> pl.DataFrame:
        """The features of one batch; by another SQL text than the project's, from a cache by content.

        Raises:
            ScopeError: features.sql or an expression of the scope cannot be used.
            DataError: an accepted batch is missing or was changed.
        """
        if sql is None or (self.workspace.project.features_sql.is_file() and sql == self._sql):
            return read_table(self.make(label))
        look = self.point.look_back(label)
        path = self.workspace.project.cache / "features" / f"{self._key(sql, look)[:32]}.parquet"
        if not path.is_file():
            write_table(self._tables([look], sql, ())[0], path)
            self.point.rows.keep(2 * len(look.batches))
        return read_table(path)

    def make(self, label: str) -> Path:
        """Write ``data/features/<label>.parquet``, and what it follows from; what still holds is kept.

        Raises:
            ScopeError, DataError: as ``of``.
        """
        look = self.point.look_back(label)
        if not self.holds(look):
            self.stage(look, table_bytes(self.tables([look])[0]))
            self.workspace.files.commit()
            self.point.rows.keep(2 * len(look.batches))  # another look-back may take turns with this one
        return self._path(label)

    def holds(self, look: LookBack) -> bool:
        """Whether the table of a batch is there, and made from just this."""
        note = self._notes.get(look.period.label)
        data = None if note is None else self.workspace.files.read(self._path(look.period.label))
        return data is not None and note == Note(self._key(self._sql, look), digest(data))

    def stage(self, look: LookBack, data: bytes) -> None:
        """Stage a table, and after it the note of what it follows from."""
        label = look.period.label
        self._notes.remove([label])
        self.workspace.files.write(self._path(label), data)
        note = Note(self._key(self._sql, look), digest(data))
        self._notes.put({label: note})

    def _path(self, label: str) -> Path:
        return self.workspace.project.features / f"{label}.parquet"

    @cached_property
    def _sql(self) -> str:
        """The tree's own features, read once."""
        return read_features_sql(self.workspace.project)

    def tables(self, looks: Sequence[LookBack]) -> list[pl.DataFrame]:
        """The table of each batch of one of ``lookback.groups``, by one run of features.sql.

        Raises:
            ScopeError, DataError: as ``of``.
        """
        return self._tables(looks, self._sql, listed(self.workspace.scope))

    def _tables(self, looks: Sequence[LookBack], sql: str, needed: Iterable[str]) -> list[pl.DataFrame]:
        scope = self.workspace.scope
        key = list(scope.key)
        rows = self.point.joint_events(looks)
        parts: list[list[pl.DataFrame]] = [[] for _ in looks]
        for events, tables in self.point.joint_views(looks, rows):
            features = feature_sql.build(sql, scope, tables, pl.concat(events), scope.threads, needed)
            for own, of_batch in zip(events, parts, strict=True):
                theirs = features.join(own.select(key), on=key, how="semi", nulls_equal=True, maintain_order="left")
                of_batch.append(joined(scope, own, theirs))
        return [
            pl.concat(of_batch)
            .sort(key, nulls_last=True)
            .join(own, on=key, how="left", nulls_equal=True, maintain_order="left")
            for own, of_batch in zip(labels(self.point, looks, rows), parts, strict=True)
        ]

    # ---- what a table follows from

    def keys(self, looks: Iterable[LookBack]) -> dict[str, str]:
        """By label, a hash of everything that decides on a table."""
        return {look.period.label: self._key(self._sql, look) for look in looks}

    def _key(self, sql: str, look: LookBack) -> str:
        """A hash of everything that decides on a table."""
        return digest("\n".join([self._cause, sql, str(look)]).encode())

    @cached_property
    def _cause(self) -> str:
        """What decides on every table: the code, its tools and the scope."""
        scope = self.workspace.scope
        _, *of_rungs = scope.training.rules.items()
        cause = {
            "code": work_hash("homeostat.features.build"),
            "sources": {name: source.meaning() for name, source in scope.sources.items()},
            "events": scope.events.model_dump(mode="json"),
            "history": scope.features.history.total_seconds(),
            "objectives": {
                name: objective.model_dump(mode="json", include={"label", "where", "known", "group"})
                for name, objective in scope.objectives.items()
            },
            "given": [
                scope.evaluation.slices, scope.training.baseline.model_dump(mode="json"),
                *((column, rule.model_dump(mode="json")) for column, (_, rule) in of_rungs),
            ],
            "needed": listed(scope),
        }
        return json.dumps(cause, default=str)
