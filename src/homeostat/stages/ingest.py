"""Stage ingest: land every batch of every source, as it came, in its declared types."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from homeostat.adapters.sources import content_key, read_batch
from homeostat.adapters.tables import digest, write_table, write_text
from homeostat.core.periods import Period, periods_between
from homeostat.stages import entry

if TYPE_CHECKING:
    from homeostat.project import Project


def land(project: Project, source_name: str, period: Period) -> Path | None:
    """Write ``data/landed/<source>/<label>.parquet``; None when nothing has come for the period.

    What has landed stays when the source no longer has it.

    Raises:
        DataError: the source cannot be read or a value does not fit its type.
    """
    source = project.scope.sources[source_name]
    path = project.landed / source_name / f"{period.label}.parquet"
    rows = read_batch(source_name, source, period, project.root, project.cache)
    if rows is None:
        return path if path.is_file() else None
    return write_table(rows, path)


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
            path = land(project, source_name, period)
            have = digest(path.read_bytes()) if path is not None else ""
        noted[period.label] = [key or "", span, have]
        count += bool(have)
    write_text(json.dumps(noted, indent=0), note)
    return count


def source_timed(project: Project, source_name: str) -> bool:
    return project.scope.sources[source_name].timed


def main() -> None:
    """Land every whole period of the window for every source."""
    from homeostat.project import Project

    project = Project.find(Path.cwd())
    wanted = {name: {p.label for p in periods(project, name)} for name in project.scope.sources}
    project.landed.mkdir(parents=True, exist_ok=True)
    remove_stray(project.landed, wanted)
    for name in project.scope.sources:
        print(f"{name}: {land_source(project, name)} of {len(wanted[name])} batches landed")


if __name__ == "__main__":
    entry.run(main)
