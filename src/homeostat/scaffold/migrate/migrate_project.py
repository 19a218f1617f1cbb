"""Bring a project that an earlier version made to this one: plan, show as a diff, write."""

from __future__ import annotations

import difflib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from homeostat.adapters import dvc_yaml
from homeostat.project.whole_files import write_bytes
from homeostat.scaffold.draft.files import fill_template, package_files
from homeostat.scaffold.migrate.check_project import TEXTS, read_text
from homeostat.scaffold.migrate.known_texts import known_ids, makefile_values, text_id
from homeostat.scaffold.migrate.package_names import PackageNames
from homeostat.scaffold.migrate.references import rewrite, unknown

SKIPPED = {".homeostat", ".venv", ".git", "src"}  # folders that hold no code of the project


@dataclass(frozen=True)
class Change:
    """One file to write; ``before`` is empty for a new one.

    ``edited``: by a person, so that only names of the package are replaced in it.
    """

    path: str
    before: str
    after: str
    edited: bool

    @property
    def diff(self) -> str:
        lines = (self.before.splitlines(keepends=True), self.after.splitlines(keepends=True))
        return "".join(difflib.unified_diff(*lines, f"a/{self.path}", f"b/{self.path}"))


@dataclass(frozen=True)
class Migration:
    """``changes`` to write; ``kept`` are edited files that this version would write otherwise, left as they are.

    ``unknown`` are sentences on names that a person has to replace.
    """

    changes: tuple[Change, ...]
    kept: tuple[str, ...]
    unknown: tuple[str, ...]


def plan_migration(root: Path) -> Migration:
    """What has to change; empty where the project is as this version would make it."""
    names, ids, current = PackageNames(), known_ids(), _current_files(root)
    changes, kept = [], []
    for path in sorted({*current, *_files(root)}):
        if not (root / path).is_file():
            continue
        before = read_text(root / path)
        ours = path in current and text_id(path, before) in ids.get(path, ())
        after = current[path] if ours else rewrite(before, path.endswith(".py"), names)
        if after != before:
            changes.append(Change(path, before, after, not ours))
        elif path in current and not ours and len(ids[path]) > 1:
            kept.append(path)
    changes += [Change(path, "", current[path], False) for path in current if _is_missed(root, path, changes)]
    texts = {**{path: read_text(root / path) for path in _files(root)}, **{c.path: c.after for c in changes}}
    return Migration(tuple(changes), tuple(kept), tuple(_unknown(texts, names)))


def _is_missed(root: Path, path: str, changes: list[Change]) -> bool:
    """Whether a file is not there, and one that is rewritten as this version has it imports it."""
    imported = f"from {path.removesuffix('.py').replace('/', '.')} import "
    return not (root / path).exists() and any(imported in change.after for change in changes if not change.edited)


def write_migration(root: Path, migration: Migration) -> None:
    """Write the changed files; nothing is committed."""
    for change in migration.changes:
        write_bytes(change.after.encode("utf-8", "surrogateescape"), root / change.path)


def _current_files(root: Path) -> dict[str, str]:
    """The files of the package as this version would write them for this project."""
    files = package_files()
    makefile = root / "Makefile"
    if makefile.is_file() and text_id("Makefile", text := read_text(makefile)) in known_ids()["Makefile"]:
        files["Makefile"] = fill_template("Makefile", makefile_values(text))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "dvc.yaml").write_text(files["dvc.yaml"], encoding="utf-8")
        (Path(folder) / "params.yaml").write_bytes((root / "params.yaml").read_bytes())
        files["dvc.yaml"] = dvc_yaml.rewritten(Path(folder))
    return files


def _files(root: Path) -> list[str]:
    """Files that may name modules of the package: the project's Python, and some texts."""
    python = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in SKIPPED]
        python += [(Path(folder) / name).relative_to(root).as_posix() for name in names if name.endswith(".py")]
    return [*python, *(name for name in TEXTS if (root / name).is_file())]


def _unknown(texts: dict[str, str], names: PackageNames) -> Iterator[str]:
    for path, text in texts.items():
        if path.endswith(".py"):
            yield from (f"{path}:{r.line}: {r.name} is not in this version" for r in unknown(text, names))
