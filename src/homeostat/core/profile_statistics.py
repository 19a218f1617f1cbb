"""The statistics by which a batch is compared with those before: of its rows, its columns, texts, pairs and gaps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import chain
from math import sqrt
from typing import Any

import numpy as np

from homeostat.core.batch_rules import ROWS
from homeostat.core.column_swap import likenesses
from homeostat.core.profile_scales import SHARES, Series
from homeostat.core.profiles import CLOCK, ENOUGH, LEVELS, PARTS, Profile
from homeostat.core.repairs import Array

REGULAR = 0.04  # the least noise of the logarithm of the number of rows: a sensor's feed has the same every day
CONSTANT = 0.1  # share of batches with a single value from which a number is a label of the batch, not a measurement
ONE_WAY = 0.9  # share of the steps from batch to batch that go the same way, from which a number tells the time
CATEGORIES = 200  # texts in a column's history up to which each is a slice
SLICE = 5  # rows that a slice must have had in every batch, to be missed
ALWAYS = 0.9  # share of batches in which a part of the period must have had rows, to be missed
CUT = 0.06  # the least noise of the share of rows after the last, and before the first, that came
LOST = 0.128  # the least noise of the share of rows in parts that are empty, on its scale: a quarter of all is a loss
RELATION = 0.08  # the least noise of a rank correlation, of however many rows, on its scale
MOSTLY = {"same": 0.5, "run": 0.5}  # the usual share of one value from which more of it is no fault
RELATED = 0.4  # rank correlation of two columns that is watched
PAIRS = 24  # of them, the strongest
MANY = 200  # rows of a batch from which that is no chance
MEASURED = 20  # different values from which a number is a measurement rather than a code
LIKE_A_NAME = frozenset({"lower", "length"})  # judged where a column's texts are too many to be categories


def statistics(profile: Profile, history: Sequence[Profile], labels: Container[str]) -> list[Series]:
    """Every statistic of a batch that can be compared; few of those in ``labels``, which tell batches apart."""
    series = [*_rows(profile, history), *_columns(profile, history, labels), *_texts(profile, history)]
    return [*series, *_apart(profile, history), *_pairs(profile, history), *_swaps(profile, history, labels)]


def _rows(profile: Profile, history: Sequence[Profile]) -> Iterator[Series]:
    """How many rows there are, and how they and their values lie in the period."""
    sizes = [float(p.rows) for p in history]
    usual = float(np.median(sizes))
    wider = sqrt(max(1.0, usual / profile.rows))
    yield Series(ROWS, "rows", float(profile.rows), sizes, REGULAR)
    yield Series(ROWS, "copies", profile.copies, [p.copies for p in history], 0.5 / sqrt(usual), wider)
    table = np.array([p.clock / max(p.rows, 1) for p in (profile, *history)])
    moved = 0.5 * np.abs(table - table[1:].mean(axis=0)).sum(axis=1)
    yield Series(CLOCK, "clock", float(moved[0]), moved[1:].tolist(), 0.5 / sqrt(usual), wider)
    yield from _parts(profile, history, max(sizes))
    empty, cut = _lost(profile, history)
    yield Series(CLOCK, "lost", empty[0], empty[1:], LOST)
    if usual >= MANY:
        yield Series(CLOCK, "cut", cut[0], cut[1:], CUT)
    fits = shift_fits(profile, history)
    gains = fits.max(axis=1) - fits[:, 0]
    yield Series(CLOCK, "shift", float(gains[0]), gains[1:].tolist(), 0.5 / sqrt(usual), wider)


def _parts(profile: Profile, history: Sequence[Profile], most: float) -> Iterator[Series]:
    """The rows of each part of the period that had some in every batch."""
    counts = np.array([p.clock for p in history])
    for part in np.flatnonzero(counts.min(axis=0) >= SLICE):
        least = counts[:, part].min()
        if least * profile.rows / most >= SLICE:
            yield Series(CLOCK, "slice", float(profile.clock[part]), counts[:, part].tolist(), 1 / sqrt(least),
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


def _columns(profile: Profile, history: Sequence[Profile], labels: Container[str]) -> Iterator[Series]:
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
        value, (noise, wider) = profile.stats[column, statistic], errors.of(column, statistic)
        if statistic == "distinct":
            if not np.nanmedian(before) >= MEASURED:
                continue
            every = np.array([value, *before]) * errors.fewer(column)
            value, before = float(every[0]), every[1:]
        yield Series(column, statistic, value, before, noise, wider)


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
        self._filled = filled

    def fewer(self, column: str) -> Array:
        """(1 + K,) what makes a number of different values in this batch, and in each before, one of as many values.

        More values hold more different ones, and less than in proportion: it goes by the root.
        """
        place = self._columns.index(column)
        fewer: Array = np.sqrt(self._values[place] / np.maximum(self._filled[:, place], 1.0))
        return fewer

    def of(self, column: str, statistic: str) -> tuple[float, float]:
        """The usual standard error of a statistic, and by how much fewer values widen its limits now."""
        place = self._columns.index(column)
        values, wider = float(self._values[place]), float(self._wider[place])
        if statistic == "missing":
            return 0.5 / sqrt(self._rows), wider
        if statistic in SHARES:
            return 0.5 / sqrt(values), wider
        return (float(self._spread[place]) if statistic in LEVELS else 1.0) / sqrt(values), wider


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


def _texts(profile: Profile, history: Sequence[Profile]) -> Iterator[Series]:
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
        yield Series(column, "new", now, shares, 1 / sqrt(rows))
        if values and len(batches) <= CATEGORIES:
            yield _mix(column, values, before, rows)
            yield from _slices(column, values, before, batches, profile.rows, history)


def _part(counts: Mapping[str, int], of: Any) -> float:
    return float(sum(counts[value] for value in of)) / sum(counts.values())


def _mix(column: str, values: Mapping[str, int], before: Sequence[Mapping[str, int]], rows: float) -> Series:
    """How far the shares of the categories lie from those of the history, in total variation."""
    names = sorted(set(values).union(*before))
    table = np.array([[counts.get(n, 0) for n in names] for counts in (values, *before)], dtype=float)
    sums = table.sum(axis=1, keepdims=True)
    shares = np.divide(table, sums, out=np.full_like(table, np.nan), where=sums > 0)
    moved = 0.5 * np.abs(shares - np.nanmean(shares[1:], axis=0)).sum(axis=1)
    return Series(column, "mix", float(moved[0]), moved[1:].tolist(), 0.5 / sqrt(rows))


def _slices(
    column: str, values: Mapping[str, int], before: Sequence[Mapping[str, int]], batches: Mapping[str, int],
    rows: int, history: Sequence[Profile],
) -> Iterator[Series]:  # fmt: skip
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
            yield Series(column, "slice", now, table[:, place], 1 / sqrt(least), wider, value)


def _apart(profile: Profile, history: Sequence[Profile]) -> Iterator[Series]:
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
            yield Series(
                column, "apart", float(profile.apart[i, j]), before, 0.5 / sqrt(rows), other=profile.columns[j]
            )


def _pairs(profile: Profile, history: Sequence[Profile]) -> Iterator[Series]:
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
        yield Series(one, "order", float(profile.order[i, j]), before, 1 / sqrt(rows) + RELATION, other=other)


def _swaps(profile: Profile, history: Sequence[Profile], labels: Container[str]) -> Iterator[Series]:
    """How much two columns that lie alike differ as if each were the other: -1 as usual, 1 where they are."""
    numbers = [
        c for c in profile.quantiles
        if c not in labels and all(len(set(p.quantiles.get(c, ()))) > 2 for p in (profile, history[-1]))
    ]  # fmt: skip
    for likeness in likenesses(profile, history, numbers):
        yield Series(likeness.one, "swap", -likeness.now, -likeness.before, likeness.noise, other=likeness.other)
