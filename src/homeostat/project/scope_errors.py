"""Errors of a scope in one line: the line of the file, the key and the fix."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

Path = tuple[int | str, ...]
WANTED = {
    "int": "a whole number", "float": "a number", "bool": "true or false", "string": "text", "tuple": "a list [a, b]",
    "dict": "a mapping of names", "model": "a mapping of keys", "datetime": "a time such as 2013-01-01T05:00:00",
}  # fmt: skip
LIMITS = {
    "greater_than": ("gt", "above"), "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"), "less_than_equal": ("le", "at most"),
}  # fmt: skip
BY_YAML = {  # messages of the YAML reader, in words about the file
    r"found duplicate key \"?([^\"]*)\"?.*": r"the key \1 is there twice; remove one",
    r"found character.* cannot start any token": "a tab or a stray character; indent with spaces",
    r"found undefined alias.*": "a value that starts with *; put it in quotes",
    r"could not determine a constructor for the tag.*": "a value that starts with !; put it in quotes",
}


INSTEAD = {  # of keys that are looked for and are none, what stands in for them
    "http": "is no key: a rebuild could not ask again; keep the system's answers in a source, and name their column",
    "threshold": "is no key: it follows from costs.alert and the weights (homeostat check weights); change those",
}


class Contradiction(ValueError):
    """Two entries that contradict each other; ``path`` leads from the part that is checked to the key to fix.

    ``other`` leads to the other entry, from the top of the scope, where it is worth naming.
    """

    def __init__(self, path: Path, problem: str, other: Path = ()) -> None:
        super().__init__(problem)
        self.path, self.other = path, other


def of_yaml(error: YAMLError | ValueError, text: str) -> tuple[int, str]:
    """The line (from 1) and the problem, where the text is not YAML or a value of it cannot be read."""
    if isinstance(error, MarkedYAMLError):
        problem = str(error.problem).split("\n")[0]
        for pattern, words in BY_YAML.items():
            problem = re.sub(pattern, words, problem)
        mark = error.problem_mark
        return mark.line + 1 if mark else 1, problem if ";" in problem else f"not YAML: {problem}; fix the line"
    if isinstance(error, YAMLError):  # a character that YAML does not allow
        place = int(getattr(error, "position", 0) or 0)
        return text.count("\n", 0, place) + 1, "a control character; remove it"
    return _line_of_bad_time(text), f"not a time: {error}; write it like 2013-01-01T05:00:00"


def of_validation(error: ValidationError, text: str, kind: type[BaseModel]) -> tuple[int, str, str]:
    """The line (from 1), the key and the fix of the first problem; a misspelt key comes before all others."""
    problems = error.errors()
    first = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    path: Path = tuple(step for step in first["loc"] if step != "[key]")
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, Contradiction):
        path += cause.path
    fix = _unknown(path, kind) if first["type"] == "extra_forbidden" else _fix(dict(first))
    if isinstance(cause, Contradiction) and cause.other:
        fix += f" (the other is {'.'.join(map(str, cause.other))}, line {line_of(text, cause.other)})"
    return line_of(text, path), ".".join(map(str, path)) or "scope", fix


def line_of(text: str, path: Path) -> int:
    """The line (from 1) of the deepest part of ``path`` that the text has.

    >>> line_of("a: 1\\nb:\\n  c: 2\\n", ("b", "c"))
    3
    """
    node, line = YAML(typ="safe", pure=True).compose(text), 1
    for step in path:
        child = _child(node, step)
        if child is None:
            break
        node, line = child
    return line


def _child(node: Node | None, step: int | str) -> tuple[Node, int] | None:
    if isinstance(node, MappingNode):
        return next(((v, k.start_mark.line + 1) for k, v in node.value if k.value == str(step)), None)
    if isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step].start_mark.line + 1
    return None


def _scalars(node: Node | None) -> Iterator[ScalarNode]:
    if isinstance(node, ScalarNode):
        yield node
    elif isinstance(node, SequenceNode):
        for child in node.value:
            yield from _scalars(child)
    elif isinstance(node, MappingNode):
        for key, child in node.value:
            yield from (*_scalars(key), *_scalars(child))


def _line_of_bad_time(text: str) -> int:
    for scalar in _scalars(YAML(typ="safe", pure=True).compose(text)):
        if str(scalar.tag).endswith(":timestamp"):
            try:
                datetime.fromisoformat(scalar.value)
            except ValueError:
                return int(scalar.start_mark.line) + 1
    return 1


def _unknown(path: Path, kind: type[BaseModel]) -> str:
    if instead := INSTEAD.get(str(path[-1])):
        return instead
    keys = _keys_at(path[:-1], kind)
    near = get_close_matches(str(path[-1]), keys, n=1, cutoff=0.6)
    return f"unknown key; did you mean {near[0]}?" if near else f"unknown key; remove it, or use {_or(keys)}"


def _keys_at(path: Path, kind: type[BaseModel]) -> list[str]:
    """The keys that are allowed in the part at ``path``."""
    part: Any = kind
    for step in path:
        fields = getattr(part, "model_fields", None)
        if fields is not None and step in fields:
            part = _without_none(fields[step].annotation)
        elif getattr(part, "__args__", None):  # dict[Name, Part] or tuple[Part, ...]: the step is a name or a place
            part = [kind for kind in part.__args__ if kind is not ...][-1]
    return [field.alias or name for name, field in getattr(part, "model_fields", {}).items()]


def _without_none(kind: Any) -> Any:
    """The part of a section that a scope may lack."""
    parts: tuple[Any, ...] = getattr(kind, "__args__", ())
    return parts[0] if type(None) in parts else kind


def _fix(problem: dict[str, Any]) -> str:
    kind, given, context = problem["type"], problem["input"], problem.get("ctx", {})
    if kind == "missing":
        return "is missing; add it"
    if kind == "literal_error":
        choices = re.findall(r"'([^']*)'", context["expected"])
        near = get_close_matches(str(given), choices, n=1)
        return f"{_shown(given)} is not one of {_or(choices)}" + (f"; did you mean {near[0]}?" if near else "; use one")
    if kind in LIMITS:
        limit, words = LIMITS[kind]
        return f"must be {words} {context[limit]:g}, not {_shown(given)}; correct it"
    if kind == "finite_number":
        return f"must be a finite number, not {_shown(given)}; correct it"
    if kind in ("too_short", "string_too_short"):
        return "is empty; name at least one" if kind == "too_short" else "is empty; write a few words"
    if kind == "string_pattern_mismatch" or problem["loc"][-1:] == ("[key]",):
        return f"{_shown(given)} is no name; begin with a letter, then letters, digits, - and _"
    wanted = next((words for start, words in WANTED.items() if kind.startswith(start)), None)
    if wanted is not None:
        return f"must be {wanted}, not {_shown(given)}; correct it"
    return str(problem["msg"]).removeprefix("Value error, ")


def _shown(value: object) -> str:
    """A value of the file, short enough for one line."""
    if isinstance(value, dict | list | tuple):
        return "a list" if not isinstance(value, dict) else "a mapping"
    text = "nothing" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _or(words: list[str]) -> str:
    return ", ".join(words[:-1]) + " or " + words[-1] if len(words) > 1 else "".join(words)
