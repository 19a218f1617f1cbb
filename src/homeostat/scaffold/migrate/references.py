"""References of a file to names of this package, and the file with current names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from homeostat.scaffold.migrate.package_names import PACKAGE, PackageNames

DOTTED = re.compile(rf"\b{PACKAGE}(?:\.[A-Za-z_]\w*)+")


@dataclass(frozen=True)
class Reference:
    """A dotted name that a file uses; ``start`` and ``end`` are offsets of the text that ``rewritten`` replaces."""

    name: str
    line: int
    start: int
    end: int
    rewritten: str


def references(text: str, python: bool, names: PackageNames) -> list[Reference]:
    """All references in order; none in Python that does not parse."""
    if not python:
        return [_dotted(match, text, names) for match in DOTTED.finditer(text)]
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):  # a person may be in the middle of an edit
        return []
    offsets = _line_offsets(text)
    listed = [*_imports(tree, text, offsets, names), *_attributes(tree, text, offsets, names)]
    return sorted(listed, key=lambda r: (r.start, r.end))


def rewrite(text: str, python: bool, names: PackageNames) -> str:
    """The text with every moved name as it is called now."""
    stale = {(r.start, r.end): r.rewritten for r in references(text, python, names)}
    for (start, end), rewritten in sorted(stale.items(), reverse=True):
        text = text[:start] + rewritten + text[end:]
    return text


def unknown(text: str, names: PackageNames) -> list[Reference]:
    """References of a Python file to names that this version lacks."""
    return [r for r in references(text, True, names) if not names.exists(r.name.removesuffix(".*"))]


def _dotted(match: re.Match[str], text: str, names: PackageNames) -> Reference:
    line = text.count("\n", 0, match.start()) + 1
    return Reference(match[0], line, match.start(), match.end(), names.current(match[0]))


def _line_offsets(text: str) -> list[int]:
    """Where each line begins, in characters."""
    offsets = [0]
    for line in text.splitlines(keepends=True):
        offsets.append(offsets[-1] + len(line))
    return offsets


def _place(node: ast.stmt | ast.expr, text: str, offsets: list[int]) -> tuple[int, int]:
    """Start and end of a node in the text; the parser counts bytes of a line."""

    def offset(line: int, column: int) -> int:
        begin = offsets[line - 1]
        return begin + len(text[begin : offsets[line]].encode()[:column].decode())

    return offset(node.lineno, node.col_offset), offset(node.end_lineno or node.lineno, node.end_col_offset or 0)


def _imports(tree: ast.Module, text: str, offsets: list[int], names: PackageNames) -> Iterator[Reference]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and _ours(node.module) and not node.level:
            used = [f"{node.module}.{alias.name}" for alias in node.names]
            start, end = _place(node, text, offsets)
            changed = any(names.current(name) != name for name in used)
            rewritten = _import_from(node, names) if changed else text[start:end]
            yield from (Reference(name, node.lineno, start, end, rewritten) for name in used)
        elif isinstance(node, ast.Import):
            start, end = _place(node, text, offsets)
            rewritten = DOTTED.sub(lambda match: names.current(match[0]), text[start:end])
            yield from (Reference(a.name, node.lineno, start, end, rewritten) for a in node.names if _ours(a.name))


def _ours(module: str | None) -> bool:
    return module is not None and module.split(".")[0] == PACKAGE


def _import_from(node: ast.ImportFrom, names: PackageNames) -> str:
    """The statement with current names, one for each module that they are in now."""
    by_module: dict[str, list[str]] = {}
    for alias in node.names:
        module, _, name = names.current(f"{node.module}.{alias.name}").rpartition(".")
        local = alias.asname or alias.name
        by_module.setdefault(module, []).append(name if name == local else f"{name} as {local}")
    indent = "\n" + " " * node.col_offset
    return indent.join(f"from {module} import {', '.join(imported)}" for module, imported in by_module.items())


def _attributes(tree: ast.Module, text: str, offsets: list[int], names: PackageNames) -> Iterator[Reference]:
    """Names that are used as attributes of an imported module."""
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and _ours(node.module):
            for alias in node.names:
                name = names.current(f"{node.module}.{alias.name}")
                if names.is_module(name):
                    modules[alias.asname or alias.name] = name
        elif isinstance(node, ast.Import):
            modules |= {a.asname: names.current(a.name) for a in node.names if a.asname and _ours(a.name)}
            if any(not a.asname and _ours(a.name) for a in node.names):
                modules[PACKAGE] = PACKAGE
    inner = {node.value for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node not in inner and (path := _path(node)) and path[0] in modules:
            module = modules[path[0]]
            name = ".".join([module, *path[1:]])
            moved = names.current(name)
            start, end = _place(node, text, offsets)
            in_place = moved.startswith(f"{module}.")  # else its import has to change as well
            rewritten = f"{path[0]}{moved.removeprefix(module)}" if moved != name and in_place else text[start:end]
            yield Reference(name, node.lineno, start, end, rewritten)


def _path(node: ast.expr) -> list[str]:
    """The names of ``a.b.c``; empty for other expressions."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        above = _path(node.value)
        return [*above, node.attr] if above else []
    return []
