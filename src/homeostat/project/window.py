"""The window of data that a version of a project stands for: ``data/window.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from homeostat.core.errors import ScopeError
from homeostat.project.layout import Project
from homeostat.project.whole_files import write_text

FIX = "write `from: TIME` and `as_of: TIME`, in UTC, from first"


Span = tuple[datetime, datetime]  # from the first, up to the second


class Window(NamedTuple):
    """From when on history is used, and the as-of time: naive UTC.

    ``baseline``: it trains the baseline, although its history is long enough for a model. ``labels_until``: events
    after it teach and judge nothing, since their labels are in doubt. ``left_out``: nor do those that were to be
    predicted in these spans, by a release that was rolled back. ``rung``: the one of the ladder whose recipe it trains.
    ``carried``: by objective that is not trained, the candidate whose models it takes over, by content as DVC names it.
    ``parent``: the hash of the bundle whose models it continues; empty where none is continued.
    """

    start: datetime
    as_of: datetime
    baseline: bool = False
    labels_until: datetime | None = None
    left_out: tuple[Span, ...] = ()
    rung: str = ""
    carried: Mapping[str, str] = MappingProxyType({})
    parent: str = ""


def read_window(project: Project) -> Window:
    """The window of a tree.

    Raises:
        ScopeError: the file is missing or holds something else.
    """
    path = project.window_file
    try:
        text = path.read_text()
    except FileNotFoundError as error:
        raise ScopeError(f"{path}: not there; {FIX}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ScopeError(f"{path}: needs `from: TIME` and `as_of: TIME`, in UTC; fix it or git restore it") from error
    return parse_window(text, str(path))


def parse_window(text: str, path: str) -> Window:
    """The window that the text of a file holds; ``path`` names the file in errors.

    Raises:
        ScopeError: it holds something else.
    """
    try:
        raw = YAML(typ="safe").load(text)
        spans = tuple((span["since"], span["until"]) for span in raw.get("left_out", ()))
        carried = {str(name): str(content) for name, content in raw.get("carried", {}).items()}
        of = (raw.get("baseline", False), raw.get("labels_until"), spans, str(raw.get("rung", "")), carried,
              str(raw.get("parent", "")))  # fmt: skip
        window = Window(raw["from"], raw["as_of"], *of)
    except (YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ScopeError(f"{path}: needs `from: TIME` and `as_of: TIME`, in UTC; fix it or git restore it") from error
    times = (window.start, window.as_of, window.labels_until or window.as_of, *(t for span in spans for t in span))
    if not (all(isinstance(time, datetime) for time in times) and window.start <= window.as_of):
        raise ScopeError(f"{path}: not two times in order; {FIX}")
    return window


def write_window(
    project: Project, start: datetime, as_of: datetime, baseline: bool = False, labels_until: datetime | None = None,
    left_out: tuple[Span, ...] = (), rung: str = "", carried: Mapping[str, str] = MappingProxyType({}),
    parent: str = "",
) -> None:  # fmt: skip
    """Write the window of a tree whole or not at all."""
    text = "# The data that this version of the project stands for, in UTC; the loop moves as_of on.\n"
    text += f"from: {start.isoformat()}\nas_of: {as_of.isoformat()}\n"
    text += "baseline: true  # no model was fit to serve\n" if baseline else ""
    text += f"rung: {rung}  # of the ladder: whose recipe it trains\n" if rung else ""
    text += f'parent: "{parent}"  # the bundle whose models it continues\n' if parent else ""
    text += f"labels_until: {labels_until.isoformat()}  # later ones are in doubt\n" if labels_until else ""
    if left_out:
        text += "left_out:  # predicted by a release that was rolled back: these events teach and judge nothing\n"
        text += "".join(f"- since: {since.isoformat()}\n  until: {until.isoformat()}\n" for since, until in left_out)
    if carried:
        text += "carried:  # objectives that are not trained: the candidate that has their models, by content\n"
        text += "".join(f"  {name}: {content}\n" for name, content in carried.items())
    write_text(text, project.window_file)
