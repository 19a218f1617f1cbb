"""How the values of a column are written, where that is not the plain way of its type."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator

from homeostat.project.value_types import Text, Zone


class Writing(BaseModel):
    """``times``: forms of a time, tried in order (see ``data/time_forms.py``); ``zone``: of times that say none.

    ``decimal`` and ``grouping``: the signs of a number; ``without``: currencies and units around it; ``negative``:
    marks beside a negative one, ``()`` for brackets; ``duration``: it is written as one, such as ``1:05:30``.
    ``yes`` and ``no``: the values of a flag, ``""`` for a blank. ``missing``: values that mean none; ``limits``: what
    a number such as ``<0.5`` is. ``words``: ``trimmed`` of the blanks and invisible characters around them (accents
    join their letters), or ``folded``, in small letters too, so that writings which differ only so are one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    times: tuple[Text, ...] = ()
    zone: Zone | None = None
    decimal: Literal[".", ","] = "."
    grouping: str = ""
    without: tuple[Text, ...] = ()
    negative: tuple[Text, ...] = ()
    duration: bool = False
    yes: tuple[str, ...] = ()
    no: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    limits: Literal["refused", "missing"] = "refused"
    words: Literal["as written", "trimmed", "folded"] = "as written"

    @model_validator(mode="after")
    def consistent(self) -> Writing:
        if self.decimal in self.grouping:
            raise ValueError(f"decimal and grouping are both {self.decimal!r}; correct one of them")
        both = set(self.yes) & set(self.no)
        if both:
            raise ValueError(f"{min(both)!r} is both yes and no; remove it from one")
        return self


PLAIN = Writing()
