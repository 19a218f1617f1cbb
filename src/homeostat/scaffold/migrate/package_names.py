"""Names of this package: whether one exists, and what an earlier one is called now."""

from __future__ import annotations

import ast
import json
from importlib import resources
from pathlib import Path

import homeostat

PACKAGE = "homeostat"


def moved_names() -> dict[str, str]:
    """Modules and names of earlier versions, with those of this one; what is below a moved name has moved with it."""
    text = (resources.files("homeostat.scaffold.migrate") / "moved_names.json").read_text(encoding="utf-8")
    names: dict[str, str] = json.loads(text)
    return names


class PackageNames:
    """Looks names up in the source of the package, without importing it."""

    def __init__(self) -> None:
        self._moved = moved_names()
        self._defined: dict[Path, frozenset[str]] = {}

    def current(self, name: str) -> str:
        """A dotted name as it is called now; the same if it has not moved.

        >>> PackageNames().current("homeostat.up.watch_runs")
        'homeostat.api.end_dead_runs'
        >>> PackageNames().current("homeostat.core.errors.UsageError")
        'homeostat.core.errors.UsageError'
        """
        parts = name.split(".")
        for end in range(len(parts), 1, -1):
            moved = self._moved.get(".".join(parts[:end]))
            if moved is not None and not self.exists(name):
                return ".".join([moved, *parts[end:]])
        return name

    def exists(self, name: str) -> bool:
        """Whether a dotted name is a module, or is defined in one."""
        place = Path(homeostat.__file__).parent
        for at, part in enumerate(name.split(".")[1:], 2):
            if (place / part / "__init__.py").is_file():
                place = place / part
            elif (place / f"{part}.py").is_file():
                rest = name.split(".")[at:]
                return not rest or rest[0] in self._names_of(place / f"{part}.py")
            else:
                return part in self._names_of(place / "__init__.py")
        return True

    def is_module(self, name: str) -> bool:
        """Whether a dotted name is a module or a package."""
        path = Path(homeostat.__file__).parent.joinpath(*name.split(".")[1:])
        return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()

    def _names_of(self, path: Path) -> frozenset[str]:
        if path not in self._defined:
            self._defined[path] = frozenset(_defined(ast.parse(path.read_text(encoding="utf-8"))))
        return self._defined[path]


def _defined(tree: ast.Module) -> set[str]:
    """Names that a module defines or imports at its top level."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)}
    return names
