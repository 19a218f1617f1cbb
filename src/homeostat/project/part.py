"""A part of a typed YAML file: frozen, strict, and two entries of it that contradict each other are refused."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from homeostat.project.scope_errors import Contradiction


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def require(
    holds: object, path: tuple[int | str, ...], problem: str, other: tuple[int | str, ...] = ()
) -> None:
    if not holds:
        raise Contradiction(path, problem, other)
