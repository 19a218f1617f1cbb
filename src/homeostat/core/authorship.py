"""Who changes what is in service, why, when and on which records: no change is made without all of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from homeostat.core.errors import UsageError


@dataclass(frozen=True)
class Authorship:
    """Who did something, why, at which project time (naive UTC), and the records that it rests on.

    Raises:
        UsageError: who or why is empty.
    """

    who: str
    why: str
    at: datetime
    evidence: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, text in (("who", self.who), ("why", self.why)):
            if not text.strip():
                raise UsageError(
                    f"{name} is empty: every change of a release keeps who made it and why; give it in a few words"
                )


DRILL = "drill "  # begins the name of a drill that acts


def is_drill(who: str) -> bool:
    """Whether a drill acted, and no person or loop.

    >>> is_drill("drill bad-release@2024-01-01"), is_drill("ann")
    (True, False)
    """
    return who.startswith(DRILL)
