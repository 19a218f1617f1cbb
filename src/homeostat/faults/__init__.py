"""Faults that a replay injects, so that a team sees what the loop does about each: ``NAME@TIME``.

A fault of the data is in what the sources deliver, from the batch of its time on. Any other is injected once the first
tick at or after its time is completed, and in force from then on. What it did is on record in the replay's own project,
so an interrupted replay carries on and injects it once. May import what releases and data are made of, never the loop:
the loop must not know that it is a drill.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from homeostat.core.authorship import DRILL
from homeostat.core.errors import UsageError
from homeostat.faults import bad_release, corrupted_bundle, damaged_sources, slow_release
from homeostat.faults.damage import DAMAGES

if TYPE_CHECKING:
    from homeostat.core.ledger import Ledger
    from homeostat.project.layout import Project


@dataclass(frozen=True)
class Kind:
    """One kind of fault.

    ``inject``: called with the replay's project, who acts and the time of the tick just completed, after each tick that
    is due; does its work once and returns a sentence then, else nothing. ``outcome``: what became of it, from the
    release ledger.
    """

    inject: Callable[[Project, str, datetime], str]
    outcome: Callable[[Project, Ledger, str], str]


RELEASES: Mapping[str, Kind] = {
    "bad-release": Kind(bad_release.inject, lambda project, ledger, who: bad_release.outcome(ledger, who)),
    "corrupted-bundle": Kind(corrupted_bundle.inject, lambda project, ledger, who: corrupted_bundle.outcome(project)),
    "slow-release": Kind(slow_release.inject, lambda project, ledger, who: bad_release.outcome(ledger, who)),
}


KINDS = (*RELEASES, *DAMAGES)
ALL = "all"  # in the place of NAME@TIME: every fault of the data, tried on the history (``trials``)


@dataclass(frozen=True)
class Fault:
    """A fault of one of ``KINDS``, due from ``at`` on (naive UTC)."""

    name: str
    at: datetime

    def __str__(self) -> str:
        midnight = (self.at.hour, self.at.minute, self.at.second) == (0, 0, 0)
        return f"{self.name}@{self.at:%Y-%m-%d}" if midnight else f"{self.name}@{self.at.isoformat()}"

    @property
    def who(self) -> str:
        """Who acts, as the release ledger names it."""
        return f"{DRILL}{self}"

    def inject(self, project: Project, now: datetime) -> str:
        """Inject it if it is due at ``now`` and has not been yet; a sentence where it was, else nothing."""
        if now < self.at:
            return ""
        if self.name in DAMAGES:
            return damaged_sources.complete(project, self.name, self.at, now)
        return RELEASES[self.name].inject(project, self.who, now)

    def outcome(self, project: Project, ledger: Ledger) -> str:
        """What became of it, in one sentence."""
        if self.name in DAMAGES:
            return damaged_sources.outcome(project, self.name, self.at)
        return RELEASES[self.name].outcome(project, ledger, self.who)


def damage_sources(project: Project, faults: Iterable[Fault], start: datetime, end: datetime) -> None:
    """Have a replay's project read sources that the ``faults`` of the data are in, from ``start`` to ``end``.

    Raises:
        UsageError: no source has what a fault needs.
    """
    damages = [(fault.name, fault.at) for fault in faults if fault.name in DAMAGES]
    if damages:
        damaged_sources.damage_sources(project, damages, start, end)


def parse(text: str) -> Fault:
    """Read ``NAME@TIME``, the time in UTC.

    >>> str(parse("bad-release@2013-01-09")), str(parse("bad-release@2013-01-09T12:00"))
    ('bad-release@2013-01-09', 'bad-release@2013-01-09T12:00:00')

    Raises:
        UsageError: no such fault, or no such time.
    """
    name, _, time = text.partition("@")
    if name not in KINDS:
        raise UsageError(f"--fault {text}: no such fault; there are: {', '.join(KINDS)}, each as NAME@TIME")
    try:
        at = datetime.fromisoformat(time)
    except ValueError as error:
        raise UsageError(f"--fault {text}: {time!r} is not a time; write {name}@2013-05-01T12:00, in UTC") from error
    if at.tzinfo is not None:
        raise UsageError(f"--fault {text}: the time has an offset; write it in UTC, without one")
    return Fault(name, at)


def check_times(faults: Iterable[Fault], first: datetime, last: datetime) -> None:
    """Refuse a fault that is not due from ``first`` to ``last``, the last tick but one: no tick would answer it.

    Raises:
        UsageError: its time is outside.
    """
    for fault in faults:
        if not first <= fault.at <= last:
            raise UsageError(
                f"--fault {fault}: outside the replay; choose a time from {first:%Y-%m-%d %H:%M} to "
                f"{last:%Y-%m-%d %H:%M}, a tick before its end"
            )
