"""Weights and costs of a scope: the numbers that order alerts and price them, and that no model is trained with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from homeostat.core.errors import UsageError
from homeostat.project import scope as scopes
from homeostat.project.scope import Scope

Value = int | float
BY_HAND = "edit params.yaml by hand"


def priced(scope: Scope) -> dict[str, Value]:
    """Every weight and cost, by the name of its objective or as ``costs.NAME``."""
    weights: dict[str, Value] = {name: objective.weight for name, objective in scope.objectives.items()}
    return weights | {f"costs.{name}": value for name, value in scope.costs.model_dump().items()}


def changes(before: Scope, now: Scope) -> dict[str, tuple[Value, Value]]:
    """Each weight and cost that both have and that differs: before, and now."""
    was, wanted = priced(before), priced(now)
    return {name: (was[name], wanted[name]) for name in was if name in wanted and was[name] != wanted[name]}


def with_values(text: str, values: Mapping[str, Value]) -> str:
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
