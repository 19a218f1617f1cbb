"""The alarm budget proved on the project's own history: false pages on histories of chance, and what would be noticed.

A history of chance has in place of each day another of the same weekday, at most three weeks away, with its features,
scores and outcomes together: season and week stay, and nothing changes but by chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import chi2

from homeostat.adapters import evidently
from homeostat.core.alarm_budget import LAST, UNUSED, Budget, Look, episodes, latest_look, look_by_look
from homeostat.core.looks import BEFORE, FIRST, OF, Array, Sums, together
from homeostat.core.periods import floor, period_of
from homeostat.core.text import count, percent, span
from homeostat.monitoring.batch_sums import as_windows, window_table
from homeostat.monitoring.change import Unit, Units
from homeostat.monitoring.outcomes import window_length

NEAR = timedelta(days=21)
WEEK = timedelta(days=7)
CONFIDENCE = 0.95
TRIALS = 30  # of a change of one size
WITHIN = 6  # rounds in which a change has to be noticed
SIZES = (0.1, 0.25, 0.5, 1.0, 2.0)


@dataclass(frozen=True)
class History:
    """Days (n,) of events with their sums; ``windows_of`` adds them up into the windows of the looks.

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

    @property
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
        tail, looks = 1 - CONFIDENCE, max(self.looks, 1)
        low = chi2.ppf(tail, 2 * self.opened) / 2 if self.opened else 0.0
        high = chi2.ppf(1 - tail, 2 * self.opened + 2) / 2
        return self.opened * per / looks, float(low) * per / looks, float(high) * per / looks


def pages(looks: Sequence[Look]) -> Pages:
    """What looks in order opened."""
    promised = [look for look in looks if look.limit.value is not None]
    return Pages(episodes([look.pages for look in promised]), len(promised))


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
    first = UNUSED + round(1 / budget)  # a limit can be there
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


def check_alarms(units: Units, histories: int, beside: int) -> Iterator[str]:
    """The proof, a line each: false pages, the same of rules in use elsewhere, and the changes that are noticed.

    ``histories`` of chance are looked at, ``beside`` of them by the other rules as well.

    Raises:
        DataError: a batch is missing or damaged.
    """
    scope = units.scope
    if scope.alarms is None:
        yield "no alarm budget, so whatever is open pages; params.yaml may set one: alarms: {false_pages: 1, in: 90d}"
        return
    history = read_history(units) if units.labels else None
    if history is None:
        yield "no whole window of features yet, so no history to prove it on; run `homeostat run data` first"
        return
    budget, every = Budget(scope.alarms.false_pages, scope.alarms.within), window_length(scope)
    a_look = budget.a_look(every)
    promise = f"{count(budget.pages, 'false page')} in {span(budget.length)}"
    windows = history.windows()
    yield f"budget: {promise}, one look every {span(every)}"
    own = look_by_look(windows, a_look)
    yield f"history: {count(len(own), 'window')}, {len(windows.series):,} series of features, scores and outcomes"
    yield from _own(own, pages(own), every, history.ends[-1])
    draws = [np.random.default_rng([scope.seed, number]) for number in range(histories)]
    chosen = [history.of_chance(draw) for draw in draws]
    of_chance = sum((pages(look_by_look(history.windows(days), a_look)) for days in chosen), Pages())
    if of_chance.looks:
        yield from _kept(of_chance, budget, every, promise, histories)
        yield from _beside(units, history, chosen[:beside], budget, every)
        yield from _changes(history, a_look, np.random.default_rng([scope.seed, histories]), every)


def _own(looks: Sequence[Look], own: Pages, every: timedelta, until: datetime) -> Iterator[str]:
    if not own.looks:
        wait = looks[-1].limit.wait
        yield f"this budget cannot be promised before {until + wait * every:%Y-%m-%d}: {wait} more looks are needed"
        return
    methods = dict.fromkeys(look.limit.method for look in looks if look.limit.value is not None)
    yield f"as it came: {count(own.opened, 'page')} in {count(own.looks, 'look')}; limit by {' and '.join(methods)}"


def _kept(found: Pages, budget: Budget, every: timedelta, promise: str, histories: int) -> Iterator[str]:
    rate, low, high = found.rate(budget.length / every)
    text = f"{count(histories, 'history')} of chance: {count(found.opened, 'page')} in {count(found.looks, 'look')}, "
    text += f"{rate:.2f} in {span(budget.length)}, at most {high:.2f} ({percent(CONFIDENCE)} Poisson bound)"
    verdict = "kept" if high <= budget.pages else "broken" if low > budget.pages else "kept as far as so few looks show"
    yield f"{text}: {promise} is {verdict}"


@dataclass(frozen=True)
class OtherRule:
    """A rule in use elsewhere: so large a share of the columns drifted, in ``times`` of the last ``of`` looks."""

    name: str
    share: float
    times: int = 1
    of: int = 1

    def alarms(self, shares: Sequence[float]) -> list[bool]:
        """Look by look."""
        over = [share >= self.share and share > 0 for share in shares]
        return [sum(over[max(n + 1 - self.of, 0) : n + 1]) >= self.times for n in range(len(over))]


OTHERS = (
    OtherRule("stock Evidently, half of the columns", 0.5),
    OtherRule("stock Evidently, any column", 0.0),
    OtherRule("stock Evidently, any column in 2 of 5 looks", 0.0, 2, 5),
)


def _beside(
    units: Units, history: History, chosen: Sequence[NDArray[np.intp]], budget: Budget, every: timedelta
) -> Iterator[str]:
    """What other rules page about on the same histories, each window held to the same windows before it."""
    if not chosen:
        return
    days = units.between(history.starts[0], history.starts[-1] + units.length)
    features = [units.features(units.rows(day)) for day in days]
    shares = [list(_shares(history, features, places)) for places in chosen]
    yield f"beside it, on {count(len(chosen), 'history')} of them:"
    for rule in OTHERS:
        alarms = [rule.alarms(one) for one in shares]
        opened, looks, over = (sum(map(of, alarms)) for of in (episodes, len, sum))
        rate = opened * (budget.length / every) / max(looks, 1)
        text = f"{count(opened, 'page')} in {count(looks, 'look')}, {rate:.2f} in {span(budget.length)}"
        yield f"  {rule.name}: {text}, alarmed in {percent(over / max(looks, 1))} of the looks"


def _shares(history: History, features: Sequence[pl.DataFrame], places: NDArray[np.intp]) -> Iterator[float]:
    windows = [[int(places[day]) for day in np.flatnonzero(member)] for member in history.due]
    for number in range(FIRST, len(windows)):
        before = [day for window in windows[number - FIRST : number - FIRST + BEFORE] for day in window]
        if windows[number] and before:
            parts = (windows[number], before)
            sides = (pl.concat([features[day] for day in part], how="diagonal_relaxed") for part in parts)
            yield evidently.stock_drift(*sides)


def _changes(history: History, a_look: float, draw: np.random.Generator, every: timedelta) -> Iterator[str]:
    yield f"noticed within {count(WITHIN, 'look')} of {span(every)}, of {TRIALS} changes of each size:"
    for change in CHANGES:
        made = [n for size in change.sizes if (n := noticed(history, a_look, change, size, draw)) is not None]
        if made:
            yield f"  {change.name}: {', '.join(map(_noticed, made))}"


def _noticed(one: Noticed) -> str:
    after = [look for look in one.after if look is not None]
    soon = f" after {median(after):g}" if after else ""
    return f"by {percent(one.size)} {percent(one.share)}{soon}"
