"""What the loop noted of a source when it last read it: how it was declared, where it lay, which columns came extra."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from homeostat.adapters.parquet import digest
from homeostat.core.sentences.batches import NAMED
from homeostat.core.text import listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from homeostat.data.workspace import Workspace


def declared_again(workspace: Workspace, source: str) -> bool:
    """Whether the source is declared otherwise than when ``declare`` was last called; not before its first call."""
    before = _read(workspace, source).get("declared")
    return before is not None and before != _declared(workspace, source)


def moved_from(workspace: Workspace, source: str) -> str:
    """Where the source lay when ``declare`` was last called, if that was elsewhere; else empty."""
    before = str(_read(workspace, source).get("place", ""))
    return before if before != workspace.scope.sources[source].place else ""


def declare(workspace: Workspace, source: str) -> None:
    """Note that every batch that may be looked at is as the source is declared now, and from where it lies now."""
    note = _read(workspace, source)
    new = note | {"declared": _declared(workspace, source), "place": workspace.scope.sources[source].place}
    if new != note:
        _write(workspace, source, new)


def new_among(workspace: Workspace, source: str, batch: str, undeclared: Sequence[str]) -> str:
    """What to say of columns that are not declared and were never there before, or nothing; each is said once."""
    note = _read(workspace, source)
    before: dict[str, str] | None = note.get("besides")
    fresh = [c for c in undeclared if c not in (before or {})]
    if before is not None and not fresh:
        return ""
    _write(workspace, source, note | {"besides": (before or {}) | dict.fromkeys(fresh, batch)})
    if before is None:
        return ""
    many = "columns" if len(fresh) > 1 else "column"
    return (
        f"{source} {batch}: new {many} {listed(fresh, NAMED)}, not used: the rest goes on. To use one, add it in "
        f"params.yaml to sources.{source}.columns, to a group of known_at, and to optional, since earlier batches "
        "lack it"
    )


def _declared(workspace: Workspace, source: str) -> str:
    return digest(workspace.scope.sources[source].meaning().encode())


def _path(workspace: Workspace, source: str) -> Path:
    return workspace.project.state / "columns" / f"{source}.json"


def _write(workspace: Workspace, source: str, note: Mapping[str, Any]) -> None:
    workspace.files.write(_path(workspace, source), (json.dumps(note, indent=1) + "\n").encode())


def _read(workspace: Workspace, source: str) -> dict[str, Any]:
    try:
        note: dict[str, Any] = json.loads(workspace.files.read(_path(workspace, source)) or b"{}")
    except ValueError:  # a note to be made again: what it says can be read again
        return {}
    return note
