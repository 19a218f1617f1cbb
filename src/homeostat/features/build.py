"""Featurize: one table a batch, each event with what was known at its predict-at, and its labels."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from homeostat.adapters.import_graph import code_hash
from homeostat.adapters.parquet import digest, read_table, table_bytes, write_table
from homeostat.core.errors import ScopeError
from homeostat.data.ingest import periods
from homeostat.data.monthly_records import MonthlyRecords, file_of
from homeostat.features import sql as feature_sql
from homeostat.features.labels import labels
from homeostat.features.point_in_time import PointInTime
from homeostat.features.rows import joined
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

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.point = PointInTime(workspace)
        self._notes = MonthlyRecords(workspace.files, workspace.project.features, lambda raw: Note(**raw), vars)

    def of(self, label: str, sql: str | None = None) -> pl.DataFrame:
        """The features of one batch; by another SQL text than the project's, from a cache by content.

        Raises:
            ScopeError: features.sql or an expression of the scope cannot be used.
            DataError: an accepted batch is missing or was changed.
        """
        if sql is None or sql == self._own_sql:
            return read_table(self.make(label))
        look = self.point.look_back(label)
        path = self.workspace.project.cache / "features" / f"{self._key(sql, look)[:32]}.parquet"
        if not path.is_file():
            write_table(self._table(look, sql, ()), path)
        return read_table(path)

    def make(self, label: str) -> Path:
        """Write ``data/features/<label>.parquet``, and what it follows from; what still holds is kept.

        Raises:
            ScopeError, DataError: as ``of``.
        """
        look = self.point.look_back(label)
        if not self.holds(look):
            self.stage(look, self.table(look))
            self.workspace.files.commit()
        return self._path(label)

    def holds(self, look: LookBack) -> bool:
        """Whether the table of a batch is there, and made from just this."""
        note = self._notes.get(look.period.label)
        data = None if note is None else self.workspace.files.read(self._path(look.period.label))
        return data is not None and note == Note(self._key(self.workspace.project.features_text, look), digest(data))

    def table(self, look: LookBack) -> bytes:
        """The table of one batch, as the bytes of its file."""
        return table_bytes(self._table(look, self.workspace.project.features_text, listed(self.workspace.scope)))

    def stage(self, look: LookBack, data: bytes) -> None:
        """Stage a table, and after it the note of what it follows from."""
        label = look.period.label
        self._notes.remove([label])
        self.workspace.files.write(self._path(label), data)
        note = Note(self._key(self.workspace.project.features_text, look), digest(data))
        self._notes.put({label: note})

    def _path(self, label: str) -> Path:
        return self.workspace.project.features / f"{label}.parquet"

    @property
    def _own_sql(self) -> str | None:
        project = self.workspace.project
        return project.features_text if project.features_sql.is_file() else None

    def _table(self, look: LookBack, sql: str, needed: Iterable[str]) -> pl.DataFrame:
        scope = self.workspace.scope
        rows = self.point.events(look)
        parts = []
        for events, tables in self.point.views(look, rows):
            features = feature_sql.build(sql, scope, tables, events, scope.threads, needed)
            parts.append(joined(scope, events, features))
        self.point.rows.keep(2 * len(look.batches))  # another look-back may take turns with this one
        table = pl.concat(parts).sort(scope.key, nulls_last=True)
        of_events = labels(self.point, look, rows)
        return table.join(of_events, on=list(scope.key), how="left", nulls_equal=True, maintain_order="left")

    # ---- what a table follows from

    def _key(self, sql: str, look: LookBack) -> str:
        """A hash of everything that decides on a table."""
        return digest("\n".join([self._cause, sql, str(look)]).encode())

    @cached_property
    def _cause(self) -> str:
        """What decides on every table: code, engine and scope."""
        scope = self.workspace.scope
        cause = {
            "code": code_hash("homeostat.features.build"),
            "engine": metadata.version("duckdb"),
            "sources": {name: source.model_dump(mode="json") for name, source in scope.sources.items()},
            "events": scope.events.model_dump(mode="json"),
            "history": scope.features.history.total_seconds(),
            "objectives": {
                name: objective.model_dump(mode="json", include={"label", "where", "known", "group"})
                for name, objective in scope.objectives.items()
            },
            "given": [scope.evaluation.slices, scope.training.baseline.model_dump(mode="json")],
            "needed": listed(scope),
        }
        return json.dumps(cause, default=str)


# ---- the window


def build_window(tables: FeatureTables) -> str:
    """Make the features of every batch of the window; take out those that it does not call for; a line on them.

    Raises:
        ScopeError, DataError: as ``FeatureTables.of``, and where no event is known before it is predicted.
    """
    workspace = tables.workspace
    project, name = workspace.project, workspace.scope.events.source
    wanted = [p.label for p in periods(project, name)]
    project.features.mkdir(parents=True, exist_ok=True)
    _remove_stray(project.features, wanted)
    events = sum(_events_in(tables.make(label)) for label in wanted)
    verdicts = [workspace.verdicts.get(name, label) for label in wanted]
    if not events and any(v.rows_accepted for v in verdicts if v):
        raise ScopeError(
            "params.yaml: events.predict_at: no event is known before it is predicted, so none has features; predict "
            f"later, or say in sources.{name}.known_at that the row is known earlier"
        )
    return f"features: {events} events in {len(wanted)} batches"


def _remove_stray(folder: Path, wanted: Iterable[str]) -> None:
    """Remove tables that the window does not call for, and notes of none: those say nothing that is missed."""
    labels = set(wanted)
    notes = {file_of(label) for label in labels}
    for path in sorted(folder.iterdir()):
        if path.suffix == ".json":
            if path.stem not in notes:
                path.unlink()
        elif path.stem not in labels and path.name != ".gitignore":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            print(f"removed features/{path.name}: the window does not call for it")


def _events_in(path: Path) -> int:
    return pl.scan_parquet(path).select(pl.len()).collect().item()
