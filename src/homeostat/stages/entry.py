"""Where every stage's command comes in: the tree's own code, on a DAG that lists what the scope asks."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import homeostat
from homeostat.adapters import dvc_yaml
from homeostat.core.errors import EnvironmentFault, HomeostatError


def run(main: Callable[[], None]) -> None:
    """Run a stage's main in the tree whose ``dvc.yaml`` it serves; what is wrong is one line on standard error."""
    try:
        own_code(Path.cwd(), Path(homeostat.__file__))
        dvc_yaml.check_objectives(Path.cwd())
        main()
    except HomeostatError as error:
        sys.exit(f"{type(error).__name__}: {error}")


def own_code(tree: Path, package: Path) -> None:
    """Refuse the package at ``package`` (its ``__init__``) where ``tree`` has one of its own in ``src``.

    Raises:
        EnvironmentFault: the outs would be made by code that the tree's ``dvc.lock`` does not name.
    """
    own = tree / "src" / "homeostat" / "__init__.py"
    if own.is_file() and package.resolve() != own.resolve():
        raise EnvironmentFault(
            f"{tree}: its stages would run with the code in {package.resolve().parent}, not with its own; "
            "put its own first: PYTHONPATH=src"
        )
