"""JSON records of the loop, read: one that is damaged is named, with what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from homeostat.core.errors import EnvironmentFault

Record = TypeVar("Record")


def read_body(path: Path) -> Any:
    """The JSON at ``path``.

    Raises:
        EnvironmentFault: as ``read_record``.
    """
    return read_record(path, lambda body: body)


def read_record(path: Path, record: Callable[[Any], Record]) -> Record:
    """What ``record`` makes of the JSON at ``path``.

    Raises:
        EnvironmentFault: the file is damaged, as a disk or a person may leave it.
    """
    try:
        return record(json.loads(path.read_text(encoding="utf-8")))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise EnvironmentFault(f"{path}: damaged ({error!r}); move it away and run again") from error
