"""The import graph: which files of this package a module reaches, lazy imports included."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache as once
from pathlib import Path

import homeostat
from homeostat.adapters.parquet import digest

PACKAGE = "homeostat"
DYNAMIC = frozenset({"import_module", "__import__", "run_module", "run_path"})


def reached(module: str, src: Path) -> list[Path]:
    """The files below ``src`` that running ``module`` may import, itself included, in order of path.

    Imports inside functions count, and so do the ``__init__`` of every package on the way; those under
    ``if TYPE_CHECKING`` are never run and do not count.

    Raises:
        ValueError: there is no such module, or one imports by a name that is not written out.
    """
    found: set[Path] = set()
    waiting = [module]
    while waiting:
        for path in _files(waiting.pop(), src):
            if path not in found:
                found.add(path)
                waiting += _imports(path, src)
    if not any(p in found for p in _own(module, src)):
        raise ValueError(f"{module}: no such module below {src}")
    return sorted(found)


@once
def code_hash(module: str) -> str:
    """A hash of all the code of this package that ``module`` reaches, by content and name."""
    src = Path(homeostat.__file__).parents[1]
    lines = [f"{p.relative_to(src).as_posix()} {digest(p.read_bytes())}" for p in reached(module, src)]
    return digest("\n".join(lines).encode())


def _own(module: str, src: Path) -> list[Path]:
    base = src.joinpath(*module.split("."))
    return [p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()]


def _files(module: str, src: Path) -> list[Path]:
    """The module's own file and the ``__init__`` of each package above it."""
    parts = module.split(".")
    above = [src.joinpath(*parts[:n], "__init__.py") for n in range(1, len(parts))]
    return [p for p in above if p.is_file()] + _own(module, src)


def _imports(path: Path, src: Path) -> list[str]:
    """Every name below ``homeostat`` that the file may import; a name may turn out to be no module."""
    return _named(path.read_text(), path.relative_to(src).parts[:-1], path)


@once
def _named(text: str, package: tuple[str, ...], path: Path) -> list[str]:
    names: list[str] = []
    for node in _run(ast.parse(text)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Call) and _name(node.func) in DYNAMIC:
            raise ValueError(f"{path}:{node.lineno}: imports by a computed name; write the import out")
    return [name for name in names if name.split(".")[0] == PACKAGE]


def _run(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but those that only a type checker sees."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and _name(node.test) == "TYPE_CHECKING":
            waiting += node.orelse
            continue
        yield node
        waiting += ast.iter_child_nodes(node)


def _name(node: ast.expr) -> str:
    """The last part of a plain or dotted name."""
    return str(getattr(node, "id", "") or getattr(node, "attr", ""))
