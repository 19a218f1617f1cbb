"""The stage featurize: the features of every batch of the window."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from homeostat.core.errors import ScopeError
from homeostat.core.text import count
from homeostat.data.ingest import periods
from homeostat.data.monthly_records import file_of
from homeostat.data.workspace import Workspace
from homeostat.features.build import FeatureTables
from homeostat.features.together import Together


def build_window(workspace: Workspace) -> str:
    """Make the features of every batch of the window; take out those that it does not call for; a line on them.

    Raises:
        ScopeError, DataError: as ``FeatureTables.of``, and where no event is known before it is predicted.
    """
    project, name = workspace.project, workspace.scope.events.source
    tables, together = FeatureTables(workspace), Together()
    wanted = [p.label for p in periods(project, name)]
    project.features.mkdir(parents=True, exist_ok=True)
    _remove_stray(project.features, wanted)
    looks = [look for look in map(tables.point.look_back, wanted) if not tables.holds(look)]
    for made in together.make(tables, looks):
        if made.remark:
            print(made.remark)
        for look in made.looks:
            tables.stage(look, made.tables[look.period.label])
        workspace.files.commit()
        tables.point.rows.keep(2 * len(made.looks[-1].batches))
    events = _rows_in(project.features / f"{label}.parquet" for label in wanted)
    verdicts = [workspace.verdicts.get(name, label) for label in wanted]
    if not events and any(v.rows_accepted for v in verdicts if v):
        raise ScopeError(
            "params.yaml: events.predict_at: no event is known before it is predicted, so none has features; predict "
            f"later, or say in sources.{name}.known_at that the row is known earlier"
        )
    return f"features: {count(events, 'event')} in {count(len(wanted), 'batch')}"


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


def _rows_in(paths: Iterable[Path]) -> int:
    return sum(table.item() for table in pl.collect_all([pl.scan_parquet(path).select(pl.len()) for path in paths]))
