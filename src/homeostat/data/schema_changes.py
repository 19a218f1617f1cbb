"""What the loop knows of a source's columns from its last look: as what they were declared, and which came besides."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from homeostat.adapters.parquet import digest, write_text
from homeostat.core.sentences.batches import NAMED
from homeostat.core.text import listed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from homeostat.project.layout import Project


def declared_again(project: Project, source: str) -> bool:
    """Whether the source is declared otherwise than when ``declare`` was last called; not before its first call."""
    known = _read(_path(project, source)).get("declared")
    return known is not None and known != _declared(project, source)


def declare(project: Project, source: str) -> None:
    """Every batch that may be looked at is as the source is declared now."""
    path = _path(project, source)
    known = _read(path)
    if known.get("declared") != _declared(project, source):
        write_text(json.dumps(known | {"declared": _declared(project, source)}, indent=1) + "\n", path)


def new_among(project: Project, source: str, batch: str, besides: Sequence[str]) -> str:
    """What to say of columns that are not declared and were never there before, or nothing; each is said once."""
    path = _path(project, source)
    known = _read(path)
    seen: dict[str, str] | None = known.get("besides")
    fresh = [c for c in besides if c not in (seen or {})]
    if seen is not None and not fresh:
        return ""
    write_text(json.dumps(known | {"besides": (seen or {}) | dict.fromkeys(fresh, batch)}, indent=1) + "\n", path)
    if seen is None:
        return ""
    many = "columns" if len(fresh) > 1 else "column"
    return (
        f"{source} {batch}: new {many} {listed(fresh, NAMED)}, not used: the rest goes on. To use one, add it in "
        f"params.yaml to sources.{source}.columns, to a group of known_at, and to optional, since earlier batches "
        "lack it"
    )


def _declared(project: Project, source: str) -> str:
    return digest(project.scope.sources[source].model_dump_json().encode())


def _path(project: Project, source: str) -> Path:
    return project.state / "columns" / f"{source}.json"


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):  # a note to be made again: what it says can be found again
        return {}
    return found
