"""Ingest: land every batch of every source, as it came, in its declared types."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import polars as pl

from homeostat.adapters.parquet import digest
from homeostat.core.periods import Period, periods_between
from homeostat.core.text import count
from homeostat.data.ahead import Readings
from homeostat.data.casts import WRITTEN
from homeostat.data.monthly_records import FILE
from homeostat.project.scope import ONCE
from homeostat.project.window import read_window

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeostat.data.sources import Reading
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


def land(workspace: Workspace, name: str, period: Period, read: Callable[[Period], Reading | None]) -> Landing:
    """Stage ``data/landed/<source>/<label>.parquet``, as it came.

    A batch whose source files and landed file are both unchanged since it last landed is not read again. What has
    landed stays when the source no longer has it, or no longer as declared.

    Raises:
        DataError: the source cannot be read.
        ScopeError: an expression of the source is wrong.
    """
    path, cause = _path(workspace, name, period), _cause(workspace, name, period)
    if _holds(workspace, name, period, cause):
        there = workspace.files.exists(path)
        return Landing(path if there else None, read=False, before="same" if there else "none")
    landing = _landed(workspace, name, period, read(period))
    workspace.landing_notes(name).put({period.label: [*cause, _hash(workspace.files.read(path))]})
    return landing


def unread(workspace: Workspace, name: str, periods: Iterable[Period]) -> Iterator[Period]:
    """Those of the periods that ``land`` reads from the source."""
    return (period for period in periods if not _holds(workspace, name, period, _cause(workspace, name, period)))


def _holds(workspace: Workspace, name: str, period: Period, cause: list[str]) -> bool:
    """Whether neither the files of the source nor the landed file have changed since the batch last landed."""
    landed = _hash(workspace.files.read(_path(workspace, name, period)))
    return bool(cause[0]) and workspace.landing_notes(name).get(period.label) == [*cause, landed]


def _cause(workspace: Workspace, name: str, period: Period) -> list[str]:
    """What a batch lands from: the content of its source, empty where that cannot be said, and its span of time."""
    source = workspace.scope.sources[name]
    key = workspace.sources.content_key(name, source)
    return [key or "", f"{period.start}/{period.end}" if source.timed else ONCE]


def _path(workspace: Workspace, name: str, period: Period) -> Path:
    return workspace.project.landed / name / f"{period.label}.parquet"


def _landed(workspace: Workspace, name: str, period: Period, reading: Reading | None) -> Landing:
    files, source, path = workspace.files, workspace.scope.sources[name], _path(workspace, name, period)
    before = files.read(path)
    if reading is None:
        return Landing(None if before is None else path, before="none" if before is None else "gone")
    if reading.unlike is not None and is_as_declared(before, source):
        sentence = f"{name} {period.label}: the source now {reading.unlike}; the batch that had landed stays"
        return Landing(path, reading.undeclared, sentence, before="other")
    files.write(path, reading.data)
    if before is None:
        return Landing(path, reading.undeclared)
    return Landing(path, reading.undeclared, before="same" if before == reading.data else "other")


def is_as_declared(landed: bytes | None, source: Source) -> bool:
    """Whether a landed file has every declared column, and no value that does not fit."""
    if landed is None:
        return False
    try:
        names = pl.read_parquet_schema(landed)
    except pl.exceptions.PolarsError:
        return False
    return all(c in names for c in source.columns) and not any(c.startswith(WRITTEN) for c in names)


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
        landed, readings = 0, Readings(workspace, name, unread(workspace, name, batches))
        for period in batches:
            landing = land(workspace, name, period, readings.read)
            if landing.refused:
                print(landing.refused)
            landed += landing.path is not None
            workspace.files.commit()
        yield f"{name}: {landed} of {count(len(batches), 'batch')} landed"
