"""Whether a project was made by an earlier version: its own files use names of the package that have moved."""

from __future__ import annotations

from pathlib import Path

from homeostat.core.errors import ScopeError
from homeostat.core.text import listed
from homeostat.scaffold.migrate.package_names import PackageNames
from homeostat.scaffold.migrate.references import rewrite

TEXTS = ("Makefile", "prefect.yaml", "dvc.yaml")  # that may name modules of the package


def check_project(root: Path) -> None:
    """Refuse a project of an earlier version; a source tree of the package is never one.

    Raises:
        ScopeError: it has to be migrated.
    """
    if (root / "src" / "homeostat").is_dir():
        return
    names = PackageNames()
    flows = [p.relative_to(root).as_posix() for p in sorted((root / "flows").glob("*.py"))]
    stale = []
    for path in [*flows, "tests/test_project.py", *TEXTS]:
        if (root / path).is_file():
            text = read_text(root / path)
            if rewrite(text, path.endswith(".py"), names) != text:
                stale.append(path)
    if stale:
        raise ScopeError(
            f"{root}: made by an earlier version of homeostat ({listed(stale, 3)}); bring it to this one with "
            f"homeostat new --migrate -C {root}"
        )


def read_text(path: Path) -> str:
    """A text as it is, whatever its encoding and line ends."""
    return path.read_bytes().decode("utf-8", "surrogateescape")
