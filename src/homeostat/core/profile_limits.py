"""How far the profile of a batch lies outside those of the batches before.

The limits of a statistic follow from its own values in the history: the extreme one, and beyond it an exponential tail
whose mean is that of the excesses over the outer quartile (peaks over threshold, Siffer et al., 2017, KDD, with shape
0), up to where ``CHANCE`` of batches would lie. What varies by construction, such as a trend or a rhythm of weeks, has
wide limits for that reason. A floor of sampling noise keeps a statistic that never varied from failing at the first odd
row.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from homeostat.core.profile_scales import Series, natural, scaled, scaled_history
from homeostat.core.profile_statistics import MANY, REGULAR, is_label, statistics
from homeostat.core.profiles import CLOCK, ENOUGH, Past, Profile
from homeostat.core.repairs import CLOSE, Array, Band, named_repair

CHANCE = 5e-6  # share of batches beyond a limit, where nothing is wrong: a table has some hundred statistics
CERTAIN = log(1 / CHANCE)  # rows, at the least, of which there are none by chance as rarely (Poisson)
NOISE = 0.5  # of the standard error of a statistic: the least mean excess of its tail
GAIN = 0.1  # in correlation, that a shift of the clock must bring
SWAPPED = 0.5  # of the likeness of two columns to each other: nearer to it than to nothing that tells them apart
MOSTLY_REPEATED = 0.8  # the usual share of values that repeat the one before, from which more of them is no fault
STEADY = 0.9  # the same, from which fewer are one
TURNED = 0.5  # of the usual relation, on its scale, from which one of the other sign is none by chance
SURGES = frozenset({"missing", "apart", "new", "blanks", "odd", "same"})
RISE = 0.5  # of all rows
RHYTHMS = (7, 24)  # batches, after which the number of rows may come again: days of a week, hours of a day
AGAIN = 0.6  # of how far numbers of rows lie apart, from which on they go by such a rhythm
LOST_ROWS = log(0.6)  # what remains of the usual rows, from which on they are lost: a holiday takes up to so many
RARELY = 1e-4  # share of batches with fewer rows than that limit, where nothing is wrong: it is one number a batch
TINY = 1e-6  # a share that is more than none, on its scale
RICH = 6  # different values among the quantiles of a column, of whose batches no two are alike by chance
FEW = 20  # rows, the same
MOST = 2 / 3  # of the measurements: others are of the calendar, or a timetable
ABOVE_ONLY = frozenset({  # less of it is no fault
    "same", "run", "blanks", "odd", "new", "mix", "clock", "apart", "copies", "shift", "repair", "lost", "cut", "swap",
})  # fmt: skip
BELOW_ONLY = frozenset({"negative", "distinct"})  # more of it is no fault


@dataclass(frozen=True)
class Compared:
    """One statistic of a batch between its limits, all on the scale on which it is compared; ``usual``: the median.

    ``other`` is the second column of a pair, or the text that names a slice.
    """

    column: str
    statistic: str
    value: float
    low: float
    high: float
    usual: float
    other: str = ""

    @property
    def excess(self) -> float:
        """How far it lies from the usual, in units of the limit's distance: above 1 it is outside."""
        reach = self.high - self.usual if self.value > self.usual else self.usual - self.low
        return abs(self.value - self.usual) / max(reach, 1e-9)


def compare(profile: Profile, past: Sequence[Past]) -> list[Compared]:
    """Each statistic of a batch beside its limits from the ``trusted`` batches before; none while these are too few.

    What a person released is normal at once, however far off it lies.
    """
    history = [p.profile for p in past]
    if len(history) < ENOUGH or not profile.rows:
        return []
    labels = {c for c in profile.quantiles if is_label(c, history)}
    series = statistics(profile, history, labels)
    before = scaled_history(series)
    noise, wider = (np.array([getattr(s, name) for s in series]) for name in ("noise", "wider"))
    low, high, usual = _limits(before, noise, wider)
    rows = next(i for i, s in enumerate(series) if s.statistic == "rows")
    low[rows] = max(low[rows], _least_rows(before[:, rows]))
    floors = {"shift": scaled("shift", GAIN), "swap": SWAPPED}
    least = np.array([floors.get(s.statistic, -np.inf) for s in series])
    if float(np.median([p.rows for p in history])) >= MANY:
        high = np.minimum(high, _plainly(series, before, usual))
        low, high = _of_one_sign(series, before, usual, low, high)
    high = np.maximum(high, least)
    released = [i for i, p in enumerate(past) if p.released]
    if released:
        low, high = _with_released(before[released], low, high, usual)
    low, high = _one_sided(series, before, usual, low, high)
    compared = [
        Compared(s.column, s.statistic, scaled(s.statistic, s.value), float(a), float(b), float(median), s.other)
        for s, a, b, median in zip(series, low, high, usual, strict=True)
        if not np.isnan(median)
    ]
    return [*compared, *_repairable(profile, history, labels), *_stale(profile, history, labels)]


def _limits(before: Array, noise: Array, wider: Array) -> tuple[Array, Array, Array]:
    """Low, high and usual of each statistic (S,), from (K, S) values; NaN where too few."""
    many = np.sum(~np.isnan(before), axis=0)
    enough = many >= ENOUGH
    kept = np.where(enough, before, 0.0)  # NaN in some batches is left out below
    usual, lower, upper = _quartiles(kept, many)
    beyond = np.log(1 / (np.maximum(many, 1) * CHANCE))
    above = np.nanmax(kept, axis=0) - usual + beyond * np.maximum(_mean_excess(kept - upper), NOISE * noise)
    below = usual - np.nanmin(kept, axis=0) + beyond * np.maximum(_mean_excess(lower - kept), NOISE * noise)
    low, high = usual - below * wider, usual + above * wider
    return low, high, np.where(enough, usual, np.nan)


def _least_rows(before: Array) -> float:
    """How few rows there may be, on the scale, by the numbers of rows (K,) of the batches before, in order.

    The usual is that of the same day of the week, or hour of the day, where rows go by these. One batch before that had
    fewer than any other does not count.
    """
    usual, off = float(np.median(before)), before - np.median(before)
    for rhythm in RHYTHMS:
        turns = len(before) // rhythm
        if turns >= ENOUGH // min(RHYTHMS):
            table = before[len(before) - turns * rhythm :].reshape(turns, rhythm)
            apart = (table - np.median(table, axis=0)).ravel()
            if np.abs(apart).mean() < AGAIN * np.abs(off).mean():
                usual, off = float(np.median(table[:, 0])), apart
    rest = np.sort(off)[1:]
    noise = max(REGULAR, float(np.exp(-usual / 2)))  # of rows that come by chance: Poisson
    reach = max(float(_mean_excess(rest[len(rest) // 4] - rest)), NOISE * noise)
    return usual + min(float(rest[0]) - np.log(1 / (len(rest) * RARELY)) * reach, LOST_ROWS)


def _quartiles(values: Array, many: Array) -> tuple[Array, Array, Array]:
    """Median, lower and upper quartile of each column of (K, S) values, of which ``many`` are there."""
    ordered = np.sort(values, axis=0)  # NaN last
    last = np.maximum(np.where(np.isnan(ordered[-1]), many, len(values)) - 1, 0)
    places = [np.round(share * last).astype(int) for share in (0.5, 0.25, 0.75)]
    median, lower, upper = (np.take_along_axis(ordered, place[None], axis=0)[0] for place in places)
    return median, lower, upper


def _plainly(series: Sequence[Series], before: Array, usual: Array) -> Array:
    """What is above any limit (S,): a share of ``SURGES`` that rises by half of all rows, where it never did before."""
    surges = [
        scaled(s.statistic, natural(s.statistic, u) + RISE) if s.statistic in SURGES else np.inf
        for s, u in zip(series, usual, strict=True)
    ]
    return np.maximum(surges, np.nanmax(np.nan_to_num(before, nan=-np.inf), axis=0) + 0.01)


def _of_one_sign(
    series: Sequence[Series], before: Array, usual: Array, low: Array, high: Array
) -> tuple[Array, Array]:
    """Limits within which a relation keeps the sign that it had in every batch before.

    It may turn to ``TURNED`` of the usual; where it was never weaker than that, to no more than noise.
    """
    pairs, noise = np.array([s.statistic == "order" for s in series]), np.array([s.noise for s in series])
    least, most = (f(np.nan_to_num(before, nan=v), axis=0) for f, v in ((np.min, np.inf), (np.max, -np.inf)))
    edge = TURNED * np.abs(usual)
    above, below = (np.where(beyond > edge, np.minimum(noise, edge), edge) for beyond in (least, -most))
    low = np.where(pairs & (least > 0), np.maximum(low, -above), low)
    return low, np.where(pairs & (most < 0), np.minimum(high, below), high)


def _mean_excess(excess: Array) -> Array:
    """The mean of what is above zero in each column; 0 where nothing is."""
    above = np.where(excess > 0, excess, 0.0)
    return above.sum(axis=0) / np.maximum((above > 0).sum(axis=0), 1)


def _one_sided(
    series: Sequence[Series], before: Array, usual: Array, low: Array, high: Array
) -> tuple[Array, Array]:
    """Limits without the side on which nothing is a fault.

    No row of a slice, and no value below zero, is one where every batch had so many that some are certain.
    """
    names = np.array([s.statistic for s in series])
    weaker, repeated = names == "order", names == "repeated"  # a closer relation is no fault
    above_only = np.isin(names, list(ABOVE_ONLY)) | repeated & (usual < scaled("repeated", STEADY))
    low = np.where(weaker & (usual < 0) | above_only, -np.inf, low)
    slices = (names == "slice") & np.array([s.column != CLOCK for s in series])
    for i in np.flatnonzero(repeated).tolist():
        low[i] = max(low[i], _steady_limit(before[:, i], series[i].noise))
    certain = slices & (np.nan_to_num(np.nanmin(before, axis=0)) >= log(CERTAIN))
    low = np.where(certain, np.maximum(low, 0.0), low)
    low = np.where((names == "negative") & _certain_values(series, before), np.maximum(low, TINY), low)
    below_only = np.isin(names, list(BELOW_ONLY)) | repeated & (usual >= scaled("repeated", MOSTLY_REPEATED))
    return low, np.where(weaker & (usual > 0) | below_only, np.inf, high)


def _certain_values(series: Sequence[Series], before: Array) -> NDArray[np.bool_]:
    """Of which shares (S,) each batch before had so many values that some are certain."""
    least = np.sin(np.nan_to_num(np.nanmin(before, axis=0))) ** 2
    one = (2 * np.array([s.noise for s in series])) ** 2  # value, as a share: its noise is half of one over their root
    return np.asarray(least >= CERTAIN * one)


def _steady_limit(before: Array, noise: float) -> float:
    """The limit of the share of values that repeat the one before where it has had two or three values: noise alone.

    Of so few different ones an excess over the quartile tells nothing of a tail.
    """
    values = np.unique(before[~np.isnan(before)].round(9))
    if len(values) > 3:
        return float(-np.inf)
    return float(values[0] - np.log(1 / (len(before) * CHANCE)) * NOISE * noise)


def _with_released(before: Array, low: Array, high: Array, usual: Array) -> tuple[Array, Array]:
    """Limits that reach as far around the batches that a person released as they do around the usual."""
    reach_up, reach_down = high - usual, usual - low
    highest = np.nan_to_num(np.nanmax(before, axis=0, initial=-np.inf), nan=-np.inf)
    lowest = np.nan_to_num(np.nanmin(before, axis=0, initial=np.inf), nan=np.inf)
    return np.minimum(low, lowest - reach_down), np.maximum(high, highest + reach_up)


def _repairable(profile: Profile, history: Sequence[Profile], labels: Container[str]) -> Iterator[Compared]:
    """Columns of numbers that lie outside what they ever were, where a change of unit or sign leads back inside."""
    for column, quantiles in profile.quantiles.items():
        before = [p.quantiles[column] for p in history if column in p.quantiles]
        if len(before) < ENOUGH or column in labels:
            continue
        band = Band.of(before)
        misfit = band.misfits(quantiles)
        if misfit > CLOSE and named_repair(quantiles, band) is not None:
            yield Compared(column, "repair", misfit, -np.inf, CLOSE, 0.0)


def _stale(profile: Profile, history: Sequence[Profile], labels: Container[str]) -> Iterator[Compared]:
    """The measurements that are those of one batch before, value for value, if most are and none ever was so."""
    rich = [c for c, q in profile.quantiles.items() if c not in labels and len(set(q.tolist())) >= RICH]
    if profile.rows < FEW or not rich:
        return
    now = {c: _values_of(profile, c) for c in rich}
    alike = max(([c for c in rich if _values_of(p, c) == now[c]] for p in history), key=len)
    before = {c: [v for p in history if (v := _values_of(p, c))] for c in alike}
    again = [c for c in alike if len(set(before[c])) == len(before[c])]
    if len(again) > MOST * len(rich):
        yield from (Compared(c, "stale", 1.0, -np.inf, 0.5, 0.0) for c in again)


def _values_of(profile: Profile, column: str) -> bytes:
    """What no two batches have alike whose values of a column are not the same."""
    if column not in profile.quantiles:
        return b""
    return profile.quantiles[column].tobytes() + np.float64(profile.spread[column]).tobytes()
