"""The section ``scale`` of a scope: the processes that the work of a run is spread over. It changes no out."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from homeostat.project.part import Part, require
from homeostat.project.value_types import Count, Length, Text

PLACES = ("workers", "adaptive", "scheduler")


def _address(text: str) -> str:
    if re.fullmatch(r"(tcp|tls)://([^\s/:]+|\[[\da-fA-F:]+\]):\d{1,5}", text) is None:
        raise ValueError(f"{text!r} is no address; write tcp://HOST:PORT, as the scheduler prints it")
    return text


class Scale(Part):
    """One of three places: ``workers`` processes of this machine; from the first to the second number of ``adaptive``,
    as work waits; or the workers of the cluster whose ``scheduler`` is named.

    ``dashboard``: the port of Dask's pages on this machine. ``fit_within`` ends a fit over several workers: one that
    has stopped would hold the others for ever.
    """

    workers: Count | None = None
    adaptive: tuple[Count, Count] | None = None
    scheduler: Annotated[Text, AfterValidator(_address)] | None = None
    dashboard: Annotated[Count, Field(le=65535)] | None = None

    fit_within: Length = timedelta(hours=1)

    @property
    def most(self) -> tuple[int | None, str]:
        """How many workers there are at most, where that can be said, and the entry that says it."""
        if self.adaptive is not None:
            return self.adaptive[1], "adaptive"
        return self.workers, "workers"

    @model_validator(mode="after")
    def consistent(self) -> Scale:
        named = [name for name in PLACES if getattr(self, name) is not None]
        for name in named[1:]:
            require(False, (name,), f"is beside {named[0]}; keep one of them", ("scale", named[0]))
        require(named, (), "names no workers; add workers: 4, adaptive: [1, 4] or scheduler: tcp://HOST:PORT")
        if self.adaptive is not None:
            low, high = self.adaptive
            require(low < high, ("adaptive",), f"goes from {low} to {high}; write the smaller number first")
        if self.dashboard is not None:
            theirs = "is that of workers on this machine, and a scheduler has its own; remove it"
            require(self.scheduler is None, ("dashboard",), theirs, ("scale", "scheduler"))
            alone = "shows several workers at work, and there is one; remove it"
            require(self.workers != 1, ("dashboard",), alone, ("scale", "workers"))
        return self
