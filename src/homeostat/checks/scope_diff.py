"""What changed between two scopes, in sentences, and which gates each change touches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from homeostat.adapters import git
from homeostat.core.errors import UsageError
from homeostat.core.scope_gates import gates_of
from homeostat.core.text import count, listed
from homeostat.project import scope as scopes

if TYPE_CHECKING:
    from homeostat.project.layout import Project
    from homeostat.project.scope import Scope

SHOWN = 8  # gates, or names, that a line lists


def changes_since(project: Project, commit: str) -> Iterator[str]:
    """A sentence for each entry of the folder's scope that differs from the commit's.

    Raises:
        UsageError: there is no such commit, or it has no scope.
        ScopeError: the scope there is none of this version.
    """
    text = git.file_at(project.home, commit, "params.yaml")
    if text is None:
        raise UsageError(f"{commit}: no commit here that has a params.yaml; `git log -- params.yaml` lists them")
    return scope_changes(scopes.parse(text, f"{commit}:params.yaml"), project.scope)


def scope_changes(before: Scope, now: Scope) -> Iterator[str]:
    """The same for two scopes."""
    was, wanted = (dict(_entries("", scope.model_dump(mode="json"))) for scope in (before, now))
    touched: dict[str, None] = {}
    for name in dict.fromkeys([*wanted, *was]):
        if was.get(name) != wanted.get(name):
            rules = gates_of(name)
            touched |= dict.fromkeys(rules)
            gates = f"gates: {listed(list(rules), SHOWN)}" if rules else "no gate: it says when, where or to whom"
            yield f"- {_sentence(name, was.get(name), wanted.get(name))}; {gates}"
    if was == wanted:
        yield "nothing changed but comments"
    else:
        yield f"{count(len(touched), 'gate')} to look at again: {listed(list(touched), len(touched)) or 'none'}"


def _entries(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Each entry by its name; a list is one."""
    if isinstance(value, Mapping) and value:
        for key, part in value.items():
            yield from _entries(f"{name}.{key}" if name else str(key), part)
    elif value not in (None, {}, []):
        yield name, value


def _sentence(name: str, was: Any, now: Any) -> str:
    if isinstance(was, list) and isinstance(now, list):
        more, less = ([str(v) for v in one if v not in other] for one, other in ((now, was), (was, now)))
        parts = [f"{word} {listed(names, SHOWN)}" for word, names in (("gains", more), ("loses", less)) if names]
        return f"{name} {' and '.join(parts) or 'is in another order'}"
    if was is None:
        return f"{name} is new: {_shown(now)}"
    if now is None:
        return f"{name} is gone; it was {_shown(was)}"
    return f"{name} is {_shown(now)}; it was {_shown(was)}"


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
