"""Append-only records of what was done to the data: rows released, a batch corrected; marks (``contamination``), labels
that came by themselves (``label_amendments``)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from homeostat.adapters.parquet import digest, read_table, table_bytes
from homeostat.core.errors import DataError, UsageError
from homeostat.data.sources import ordered
from homeostat.data.staged_files import StagedFiles
from homeostat.data.verdict_store import VerdictStore
from homeostat.project.whole_files import create_text, write_bytes

if TYPE_CHECKING:
    import polars as pl

    from homeostat.project.layout import Project

Kind = Literal["release", "correct"]
WHO = {"number", "kind", "who", "why", "known"}
LABELS = "labels"
FIELDS = {
    "release": WHO | {"source", "batch"},
    "correct": WHO | {"source", "batch"},
    "contaminated": WHO | {"version", "since", "until"},
    LABELS: WHO | {"source", "batch", "file", "sha256", "differ"},
    "cleared": WHO | {"mark"},
}
OPTIONAL = {"rows", "file", "sha256"}  # of batches


@dataclass(frozen=True)
class Amendment:
    """One file of ``data/amendments``; ``rows`` are row keys, or None for every row held."""

    number: int
    kind: Kind
    source: str
    batch: str
    who: str
    why: str
    known: datetime
    rows: tuple[tuple[Any, ...], ...] | None = None
    file: str = ""
    sha256: str = ""


def read_amendments(project: Project, now: datetime | None = None) -> list[Amendment]:
    """All amendments of batches in order of their number; those known by ``now`` only, if it is given.

    Raises:
        DataError: a file is damaged.
    """
    amendments = []
    for raw in read_records(project, "release", "correct"):
        rows = raw.pop("rows", None)
        amendments.append(Amendment(**raw, rows=None if rows is None else tuple(tuple(r) for r in rows)))
    return sorted((a for a in amendments if now is None or a.known <= now), key=lambda a: a.number)


def read_records(project: Project, *kinds: str) -> list[dict[str, Any]]:
    """What each file of these kinds holds.

    Raises:
        DataError: a file is damaged.
    """
    records = []
    for path in project.amendments.glob("*.yaml"):
        if path.name.split("-")[1:2] == [LABELS] and LABELS not in kinds:
            continue  # there may be one a batch and day: they are not read for nothing
        raw = _read(path)
        if raw.get("kind") in kinds:
            if not FIELDS[raw["kind"]] <= raw.keys() <= FIELDS[raw["kind"]] | OPTIONAL:
                raise _damaged(path)
            records.append(raw)
    return records


def write_record(project: Project, body: dict[str, Any], name: str) -> Path:
    """Write an amendment of any kind, in a file named by its number, its kind and ``name``.

    Raises:
        UsageError: it does not say who did it and why.
    """
    _check_reason(name, body["who"], body["why"])
    text = io.StringIO()
    YAML(typ="safe").dump(body, text)
    return create_text(text.getvalue(), project.amendments / f"{body['number']:04d}-{body['kind']}-{name}.yaml")


def _check_reason(name: str, who: str, why: str) -> None:
    if not who.strip() or not why.strip():
        raise UsageError(f"{name}: an amendment needs who and why; give both")


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = YAML(typ="safe").load(path.read_text())
    except (YAMLError, ValueError, OSError) as error:
        raise _damaged(path) from error
    if not isinstance(raw, dict):
        raise _damaged(path)
    return raw


def _damaged(path: Path) -> DataError:
    return DataError(f"{path}: damaged, not an amendment; restore it from git")


def release_rows(
    project: Project, source: str, batch: str, keys: Sequence[Sequence[Any]] | None, who: str, why: str, known: datetime
) -> Path:
    """Put held rows back among the accepted; ``keys`` are row keys in the order of the source's key, None for all.

    Raises:
        UsageError: nothing of that name is held.
    """
    held = project.quarantine / source / f"{batch}.parquet"
    if not held.is_file() and (keys is not None or not in_doubt(project, source, batch)):
        raise UsageError(f"{source} {batch}: no row of it is quarantined; `homeostat data review` lists what is")
    if keys is not None:
        names = project.scope.sources[source].key
        present = set(read_table(held).select(names).rows())
        absent = [k for k in keys if tuple(k) not in present]
        if absent:
            raise UsageError(
                f"{source} {batch}: no quarantined row has the key {tuple(absent[0])}; give one that is held"
            )
    body = {} if keys is None else {"rows": [list(k) for k in keys]}
    return _append(project, "release", source, batch, who, why, known, body)


def in_doubt(project: Project, source: str, batch: str) -> bool:
    """Whether a batch is unlike those before it, so that nothing trains on it."""
    verdict = VerdictStore(StagedFiles(), project.accepted).get(source, batch)
    return verdict is not None and bool(verdict.suspect_columns)


def correct_batch(project: Project, source: str, batch: str, file: Path, who: str, why: str, known: datetime) -> Path:
    """Put the rows of ``file`` (Parquet or CSV, the declared columns) in the place of a landed batch, which stays.

    Raises:
        DataError: the file does not hold such rows.
        UsageError: no batch of that name has landed.
    """
    from homeostat.data.sources import read_file

    if not (project.landed / source / f"{batch}.parquet").is_file():
        raise UsageError(f"{source} {batch}: no such batch has landed; `homeostat status` names the last one")
    declared = project.scope.sources[source]
    rows = read_file(source, declared, file)
    data = table_bytes(ordered(rows, declared))
    name = f"{next_number(project):04d}-correct-{source}-{batch}.parquet"
    body = {"file": name, "sha256": digest(data)}
    return _append(project, "correct", source, batch, who, why, known, body, data)


def corrected_rows(project: Project, amendment: Amendment) -> pl.DataFrame:
    """The rows a correction brought.

    Raises:
        DataError: the file is not the one that was recorded.
    """
    path = project.amendments / amendment.file
    if path.is_file() and digest(path.read_bytes()) != amendment.sha256:
        raise DataError(f"{path}: changed since it was recorded; restore it from git")
    return read_table(path)


def next_number(project: Project) -> int:
    """One above the highest."""
    return 1 + max((int(p.name.split("-")[0]) for p in project.amendments.glob("[0-9]*-*.yaml")), default=0)


def _append(
    project: Project, kind: Kind, source: str, batch: str, who: str, why: str, known: datetime, body: dict[str, Any],
    rows: bytes = b"",
) -> Path:  # fmt: skip
    """Write an amendment, after the ``rows`` of its file; one that was made already is not made again."""
    _check_reason(f"{source} {batch}", who, why)
    made = [a for a in read_amendments(project) if (a.source, a.batch) == (source, batch)]
    if made and _says(made[-1], kind, who, why, body):
        return project.amendments / f"{made[-1].number:04d}-{kind}-{source}-{batch}.yaml"
    number = next_number(project)
    if rows:
        write_bytes(rows, project.amendments / body["file"])
    head = {"number": number, "kind": kind, "source": source, "batch": batch, "who": who, "why": why, "known": known}
    return write_record(project, head | body, f"{source}-{batch}")


def _says(made: Amendment, kind: Kind, who: str, why: str, body: dict[str, Any]) -> bool:
    """Whether an amendment is the one that is asked for: its command was run before, and may have been killed."""
    rows = None if made.rows is None else [list(row) for row in made.rows]
    same = (made.kind, made.who, made.why, made.sha256) == (kind, who, why, body.get("sha256", ""))
    return same and rows == body.get("rows")
