"""A key that an object of a JSON text has twice: readers of JSON keep the last value and say nothing."""

from __future__ import annotations

import json
from typing import Any

Pairs = list[tuple[str, Any]]


def repeated_key(text: bytes) -> str | None:
    """The first key that comes twice in one object, with the way to it (``events.0.load``); None where none does."""
    try:
        json.loads(text, object_pairs_hook=_once)
    except _RepeatedError:
        return _path(json.loads(text, object_pairs_hook=_Object))
    return None


class _RepeatedError(Exception):
    pass


class _Object(list[tuple[str, Any]]):
    """An object as its pairs; a JSON list stays a plain list."""


def _once(pairs: Pairs) -> None:
    if len({name for name, _ in pairs}) < len(pairs):
        raise _RepeatedError


def _path(value: Any) -> str | None:
    if not isinstance(value, list):
        return None
    names = set()
    for name, inner in value if isinstance(value, _Object) else enumerate(value):
        if name in names:
            return str(name)
        names.add(name)
        path = _path(inner)
        if path is not None:
            return f"{name}.{path}"
    return None
