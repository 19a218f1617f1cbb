"""Changes made in histories of chance, and how soon the alarm budget pages about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from homeostat.checks.alarm_history import History
from homeostat.core.alarm_budget import OVERLAP, UNUSED, latest_look
from homeostat.core.looks import OF, Sums

TRIALS = 30  # of a change of one size
WITHIN = 6  # looks in which a change has to be noticed
SIZES = (0.1, 0.25, 0.5, 1.0, 2.0)


@dataclass(frozen=True)
class Change:
    """A kind of change, and what it does to windows: ``apply(windows, from, place, size)`` in place."""

    name: str
    unit: str
    apply: Callable[[Sums, int, int, float], None]
    aspects: tuple[str, ...]  # how the aspects begin, of the series that it may be made at
    sizes: tuple[float, ...] = SIZES


def _shift(windows: Sums, since: int, place: int, size: float) -> None:
    for other in _of_subject(windows, place, (" third",)):
        windows.top[since:, other] += size * windows.spread[since:, other]


def _lose(windows: Sums, since: int, place: int, size: float) -> None:
    windows.top[since:, place] += size * (windows.bottom - windows.top)[since:, place]


def _more_events(windows: Sums, since: int, place: int, size: float) -> None:
    """The label becomes more frequent, and nothing else moves."""
    windows.top[since:, place] *= 1 + size
    for other in _of_subject(windows, place, ("calibration",)):
        windows.bottom[since:, other] *= 1 + size


def _higher_scores(windows: Sums, since: int, place: int, size: float) -> None:
    for other in _of_subject(windows, place, ("calibration",)):
        windows.top[since:, other] *= 1 + size


def _of_subject(windows: Sums, place: int, aspects: tuple[str, ...]) -> list[int]:
    subject = windows.series[place].subject
    return [
        i for i, one in enumerate(windows.series)
        if one.subject == subject and one.aspect.startswith(aspects) | one.aspect.endswith(aspects)
    ]  # fmt: skip


CHANGES = (
    Change("a feature's values shift", "of its spread", _shift, ("middle third",)),
    Change("a feature loses values", "of them", _lose, ("missing",), (0.02, 0.05, 0.1, 0.2, 0.4)),
    Change("the label gets more frequent", "of its rate", _more_events, ("label rate",)),
    Change("scores are too high", "of them", _higher_scores, ("calibration",)),
)  # fmt: skip


@dataclass(frozen=True)
class Noticed:
    """Of changes of one kind and size, the rounds after which each was paged about; None: not within ``WITHIN``."""

    change: Change
    size: float
    after: tuple[int | None, ...]

    @property
    def share(self) -> float:
        return sum(one is not None for one in self.after) / len(self.after)


def noticed(history: History, budget: float, change: Change, size: float, draw: np.random.Generator) -> Noticed | None:
    """Make the change in as many histories of chance, at a place and a time that chance chooses."""
    many = len(history.due)
    first = UNUSED + OVERLAP + round(1 / budget)  # a limit can be there
    if many < first + OF + WITHIN:
        return None
    after: list[int | None] = []
    for _ in range(TRIALS):
        windows = history.windows(history.of_chance(draw))
        places = [i for i, one in enumerate(windows.series) if one.aspect in change.aspects]
        if not places:
            return None
        since, place = int(draw.integers(first, many - WITHIN + 1)), int(draw.choice(places))
        change.apply(windows, since, place, size)
        looks = (latest_look(windows.take(slice(0, since + wait + 1)), budget) for wait in range(WITHIN))
        subject = windows.series[place].subject
        blaming = (subject in {one.subject for one in look.blamed} for look in looks)
        after.append(next((wait for wait, blamed in enumerate(blaming, 1) if blamed), None))
    return Noticed(change, size, tuple(after))
