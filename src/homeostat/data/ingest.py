"""Ingest: land every batch of every source, as it came, in its declared types."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import polars as pl

from homeostat.adapters.parquet import digest, table_bytes
from homeostat.core.periods import Period, periods_between
from homeostat.core.text import count
from homeostat.data.casts import WRITTEN
from homeostat.data.monthly_records import FILE, MonthlyRecords
from homeostat.data.sources import unlike
from homeostat.project.scope import ONCE
from homeostat.project.window import read_window

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeostat.data.workspace import Workspace
    from homeostat.project.layout import Project
    from homeostat.project.scope import Source


@dataclass(frozen=True)
class Landing:
    """What became of a delivery: the landed file (None: nothing has come), and the columns that are not declared.

    ``refused`` says why what had landed before was kept, where it was; ``read`` whether the source was read at all.
    ``before`` is how what had landed before compares with it: none had, the same, other, or it is gone from the source.
    """

    path: Path | None
    undeclared: tuple[str, ...] = ()
    refused: str = ""
    read: bool = True
    before: Literal["none", "same", "other", "gone"] = "none"


def land(workspace: Workspace, name: str, period: Period) -> Landing:
    """Stage ``data/landed/<source>/<label>.parquet``, as it came.

    A batch whose source files and landed file are both unchanged since it last landed is not read again. What has
    landed stays when the source no longer has it, or no longer as declared.

    Raises:
        DataError: the source cannot be read.
        ScopeError: an expression of the source is wrong.
    """
    source = workspace.scope.sources[name]
    path = workspace.project.landed / name / f"{period.label}.parquet"
    notes = _notes(workspace, name)
    key = workspace.sources.content_key(name, source)
    cause = [key or "", f"{period.start}/{period.end}" if source.timed else ONCE]
    before = workspace.files.read(path)
    if key is not None and notes.get(period.label) == [*cause, _hash(before)]:
        there = before is not None
        return Landing(path if there else None, read=False, before="same" if there else "none")
    landing = _landed(workspace, name, period, path)
    notes.put({period.label: [*cause, _hash(workspace.files.read(path))]})
    return landing


def _landed(workspace: Workspace, name: str, period: Period, path: Path) -> Landing:
    files, source = workspace.files, workspace.scope.sources[name]
    delivery = workspace.sources.delivery(name, source, period)
    before = files.read(path)
    if delivery is None:
        return Landing(None if before is None else path, before="none" if before is None else "gone")
    wrong = unlike(source, delivery.rows)
    if wrong is not None and is_as_declared(before, source):
        sentence = f"{name} {period.label}: the source now {wrong}; the batch that had landed stays"
        return Landing(path, delivery.undeclared, sentence, before="other")
    data = table_bytes(delivery.rows)
    files.write(path, data)
    if before is None:
        return Landing(path, delivery.undeclared)
    return Landing(path, delivery.undeclared, before="same" if before == data else "other")


def is_as_declared(landed: bytes | None, source: Source) -> bool:
    """Whether a landed file has every declared column, and no value that does not fit."""
    if landed is None:
        return False
    try:
        names = pl.read_parquet_schema(landed)
    except pl.exceptions.PolarsError:
        return False
    return all(c in names for c in source.columns) and not any(c.startswith(WRITTEN) for c in names)


def _notes(workspace: Workspace, name: str) -> MonthlyRecords[list[str]]:
    """From what each batch landed: key of the source's content, its span of time, hash of the landed file."""
    return workspace.landing_notes(name)


def _hash(data: bytes | None) -> str:
    return "" if data is None else digest(data)


def periods(project: Project, name: str) -> list[Period]:
    """The batches of the window: every whole period in it, or the one of a source without time."""
    start, as_of, *_ = read_window(project)
    source = project.scope.sources[name]
    if source.period == ONCE:
        return [Period(start, as_of, ONCE)]
    return periods_between(start, as_of, source.period, project.scope.rhythm.offset)


def remove_stray(folder: Path, wanted: Mapping[str, set[str]]) -> list[Path]:
    """Remove from ``folder/<source>/<label>.*`` what ``wanted`` (labels by source) does not call for.

    Files of records are left to who keeps them.
    """
    removed = []
    for child in sorted(folder.iterdir()) if folder.is_dir() else []:
        if child.name not in wanted:
            if child.name != ".gitignore":
                removed.append(child)
            continue
        removed += [p for p in sorted(child.iterdir()) if p.stem not in wanted[child.name] and not _is_records(p)]
    for path in removed:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        print(f"removed {path.parent.name}/{path.name}: neither the window nor the sources call for it")
    return removed


def _is_records(path: Path) -> bool:
    return path.suffix == ".json" and FILE.fullmatch(path.stem) is not None


def land_window(workspace: Workspace) -> Iterator[str]:
    """Land every whole period of the window for every source; a line on each source."""
    project = workspace.project
    wanted = {name: periods(project, name) for name in workspace.scope.sources}
    project.landed.mkdir(parents=True, exist_ok=True)
    remove_stray(project.landed, {name: {p.label for p in batches} for name, batches in wanted.items()})
    for name, batches in wanted.items():
        landed = 0
        for period in batches:
            landing = land(workspace, name, period)
            if landing.refused:
                print(landing.refused)
            landed += landing.path is not None
            workspace.files.commit()
        yield f"{name}: {landed} of {count(len(batches), 'batch')} landed"
