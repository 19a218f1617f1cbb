"""The import graph: which files and which tools a module reaches, lazy imports included, and what its work hangs on.

Keys of cached work are hashes of what is reached, so no list of deciding code is kept by hand.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache as once
from importlib import metadata
from pathlib import Path

import homeostat
from homeostat.adapters.parquet import digest

PACKAGE = "homeostat"
SRC = Path(homeostat.__file__).parents[1]
ALIASES = {"sklearn": "scikit-learn"}  # asking which distribution has a module takes 0.2 s
VERSION = "Version: "
STATEMENTS = (ast.stmt, ast.excepthandler, ast.match_case)
DYNAMIC = frozenset({"import_module", "__import__", "run_module", "run_path"})


def reached(module: str, src: Path, *others: str) -> list[Path]:
    """The files below ``src`` that running ``module`` or one of ``others`` may import, with these, in order of path.

    Imports inside functions count, and so do the ``__init__`` of every package on the way; those under
    ``if TYPE_CHECKING`` are never run and do not count.

    Raises:
        ValueError: there is no such module, or one imports by a name that is not written out.
    """
    files: set[Path] = set()
    names, waiting = {module, *others}, [module, *others]
    while waiting:
        for path in _files(waiting.pop(), src):
            if path not in files:
                files.add(path)
                fresh = set(_imports(path, src)) - names
                names |= fresh
                waiting += fresh
    for name in (module, *others):
        if not any(p in files for p in _own(name, src)):
            raise ValueError(f"{name}: no such module below {src}")
    return sorted(files)


def tools(paths: Sequence[Path], src: Path) -> dict[str, str]:
    """The version of every distribution outside this package that the files may import, by name, sorted.

    One that is not installed has the version ``""``: a module that needs it only for some inputs runs without.
    """
    names = {name for path in paths for name in _outside(path, src)}
    return dict(sorted({_distribution(name) for name in names}))


def hash_of(module: str, src: Path, with_tools: bool, *others: str) -> str:
    """A hash of all the code below ``src`` that the modules reach, by content and name, and of its tools' versions."""
    paths = reached(module, src, *others)
    lines = [f"{p.relative_to(src).as_posix()} {digest(p.read_bytes())}" for p in paths]
    if with_tools:
        lines += [f"{name} {version}" for name, version in tools(paths, src).items()]
    return digest("\n".join(lines).encode())


@once
def code_hash(module: str, *others: str) -> str:
    """A hash of all the code of this package that these modules reach.

    Read once a process: a process that runs on while its files are replaced speaks of what it has loaded.
    """
    return hash_of(module, SRC, False, *others)


@once
def work_hash(module: str) -> str:
    """A hash of all that the work of ``module`` follows from, its inputs aside: its code and its tools' versions.

    Read once a process, as ``code_hash``.
    """
    return hash_of(module, SRC, with_tools=True)


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
    return [name for name in _names(path, src) if name.split(".")[0] == PACKAGE]


def _outside(path: Path, src: Path) -> list[str]:
    """Every name that the file may import from neither this package nor Python's own library."""
    return [name for name in _names(path, src) if name.split(".")[0] not in {PACKAGE, *sys.stdlib_module_names}]


def _names(path: Path, src: Path) -> list[str]:
    return _imported(path.read_text(), path.relative_to(src).parts[:-1], path)


@once
def _imported(text: str, package: tuple[str, ...], path: Path) -> list[str]:
    """Every dotted name that a file's text imports, in absolute form."""
    names: list[str] = []
    dynamic = any(name in text for name in DYNAMIC)  # rare: without one no expression is looked at
    for node in _run(ast.parse(text), ast.AST if dynamic else STATEMENTS):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Call) and _name(node.func) in DYNAMIC:
            raise ValueError(f"{path}:{node.lineno}: imports by a computed name; write the import out")
    return names


@once
def _distribution(imported: str) -> tuple[str, str]:
    """The name and version of the distribution that an imported name belongs to."""
    parts = imported.split(".")
    for n in range(len(parts), 0, -1):  # most are named as their package is, some by a dotted name
        name = ".".join(parts[:n])
        name = ALIASES.get(name, name)
        with suppress(metadata.PackageNotFoundError):
            return name, _version(name)
    owners = metadata.packages_distributions().get(parts[0], [])
    return (owners[0], _version(owners[0])) if owners else (parts[0], "")


def _version(distribution: str) -> str:
    """As ``metadata.version``, which parses the long description of each too: half of the time of a rollback's key.

    Raises:
        PackageNotFoundError: it is not installed.
    """
    installed = metadata.distribution(distribution)
    head = (installed.read_text("METADATA") or "").partition("\n\n")[0]
    line = next((line for line in head.splitlines() if line.startswith(VERSION)), None)
    return installed.version if line is None else line.removeprefix(VERSION).strip()


def _run(tree: ast.AST, kinds: type[ast.AST] | tuple[type[ast.AST], ...]) -> Iterator[ast.AST]:
    """Every node of these kinds but those that only a type checker sees."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and _name(node.test) == "TYPE_CHECKING":
            waiting += node.orelse
            continue
        yield node
        waiting += [child for child in ast.iter_child_nodes(node) if isinstance(child, kinds)]


def _name(node: ast.expr) -> str:
    """The last part of a plain or dotted name."""
    return str(getattr(node, "id", "") or getattr(node, "attr", ""))
