"""Weights and costs of a scope: the numbers that order alerts and price them, and that no model is trained with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from homeostat.core.errors import UsageError
from homeostat.project import scope as scopes
from homeostat.project.scope import Scope

Value = int | float | str | None
BY_HAND = "edit params.yaml by hand"


def priced(scope: Scope) -> dict[str, Value]:
    """Every weight and cost, by the name of its objective or as ``costs.NAME``."""
    weights: dict[str, Value] = {name: objective.weight for name, objective in scope.objectives.items()}
    return weights | dict(_flat("costs", scope.costs.model_dump(exclude_none=True)))


def _flat(name: str, value: Any) -> Iterator[tuple[str, Value]]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _flat(f"{name}.{key}", part)
    else:
        yield name, " to ".join(f"{end:g}" for end in value) if isinstance(value, tuple) else value


def changes(before: Scope, now: Scope) -> dict[str, tuple[Value, Value]]:
    """Each weight and cost that differs: before, and now; of an objective that both have, None for a missing entry."""
    was, wanted = priced(before), priced(now)
    names = [n for n in {**was, **wanted} if n.startswith("costs.") or (n in was and n in wanted)]
    return {name: (was.get(name), wanted.get(name)) for name in names if was.get(name) != wanted.get(name)}


def with_prices(text: str, other: str) -> str:
    """The text of a ``params.yaml`` with the weights of ``other``, and with its section ``costs`` as it stands there.

    Raises:
        UsageError, ScopeError: as ``with_values``.
    """
    wanted = scopes.parse(other)
    changed = _numbers(changes(scopes.parse(text), wanted))
    if changed is None:  # an entry came or went, or is no number
        text = _with_section(text, other, "costs")
        changed = _numbers(changes(scopes.parse(text), wanted)) or {}
    return with_values(text, changed)


def _numbers(changed: Mapping[str, tuple[Value, Value]]) -> dict[str, int | float] | None:
    """What each is now; None unless all were numbers and are."""
    pairs = changed.values()
    if not all(isinstance(value, int | float) for pair in pairs for value in pair):
        return None
    return {name: now for name, (_, now) in changed.items() if isinstance(now, int | float)}


def _with_section(text: str, other: str, name: str) -> str:
    """``text`` with a top-level section, and the comments in it, as ``other`` has it."""
    (start, end), (begin, until) = _lines_of(text, name), _lines_of(other, name)
    lines, theirs = text.splitlines(keepends=True), other.splitlines(keepends=True)
    return "".join([*lines[:start], *theirs[begin:until], *lines[end:]])


def _lines_of(text: str, name: str) -> tuple[int, int]:
    """The lines of a top-level section, from 0: its first, and the one after its last."""
    node = YAML(typ="safe", pure=True).compose(text)
    starts = [(key.value, key.start_mark.line) for key, _ in node.value]
    place = [key for key, _ in starts].index(name)
    later = [line for _, line in starts[place + 1 :]]
    return starts[place][1], later[0] if later else text.count("\n") + 1


def with_values(text: str, values: Mapping[str, int | float]) -> str:
    """The text of a ``params.yaml`` with these weights and costs; comments and everything else stay as they are.

    Raises:
        UsageError: there is no such weight or cost, a value is none for it, or another value would change with it.
        ScopeError: the text is no scope.
    """
    before = scopes.parse(text)
    if stray := [name for name in values if name not in priced(before)]:
        raise UsageError(f"{stray[0]}: no weight or cost of this scope; use one of {', '.join(priced(before))}")
    tree, edits = YAML(typ="safe", pure=True).compose(text), []
    for name, value in values.items():
        node = _scalar(tree, _path(name))
        edits.append((node.start_mark.index, node.end_mark.index, f"{value:.12g}"))
    edited = text
    for start, end, written in sorted(edits, reverse=True):  # from the end: what stands before keeps its place
        edited = edited[:start] + written + edited[end:]
    after = scopes.parse(edited)
    if priced(after) != priced(before) | dict(values) or _rest(after) != _rest(before):
        raise UsageError(f"params.yaml: {', '.join(values)} cannot be set alone; {BY_HAND}")
    return edited


def _path(name: str) -> tuple[str, ...]:
    return tuple(name.split(".")) if name.startswith("costs.") else ("objectives", name, "weight")


def _scalar(node: Node, path: tuple[str, ...]) -> ScalarNode:
    for step in path:
        pairs = node.value if isinstance(node, MappingNode) else []
        node = next((value for key, value in pairs if key.value == step), None)  # type: ignore[assignment]
    if not isinstance(node, ScalarNode):
        raise UsageError(f"params.yaml: {'.'.join(path)} is not written as a number of its own; {BY_HAND}")
    if node.anchor:
        raise UsageError(f"params.yaml: {'.'.join(path)} has an anchor that others use; {BY_HAND}")
    return node


def _rest(scope: Scope) -> dict[str, Any]:
    return scope.model_dump(exclude={"costs": True, "objectives": {"__all__": {"weight"}}})
