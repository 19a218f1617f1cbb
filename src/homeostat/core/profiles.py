"""The profile of a batch, and how far it lies outside those of the batches before.

Every statistic is compared on a scale on which its noise is even: shares as the arcsine of their root, correlations as
Fisher's z, counts as logarithms. Its limits follow from its own values in the history: the extreme one, and beyond it
an exponential tail whose mean is that of the excesses over the outer quartile (peaks over threshold, Siffer et al.,
2017, KDD, with shape 0), up to where ``CHANCE`` of batches would lie. What varies by construction, such as a trend or a
rhythm of weeks, has wide limits for that reason. A floor of sampling noise keeps a statistic that never varied from
failing at the first odd row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from math import log, sqrt
from typing import Any

import numpy as np

from homeostat.core.batch_rules import ROWS
from homeostat.core.column_swap import likenesses
from homeostat.core.repairs import CLOSE, Array, Band, named_repair

ENOUGH = 28  # accepted batches in which a statistic must have had a value, to say anything
NORMAL = 28  # batches of the history in which a column failed, from which that is how it is; of long periods fewer
FEWEST_NORMAL = 8  # of them, however long a period is
CHANCE = 5e-6  # share of batches beyond a limit, where nothing is wrong: a table has some hundred statistics
REGULAR = 0.04  # the least noise of the logarithm of the number of rows: a sensor's feed has the same every day
NOISE = 0.5  # of the standard error of a statistic: the least mean excess of its tail
CONSTANT = 0.1  # share of batches with a single value from which a number is a label of the batch, not a measurement
ONE_WAY = 0.9  # share of the steps from batch to batch that go the same way, from which a number tells the time
QUANTILES = (0.0, 0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98, 1.0)
PARTS = 24  # of a period, by which the rows of a batch are counted
CATEGORIES = 200  # texts in a column's history up to which each is a slice
CERTAIN = log(1 / CHANCE)  # rows, at the least, of which there are none by chance as rarely (Poisson)
SLICE = 5  # rows that a slice must have had in every batch, to be missed
GAIN = 0.1  # in correlation, that a shift of the clock must bring
SWAPPED = 0.5  # of the likeness of two columns to each other: nearer to it than to nothing that tells them apart
ALWAYS = 0.9  # share of batches in which a part of the period must have had rows, to be missed
CUT = 0.06  # the least noise of the share of rows after the last, and before the first, that came
LOST = 0.128  # the least noise of the share of rows in parts that are empty, on its scale: a quarter of all is a loss
RELATION = 0.08  # the least noise of a rank correlation, of however many rows, on its scale
MOSTLY_REPEATED = 0.8  # the usual share of values that repeat the one before, from which more of them is no fault
STEADY = 0.9  # the same, from which fewer are one
MOSTLY = {"same": 0.5, "run": 0.5}  # the usual share of one value from which more of it is no fault
RELATED = 0.4  # rank correlation of two columns that is watched
PAIRS = 24  # of them, the strongest
TURNED = 0.5  # of the usual relation, on its scale, from which one of the other sign is none by chance
CLOCK = "event time"  # the place of a row in its period, beside the columns

SHARES = frozenset({
    "missing", "same", "repeated", "run", "zero", "blanks", "lower", "odd", "new", "mix", "clock", "apart",
    "copies", "shift", "lost", "cut", "midnight",
})  # fmt: skip
SURGES = frozenset({"missing", "apart", "new", "blanks", "odd", "same"})
RISE = 0.5  # of all rows
MANY = 200  # rows of a batch from which that is no chance
LEVELS = ("low", "middle", "high")
LIKE_A_NAME = frozenset({"lower", "length"})  # judged where a column's texts are too many to be categories
ABOVE_ONLY = frozenset({  # less of it is no fault
    "same", "run", "blanks", "odd", "new", "mix", "clock", "apart", "copies", "shift", "repair", "lost", "cut", "swap",
})  # fmt: skip


@dataclass(frozen=True)
class Profile:
    """One batch in numbers.

    ``stats`` by column and statistic. ``quantiles`` (at ``QUANTILES``) and ``spread`` (standard deviation of the middle
    96 %) by column of numbers, times as hours after the event. ``values``: how often each text of a column comes, empty
    where they are too many. ``copies``: the share of rows that repeat another. ``clock``: (PARTS,) rows by part of the
    period; ``course`` the same by part of the day where a period is several days. ``by_part``: (n, PARTS) the mean of
    each of the columns ``ranked`` in the parts of the course, none of texts, and ``order`` (n, n) their rank
    correlations. ``apart``:
    (m, m) the share of rows in which one of ``columns`` is missing and another is not.
    """

    rows: int
    stats: Mapping[tuple[str, str], float] = field(default_factory=dict)
    quantiles: Mapping[str, Array] = field(default_factory=dict)
    spread: Mapping[str, float] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    copies: float = 0.0
    clock: Array = field(default_factory=lambda: np.zeros(PARTS))
    course: Array = field(default_factory=lambda: np.zeros(PARTS))
    ranked: tuple[str, ...] = ()
    by_part: Array = field(default_factory=lambda: np.empty((0, PARTS)))
    order: Array = field(default_factory=lambda: np.empty((0, 0)))
    columns: tuple[str, ...] = ()
    apart: Array = field(default_factory=lambda: np.empty((0, 0)))


@dataclass(frozen=True)
class Past:
    """A batch before: ``failed`` are the columns of it that failed, ``ROWS`` if its rows as such did; ``released``:
    whether a person released it since.
    """

    profile: Profile
    failed: frozenset[str] = frozenset()
    released: bool = False


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


@dataclass(frozen=True)
class _Series:
    """A statistic of this batch and of each before, not yet scaled.

    ``noise``: its standard error on the scale, where as many values are usual; ``wider``: how much greater it is here.
    """

    column: str
    statistic: str
    value: float
    before: Sequence[float] | Array
    noise: float
    wider: float = 1.0
    other: str = ""


def trusted(past: Sequence[Past], normal: int = NORMAL) -> list[Past]:
    """The batches before without what failed in them: columns, or the whole batch where its rows did.

    Once a column has failed in ``normal`` of them, that is how it is, and it counts. What a person released counts.
    """
    often = Counter(c for p in past for c in p.failed if not p.released)
    usual = {c for c, many in often.items() if many >= normal}
    kept = [p if p.released else replace(p, failed=p.failed - usual) for p in past]
    return [
        replace(p, profile=_without(p.profile, p.failed)) if p.failed and not p.released else p
        for p in kept
        if p.profile.rows and (p.released or ROWS not in p.failed)
    ]


def _without(profile: Profile, columns: Container[str]) -> Profile:
    """A profile in which nothing is known of some columns."""
    ranked = np.array([c in columns for c in profile.ranked], dtype=bool)
    out = np.array([c in columns for c in profile.columns], dtype=bool)
    return replace(
        profile,
        stats={key: value for key, value in profile.stats.items() if key[0] not in columns},
        quantiles={c: q for c, q in profile.quantiles.items() if c not in columns},
        values={c: {} if c in columns else counts for c, counts in profile.values.items()},
        by_part=np.where(ranked[:, None], np.nan, profile.by_part),
        order=np.where(ranked[:, None] | ranked, np.nan, profile.order),
        apart=np.where(out[:, None] | out, np.nan, profile.apart),
    )


def compare(profile: Profile, past: Sequence[Past]) -> list[Compared]:
    """Each statistic of a batch beside its limits from the ``trusted`` batches before; none while these are too few.

    What a person released is normal at once, however far off it lies.
    """
    history = [p.profile for p in past]
    if len(history) < ENOUGH or not profile.rows:
        return []
    labels = {c for c in profile.quantiles if is_label(c, history)}
    series = [*_rows(profile, history), *_columns(profile, history, labels), *_texts(profile, history)]
    series += [*_apart(profile, history), *_pairs(profile, history), *_swaps(profile, history, labels)]
    before = _scaled_history(series)
    noise, wider = (np.array([getattr(s, name) for s in series]) for name in ("noise", "wider"))
    low, high, usual = _limits(before, noise, wider)
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
    return [*compared, *_repairable(profile, history, labels)]


def scaled(statistic: str, value: float) -> float:
    """A statistic on the scale on which it is compared."""
    if statistic in SHARES:
        return float(np.arcsin(sqrt(min(max(value, 0.0), 1.0))))
    if statistic == "order":
        return float(np.arctanh(min(max(value, -0.95), 0.95)))
    return log(max(value, 0.5)) if statistic in ("rows", "slice") else value


def _scaled_history(series: Sequence[_Series]) -> Array:
    """(K, S): each statistic in the batches before, ``scaled``."""
    values = np.array([s.before for s in series], dtype=float)
    names = np.array([s.statistic for s in series])
    shares, orders = np.isin(names, list(SHARES)), names == "order"
    counts = np.isin(names, ("rows", "slice"))
    values[shares] = np.arcsin(np.sqrt(np.clip(values[shares], 0, 1)))
    values[orders] = np.arctanh(np.clip(values[orders], -0.95, 0.95))
    values[counts] = np.log(np.maximum(values[counts], 0.5))
    return values.T


def natural(statistic: str, value: float) -> float:
    """The statistic itself, of its value on the scale."""
    if statistic in SHARES:
        return float(np.sin(min(max(value, 0.0), np.pi / 2)) ** 2)
    if statistic == "order":
        return float(np.tanh(value))
    return float(np.exp(value)) if statistic in ("rows", "slice") else value


# ---- limits


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


def _quartiles(values: Array, many: Array) -> tuple[Array, Array, Array]:
    """Median, lower and upper quartile of each column of (K, S) values, of which ``many`` are there."""
    ordered = np.sort(values, axis=0)  # NaN last
    last = np.maximum(np.where(np.isnan(ordered[-1]), many, len(values)) - 1, 0)
    places = [np.round(share * last).astype(int) for share in (0.5, 0.25, 0.75)]
    median, lower, upper = (np.take_along_axis(ordered, place[None], axis=0)[0] for place in places)
    return median, lower, upper


def _plainly(series: Sequence[_Series], before: Array, usual: Array) -> Array:
    """What is above any limit (S,): a share of ``SURGES`` that rises by half of all rows, where it never did before."""
    surges = [
        scaled(s.statistic, natural(s.statistic, u) + RISE) if s.statistic in SURGES else np.inf
        for s, u in zip(series, usual, strict=True)
    ]
    return np.maximum(surges, np.nanmax(np.nan_to_num(before, nan=-np.inf), axis=0) + 0.01)


def _of_one_sign(
    series: Sequence[_Series], before: Array, usual: Array, low: Array, high: Array
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
    series: Sequence[_Series], before: Array, usual: Array, low: Array, high: Array
) -> tuple[Array, Array]:
    """Limits without the side on which nothing is a fault; and none of a slice's rows is one where some are certain."""
    names = np.array([s.statistic for s in series])
    weaker, repeated = names == "order", names == "repeated"  # a closer relation is no fault
    above_only = np.isin(names, list(ABOVE_ONLY)) | repeated & (usual < scaled("repeated", STEADY))
    low = np.where(weaker & (usual < 0) | above_only, -np.inf, low)
    slices = (names == "slice") & np.array([s.column != CLOCK for s in series])
    for i in np.flatnonzero(repeated).tolist():
        low[i] = max(low[i], _steady_limit(before[:, i], series[i].noise))
    certain = slices & (np.nan_to_num(np.nanmin(before, axis=0)) >= log(CERTAIN))
    low = np.where(certain, np.maximum(low, 0.0), low)
    return low, np.where(weaker & (usual > 0) | repeated & (usual >= scaled("repeated", MOSTLY_REPEATED)), np.inf, high)


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


# ---- the statistics, each with its history


def _rows(profile: Profile, history: Sequence[Profile]) -> Iterator[_Series]:
    """How many rows there are, and how they and their values lie in the period."""
    sizes = [float(p.rows) for p in history]
    usual = float(np.median(sizes))
    wider = sqrt(max(1.0, usual / profile.rows))
    yield _Series(ROWS, "rows", float(profile.rows), sizes, REGULAR)
    yield _Series(ROWS, "copies", profile.copies, [p.copies for p in history], 0.5 / sqrt(usual), wider)
    table = np.array([p.clock / max(p.rows, 1) for p in (profile, *history)])
    moved = 0.5 * np.abs(table - table[1:].mean(axis=0)).sum(axis=1)
    yield _Series(CLOCK, "clock", float(moved[0]), moved[1:].tolist(), 0.5 / sqrt(usual), wider)
    yield from _parts(profile, history, max(sizes))
    empty, cut = _lost(profile, history)
    yield _Series(CLOCK, "lost", empty[0], empty[1:], LOST)
    if usual >= MANY:
        yield _Series(CLOCK, "cut", cut[0], cut[1:], CUT)
    fits = shift_fits(profile, history)
    gains = fits.max(axis=1) - fits[:, 0]
    yield _Series(CLOCK, "shift", float(gains[0]), gains[1:].tolist(), 0.5 / sqrt(usual), wider)


def _parts(profile: Profile, history: Sequence[Profile], most: float) -> Iterator[_Series]:
    """The rows of each part of the period that had some in every batch."""
    counts = np.array([p.clock for p in history])
    for part in np.flatnonzero(counts.min(axis=0) >= SLICE):
        least = counts[:, part].min()
        if least * profile.rows / most >= SLICE:
            yield _Series(CLOCK, "slice", float(profile.clock[part]), counts[:, part].tolist(), 1 / sqrt(least),
                          other=str(part))  # fmt: skip


def _lost(profile: Profile, history: Sequence[Profile]) -> tuple[list[float], list[float]]:
    """Of the batch, and of each before: the share of the usual rows in parts of the period that are empty, if several.

    Of parts that hardly ever are; a single one is a holiday, or an hour of summer time. The second: of those after the
    last part that has rows, or before the first, alone: where the end of a batch does not come, or its beginning.
    """
    counts = np.array([p.clock for p in (profile, *history)])
    share = counts[1:].mean(axis=0) / max(counts[1:].mean(axis=0).sum(), 1e-9)
    empty = (counts == 0) & ((counts[1:] > 0).mean(axis=0) >= ALWAYS)
    always = (counts[1:] > 0).mean(axis=0) >= ALWAYS
    ends = [np.minimum.accumulate((counts == 0)[:, ::way], axis=1)[:, ::way] & always for way in (1, -1)]
    lost, *cut = (np.where(e.sum(axis=1) > 1, (e * share).sum(axis=1), 0.0) for e in (empty, *ends))
    return lost.tolist(), np.maximum(*cut).tolist()


def shift_fits(profile: Profile, history: Sequence[Profile], columns: Sequence[str] | None = None) -> Array:
    """(1 + K, PARTS): how well the batch, and each before, fits the usual course of a period or day, if it is moved
    back by 0, 1, 2, ... parts.

    ``columns``: by these alone, rather than by all and the number of rows. Fit is the correlation with the usual of the
    mean of each column, and of the rows, by part of the period; a column weighs by how well the batches before agree.
    """
    ranked = profile.ranked
    courses = np.full((1 + len(history), len(ranked) + 1, PARTS), np.nan)
    for own, p in zip(courses, (profile, *history), strict=True):
        if p.ranked == ranked:
            own[:-1], own[-1] = p.by_part, p.course / max(p.rows, 1)
    wanted = [i for i, c in enumerate((*ranked, ROWS)) if c != CLOCK and (columns is None or c in columns)]
    courses = _unit(courses[:, wanted])
    usual = _unit(courses[1:].mean(axis=0))
    weight = np.clip(np.einsum("kcp,cp->kc", courses[1:], usual).mean(axis=0), 0, None) ** 2
    turned = np.array([np.roll(usual, k, axis=1) for k in range(PARTS)])
    fits: Array = np.einsum("ncp,scp,c->ns", courses, turned, weight) / max(float(weight.sum()), 1e-9)
    return fits


def _unit(courses: Array) -> Array:
    """Each row less its mean, of length 1; nothing where it does not vary, and nothing for a missing value."""
    there = ~np.isnan(courses)
    mean = np.nan_to_num(courses).sum(axis=-1, keepdims=True) / np.maximum(there.sum(axis=-1, keepdims=True), 1)
    moved = np.where(there, courses - mean, 0.0)
    size = np.sqrt((moved**2).sum(axis=-1, keepdims=True))
    return np.divide(moved, size, out=np.zeros_like(moved), where=size > 1e-9)


def _columns(profile: Profile, history: Sequence[Profile], labels: Container[str]) -> Iterator[_Series]:
    named = {c for c in profile.values if any(p.values.get(c) for p in history)}
    keys = [
        (column, statistic) for column, statistic in profile.stats
        if (column not in labels or statistic == "missing") and (column not in named or statistic not in LIKE_A_NAME)
    ]  # fmt: skip
    table = np.array([[p.stats.get(key, np.nan) for key in keys] for p in history]).reshape(len(history), len(keys))
    absent = np.isnan(table)
    single = absent.all(axis=0) | (table == table[0]).all(axis=0)
    empty = np.where(absent, 1.0, table).min(axis=0) == 1.0
    errors = _StandardErrors(profile, history, list(dict.fromkeys(column for column, _ in keys)))
    for place, (column, statistic) in enumerate(keys):
        before = table[:, place]
        if statistic in LEVELS and single[place]:
            continue
        if statistic == "missing" and empty[place]:
            continue  # it never had a value: there is nothing that it is unlike
        if statistic in MOSTLY and np.nanmedian(before) >= MOSTLY[statistic]:
            continue
        noise, wider = errors.of(column, statistic)
        yield _Series(column, statistic, profile.stats[column, statistic], before, noise, wider)


class _StandardErrors:
    """Of the statistics of some columns: by how many values there usually are, and how many there are now."""

    def __init__(self, profile: Profile, history: Sequence[Profile], columns: Sequence[str]) -> None:
        self._columns = columns
        missing = np.array([[p.stats.get((c, "missing"), 1.0) for c in columns] for p in (profile, *history)])
        rows = np.array([p.rows for p in (profile, *history)])
        filled = rows[:, None] * (1 - missing.reshape(len(rows), len(columns)))
        spreads = np.array([[p.spread.get(c, 0.0) for c in columns] for p in history])
        self._rows = float(np.median(rows[1:]))
        self._values = np.maximum(np.median(filled[1:], axis=0), 1.0)
        self._wider = np.sqrt(np.maximum(1.0, self._values / np.maximum(filled[0], 1.0)))
        self._spread = np.median(spreads.reshape(len(history), len(columns)), axis=0)

    def of(self, column: str, statistic: str) -> tuple[float, float]:
        """The usual standard error of a statistic, and by how much fewer values widen its limits now."""
        place = self._columns.index(column)
        values, wider = float(self._values[place]), float(self._wider[place])
        if statistic == "missing":
            return 0.5 / sqrt(self._rows), wider
        if statistic in SHARES:
            return 0.5 / sqrt(values), wider
        return (float(self._spread[place]) if statistic in LEVELS else 1.0) / sqrt(values), wider


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


def is_label(column: str, history: Sequence[Profile]) -> bool:
    """Whether a number tells batches apart, as a month or a running number does, rather than rows."""
    filled = [p for p in history if (column, "same") in p.stats and column in p.quantiles]
    single = [float(p.quantiles[column][0]) for p in filled if p.stats[column, "same"] == 1.0]
    seldom = all(set(p.quantiles[column].tolist()) <= {0.0, 1.0} for p in filled) and len(set(single)) == 1
    if not filled or (len(single) >= CONSTANT * len(filled) and not (seldom and len(single) < len(filled))):
        return True  # a yes that some batches hold among noes, as holidays are, is no label
    steps = np.diff([p.quantiles[column][len(p.quantiles[column]) // 2] for p in filled])
    steps = steps[steps != 0]
    return len(steps) >= ENOUGH // 2 and bool(max((steps > 0).mean(), (steps < 0).mean()) >= ONE_WAY)


def _texts(profile: Profile, history: Sequence[Profile]) -> Iterator[_Series]:
    rows = float(np.median([p.rows for p in history]))
    for column, values in profile.values.items():
        before = [p.values.get(column, {}) for p in history]
        if sum(map(bool, before)) < ENOUGH or profile.stats.get((column, "missing"), 1.0) == 1.0:
            continue
        batches = Counter(chain.from_iterable(before))
        single = {value for value, many in batches.items() if many == 1}
        new = sum(many for value, many in values.items() if value not in batches)
        shares = [_part(counts, counts.keys() & single) if counts else np.nan for counts in before]
        now = new / sum(values.values()) if values else 1.0  # too many different ones to be the known ones
        yield _Series(column, "new", now, shares, 1 / sqrt(rows))
        if values and len(batches) <= CATEGORIES:
            yield _mix(column, values, before, rows)
            yield from _slices(column, values, before, batches, profile.rows, history)


def _part(counts: Mapping[str, int], of: Any) -> float:
    return float(sum(counts[value] for value in of)) / sum(counts.values())


def _mix(column: str, values: Mapping[str, int], before: Sequence[Mapping[str, int]], rows: float) -> _Series:
    """How far the shares of the categories lie from those of the history, in total variation."""
    names = sorted(set(values).union(*before))
    table = np.array([[counts.get(n, 0) for n in names] for counts in (values, *before)], dtype=float)
    sums = table.sum(axis=1, keepdims=True)
    shares = np.divide(table, sums, out=np.full_like(table, np.nan), where=sums > 0)
    moved = 0.5 * np.abs(shares - np.nanmean(shares[1:], axis=0)).sum(axis=1)
    return _Series(column, "mix", float(moved[0]), moved[1:].tolist(), 0.5 / sqrt(rows))


def _slices(
    column: str, values: Mapping[str, int], before: Sequence[Mapping[str, int]], batches: Mapping[str, int],
    rows: int, history: Sequence[Profile],
) -> Iterator[_Series]:  # fmt: skip
    """The rows of each category that was in every batch, had the batch as many as usual."""
    sizes = np.array([p.rows for p in history], dtype=float)
    typical = float(np.median(sizes))
    there = np.array(list(map(bool, before)))
    names = [value for value, many in batches.items() if many >= there.sum()]
    table = np.array([[counts.get(name, np.nan) for name in names] for counts in before])
    table = table.reshape(len(before), len(names)) * typical / sizes[:, None]
    for place, (value, least) in enumerate(zip(names, table[there].min(axis=0), strict=True)):
        if least >= SLICE and least * rows / typical >= SLICE:
            wider = sqrt(max(1.0, typical / rows))
            now = values.get(value, 0) * typical / rows
            yield _Series(column, "slice", now, table[:, place], 1 / sqrt(least), wider, value)


def _apart(profile: Profile, history: Sequence[Profile]) -> Iterator[_Series]:
    """The share in which a column is missing without the one that it is most often missing with.

    Columns that are always missing together may be missing for a reason: reports on an event that was called off are.
    """
    alike = [p for p in history if p.columns == profile.columns]
    if len(alike) < ENOUGH:
        return
    table = np.array([p.apart for p in alike])
    most = np.max(np.nan_to_num(table), axis=0) + np.eye(len(profile.columns))
    own = np.median([[p.stats.get((c, "missing"), 0.0) for c in p.columns] for p in alike], axis=0)
    rows = float(np.median([p.rows for p in alike]))
    for i, column in enumerate(profile.columns):
        j = int(most[i].argmin())
        if own[i] > 0 and most[i, j] < own[i]:
            before = [p.apart[i, j] if p.columns == profile.columns else np.nan for p in history]
            yield _Series(
                column, "apart", float(profile.apart[i, j]), before, 0.5 / sqrt(rows), other=profile.columns[j]
            )


def _pairs(profile: Profile, history: Sequence[Profile]) -> Iterator[_Series]:
    """The rank correlations of the pairs that were most strongly related."""
    alike = [p for p in history if p.ranked == profile.ranked]
    if len(alike) < ENOUGH:
        return
    upper = np.triu_indices(len(profile.ranked), 1)
    table = np.array([p.order[upper] for p in alike])
    there = np.sum(~np.isnan(table), axis=0) >= ENOUGH
    usual = np.where(there, np.nanmedian(np.where(there, table, 0.0), axis=0), 0.0)
    related = {(i, j): -abs(u) for i, j, u in zip(*upper, usual, strict=True) if abs(u) >= RELATED}
    pairs = [pair for pair in related if not np.isnan(profile.order[pair])]
    rows = float(np.median([p.rows for p in history]))
    for i, j in sorted(pairs, key=related.__getitem__)[:PAIRS]:
        before = [p.order[i, j] if p.ranked == profile.ranked else np.nan for p in history]
        one, other = profile.ranked[i], profile.ranked[j]
        yield _Series(one, "order", float(profile.order[i, j]), before, 1 / sqrt(rows) + RELATION, other=other)


def _swaps(profile: Profile, history: Sequence[Profile], labels: Container[str]) -> Iterator[_Series]:
    """How much two columns that lie alike differ as if each were the other: -1 as usual, 1 where they are."""
    numbers = [
        c for c in profile.quantiles
        if c not in labels and all(len(set(p.quantiles.get(c, ()))) > 2 for p in (profile, history[-1]))
    ]  # fmt: skip
    for likeness in likenesses(profile, history, numbers):
        yield _Series(likeness.one, "swap", -likeness.now, -likeness.before, likeness.noise, other=likeness.other)
