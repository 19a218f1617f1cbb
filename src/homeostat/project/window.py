"""The window of data that a version of a project stands for: ``data/window.yaml``."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from homeostat.core.errors import ScopeError
from homeostat.project.layout import Project
from homeostat.project.whole_files import write_text

FIX = "write `from: TIME` and `as_of: TIME`, in UTC, from first"


class Window(NamedTuple):
    """From when on history is used, and the as-of time: naive UTC."""

    start: datetime
    as_of: datetime


def read_window(project: Project) -> Window:
    """The window of a tree.

    Raises:
        ScopeError: the file is missing or holds something else.
    """
    path = project.window_file
    try:
        raw = YAML(typ="safe").load(path.read_text())
        start, as_of = raw["from"], raw["as_of"]
    except FileNotFoundError as error:
        raise ScopeError(f"{path}: not there; {FIX}") from error
    except (YAMLError, KeyError, TypeError, ValueError, OSError) as error:
        raise ScopeError(f"{path}: needs `from: TIME` and `as_of: TIME`, in UTC; fix it or git restore it") from error
    if not (isinstance(start, datetime) and isinstance(as_of, datetime) and start <= as_of):
        raise ScopeError(f"{path}: not two times in order; {FIX}")
    return Window(start, as_of)


def write_window(project: Project, start: datetime, as_of: datetime) -> None:
    """Write the window of a tree whole or not at all."""
    note = "# The data that this version of the project stands for, in UTC; the loop moves as_of on.\n"
    write_text(f"{note}from: {start.isoformat()}\nas_of: {as_of.isoformat()}\n", project.window_file)
