"""Histories of chance: each day replaced by another of its weekday, at most three weeks away, and what pages in them.

Features, scores and outcomes of a day move together: season and week stay, and nothing changes but by chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from homeostat.core.alarm_budget import LAST, Look, episodes
from homeostat.core.looks import Array, Sums, together
from homeostat.core.periods import floor, period_of
from homeostat.monitoring.batch_sums import as_windows, window_table
from homeostat.monitoring.change import Unit, Units
from homeostat.monitoring.outcomes import window_length

NEAR = timedelta(days=21)
WEEK = timedelta(days=7)
CONFIDENCE = 0.95  # of the interval of a rate


@dataclass(frozen=True)
class History:
    """Days (n,) of events with their sums; ``windows`` adds them up into the windows of the looks.

    ``ends`` are those of the windows. ``inputs`` and ``outcomes`` have a row a day; ``due`` and ``matured``
    (windows, n) say which days a window has.
    """

    starts: tuple[datetime, ...]
    ends: tuple[datetime, ...]
    inputs: Sums
    outcomes: Sums
    due: Array
    matured: Array
    day: timedelta

    def windows(self, days: NDArray[np.intp] | None = None) -> Sums:
        """With each day replaced by the one at that place, if given."""
        parts = ((self.inputs, self.due), (self.outcomes, self.matured))
        return together([_added_up(sums if days is None else sums.take(days), member) for sums, member in parts])

    def of_chance(self, draw: np.random.Generator) -> NDArray[np.intp]:
        """The places of the days of a history of chance."""
        return np.array([draw.choice(near) for near in self.neighbours])

    @cached_property
    def neighbours(self) -> list[NDArray[np.intp]]:
        """By day, those of the same weekday at most three weeks away, itself among them; of long batches the nearest.
        """
        at = np.array([(start - self.starts[0]) / self.day for start in self.starts])
        week, reach = WEEK / self.day, max(NEAR / self.day, 3.0)
        return [
            np.flatnonzero((np.abs(at - one) <= reach) & ((week % 1 != 0) | (np.round(at - one) % max(week, 1) == 0)))
            for one in at
        ]


def _added_up(days: Sums, member: Array) -> Sums:
    return Sums(days.series, *(member @ array for array in days.arrays))


def read_history(units: Units) -> History | None:
    """The days with features, up to the end of the last whole window; the last that count; None without any."""
    scope, horizon = units.scope, units.scope.events.label_horizon
    length, offset = window_length(scope), scope.rhythm.offset
    end = floor(period_of(units.labels[-1], scope.events_period, offset).end, length, offset)
    days = units.between(end - LAST * length, end)
    if not days:
        return None
    first = floor(days[0].start, length, offset)
    ends = [first + (number + 1) * length for number in range((end - first) // length)]
    tables: tuple[list[pl.DataFrame], list[pl.DataFrame]] = ([], [])
    for day in days:
        rows = units.rows(day)
        tables[0].append(window_table(day.end, [units.inputs(rows)]))
        tables[1].append(window_table(day.end, [units.outcomes(rows, day.end + horizon)]))
    inputs, outcomes = (as_windows(pl.concat(part), [day.end for day in days]) for part in tables)
    due, matured = (_members(days, ends, length, wait) for wait in (timedelta(0), horizon))
    return History(tuple(day.start for day in days), tuple(ends), inputs, outcomes, due, matured, units.length)


def _members(days: Sequence[Unit], ends: Sequence[datetime], length: timedelta, wait: timedelta) -> Array:
    return np.array([[float(end - length < day.end + wait <= end) for day in days] for end in ends])


@dataclass(frozen=True)
class Pages:
    """How many incidents were opened in how many looks that the budget could be promised for, over all histories."""

    opened: int = 0
    looks: int = 0

    def __add__(self, other: Pages) -> Pages:
        return Pages(self.opened + other.opened, self.looks + other.looks)

    def rate(self, per: float) -> tuple[float, float, float]:
        """Pages in ``per`` looks, with the ends of its Poisson interval (Garwood, 1936, Biometrika 28)."""
        from scipy.stats import chi2

        tail, looks = 1 - CONFIDENCE, max(self.looks, 1)
        low = chi2.ppf(tail, 2 * self.opened) / 2 if self.opened else 0.0
        high = chi2.ppf(1 - tail, 2 * self.opened + 2) / 2
        return self.opened * per / looks, float(low) * per / looks, float(high) * per / looks


def pages(looks: Sequence[Look]) -> Pages:
    """What looks in order opened."""
    promised = [look for look in looks if look.limit.value is not None]
    return Pages(episodes([look.pages for look in promised]), len(promised))
