"""Homeostat keeps a model in production healthy."""

import sys
from importlib.abc import MetaPathFinder

__version__ = "0.1.0"


class _EarlierNames(MetaPathFinder):
    """Asked when no module of a name was found: files of a project may be those of an earlier version."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.startswith("homeostat."):
            raise ModuleNotFoundError(
                f"{name} is not in this version of homeostat; if an earlier one made this project: "
                "homeostat new --migrate"
            )


sys.meta_path.append(_EarlierNames())
