"""Ingest: land every batch of every source, as it came, in its declared types."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from homeostat.adapters.parquet import digest, write_table, write_text
from homeostat.core.periods import Period, periods_between
from homeostat.data.casts import WRITTEN
from homeostat.data.sources import content_key, read_delivery, unlike

if TYPE_CHECKING:
    from homeostat.project.layout import Project
    from homeostat.project.scope import Source


@dataclass(frozen=True)
class Landing:
    """What became of a delivery: the landed file (None: nothing has come), and the columns that are not declared.

    ``refused`` says why what had landed before was kept, where it was.
    """

    path: Path | None
    besides: tuple[str, ...] = ()
    refused: str = ""


def land(project: Project, source_name: str, period: Period) -> Landing:
    """Write ``data/landed/<source>/<label>.parquet``, as it came.

    What has landed stays when the source no longer has it, or no longer as declared.

    Raises:
        DataError: the source cannot be read.
    """
    source = project.scope.sources[source_name]
    path = project.landed / source_name / f"{period.label}.parquet"
    delivery = read_delivery(source_name, source, period, project.root, project.cache)
    if delivery is None:
        return Landing(path if path.is_file() else None)
    wrong = unlike(source, delivery.rows)
    if wrong is not None and is_as_declared(path, source):
        said = f"{source_name} {period.label}: what the source says now {wrong}; what had landed stays"
        return Landing(path, delivery.besides, said)
    return Landing(write_table(delivery.rows, path), delivery.besides)


def is_as_declared(path: Path, source: Source) -> bool:
    """Whether a batch has landed with every declared column, and no value that does not fit."""
    import polars as pl

    try:
        names = pl.read_parquet_schema(path)
    except (FileNotFoundError, pl.exceptions.PolarsError):
        return False
    return all(c in names for c in source.columns) and not any(c.startswith(WRITTEN) for c in names)


def periods(project: Project, source_name: str) -> list[Period]:
    """The batches that the window calls for: every whole period in it, or the one of a source without time."""
    start, as_of = project.window
    source = project.scope.sources[source_name]
    if source.period == "once":
        return [Period(start, as_of, "once")]
    return periods_between(start, as_of, source.period, project.scope.rhythm.offset)


def remove_stray(folder: Path, wanted: dict[str, set[str]]) -> list[Path]:
    """Remove from ``folder/<source>/<label>.*`` what ``wanted`` (labels by source) does not call for."""
    removed = []
    for child in sorted(folder.iterdir()) if folder.is_dir() else []:
        if child.name not in wanted:
            if child.name != ".gitignore":
                removed.append(child)
            continue
        removed += [p for p in sorted(child.iterdir()) if p.stem not in wanted[child.name]]
    for path in removed:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        print(f"removed {path.parent.name}/{path.name}: neither the window nor the sources call for it")
    return removed


def land_source(project: Project, source_name: str) -> int:
    """Land every batch of the window; how many there are.

    A batch whose source files and landed file are both unchanged since it last landed is not read again.
    """
    note = project.cache / "landed" / f"{source_name}.json"
    seen: dict[str, list[str]] = json.loads(note.read_text()) if note.is_file() else {}
    key = content_key(project.scope.sources[source_name], project.root, source_name)
    noted: dict[str, list[str]] = {}
    count = 0
    for period in periods(project, source_name):
        path: Path | None = project.landed / source_name / f"{period.label}.parquet"
        have = digest(path.read_bytes()) if path is not None and path.is_file() else ""
        span = f"{period.start}/{period.end}" if source_timed(project, source_name) else "once"
        if key is None or seen.get(period.label) != [key, span, have]:
            landing = land(project, source_name, period)
            path = landing.path
            have = digest(path.read_bytes()) if path is not None else ""
            if landing.refused:
                print(landing.refused)
        noted[period.label] = [key or "", span, have]
        count += bool(have)
    write_text(json.dumps(noted, indent=0), note)
    return count


def source_timed(project: Project, source_name: str) -> bool:
    return project.scope.sources[source_name].timed


def land_window(project: Project) -> Iterator[str]:
    """Land every whole period of the window for every source; a line on each source."""
    wanted = {name: {p.label for p in periods(project, name)} for name in project.scope.sources}
    project.landed.mkdir(parents=True, exist_ok=True)
    remove_stray(project.landed, wanted)
    for name in project.scope.sources:
        yield f"{name}: {land_source(project, name)} of {len(wanted[name])} batches landed"
