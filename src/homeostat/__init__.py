"""Homeostat keeps a model in production healthy."""

import sys

__version__ = "0.1.0"


class _EarlierNames:
    """Finds no module; asked last, it names the command for a project whose files are those of an earlier version.

    Tests and flows of such a project may be run by other tools than ours, which then show this line.
    """

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        if name.startswith("homeostat."):
            raise ModuleNotFoundError(
                f"{name} is not in this version of homeostat; if an earlier one made this project: "
                "homeostat new --migrate"
            )


sys.meta_path.append(_EarlierNames)
