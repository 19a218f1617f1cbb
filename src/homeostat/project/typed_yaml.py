"""A file that a person writes in YAML, read into a frozen, strict type; what is wrong is named by line, key and fix."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from homeostat.core.errors import ScopeError
from homeostat.project import scope_errors

Kind = TypeVar("Kind", bound=BaseModel)


def parse_yaml(text: str, where: str, kind: type[Kind], opening: str) -> Kind:
    """The ``kind`` that YAML text says; ``where`` names the file, and ``opening`` says what it starts with.

    Raises:
        ScopeError: one line that names the file, the line, the key and the fix.
    """
    try:
        plain: Any = YAML(typ="safe").load(text)
    except (YAMLError, ValueError) as error:
        line, problem = scope_errors.of_yaml(error, text)
        raise ScopeError(f"{where}:{line}: {problem}") from error
    if not isinstance(plain, dict):
        lacking = "is empty" if plain is None else "has no keys"
        raise ScopeError(f"{where}:1: {lacking}; {opening}")
    try:
        return kind.model_validate(plain)
    except ValidationError as error:
        line, key, fix = scope_errors.of_validation(error, text, kind)
        raise ScopeError(f"{where}:{line}: {key}: {fix}") from error
