"""Columns that change over the history: begin or stop, change their unit, change their category codes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from homeostat.scaffold.audit.issue import Issue
from homeostat.scaffold.audit.predictive_power import Array
from homeostat.scaffold.audit.time_bins import TimeBins
from homeostat.scaffold.profile.table import Column

UNITS = {
    2.54: "inches and centimetres", 1.609: "miles and kilometres", 2.2046: "kilograms and pounds",
    1000.0: "a factor of a thousand",
    100.0: "a factor of a hundred, as cents or per cent", 60.0: "minutes and seconds", 3600.0: "hours and seconds",
    3.2808: "metres and feet", 0.3048: "feet and metres", 4.546: "gallons and litres", 24.0: "days and hours",
    10.0: "a factor of ten", 12.0: "years and months", 1e6: "a factor of a million",
}  # fmt: skip
JUMP = 1.7  # factor from which a step is another unit
AGREED = 0.9  # share of the bins on either side that agree with a step
BINS = 8  # least of a history that changes are sought in
CATEGORIES = 200  # distinct words of a column whose codes may change


def change_issues(column: Column, bins: TimeBins, is_label: bool, is_number: bool) -> Iterator[Issue]:
    """Changes of one column over the history."""
    if len(bins.starts) < BINS:
        return
    counts_time = column.numeric and _counts_time(bins.medians(column.name))
    if not is_label and not counts_time:
        yield from _begins_or_stops(column, bins)
    if is_number and not counts_time:
        yield from _unit_change(column, bins)
    if column.kind == "string" and column.distinct <= CATEGORIES:
        yield from _code_change(column, bins)


def _counts_time(medians: Array) -> bool:
    """Whether it moves in one direction, as a year, a counter or an index does."""
    finite = medians[np.isfinite(medians)]
    if len(finite) < 4 or len(np.unique(finite)) < 3:
        return False
    _, ranks = np.unique(finite, return_inverse=True)
    return bool(abs(np.corrcoef(ranks, np.arange(len(finite)))[0, 1]) > 0.85)


def _begins_or_stops(column: Column, bins: TimeBins) -> Iterator[Issue]:
    """Constant or empty for a long time, then not; or the other way round."""
    parts, raw = bins.parts(column.name), column.raw
    empty = [p.null_count() > 0.98 * len(p) for p in parts]
    constant = [p.drop_nulls().n_unique() <= 1 for p in parts]
    for flags, state in ((empty, "empty"), (constant, "constant")):
        first = next((n for n, flag in enumerate(flags) if not flag), len(flags))
        end = len(flags) - next((n for n, flag in enumerate(reversed(flags)) if not flag), len(flags))
        if state == "empty":
            chart, title = bins.chart([p.null_count() / len(p) for p in parts]), f"share of {raw} that is missing"
        else:
            chart, title = bins.chart([float(p.n_unique()) for p in parts]), f"distinct values of {raw}"
        if 3 <= first < len(flags) and sum(flags[first:]) <= 0.1 * len(flags[first:]):
            text = f"{raw} is {state} until {bins.starts[first]:%Y-%m-%d} and varies from then on"
            fix = f"train only on the rows since then: windows.train, or leave {raw} out of the first releases"
            yield Issue("column begins late", column.name, text, fix, 0.97, 66, chart=chart, chart_title=title)
            return
        if 3 <= len(flags) - end < len(flags) and sum(flags[:end]) <= 0.1 * end:
            text = f"{raw} is {state} since {bins.starts[end]:%Y-%m-%d}"
            fix = f"ask whoever delivers it; until then homeostat new ... --drop {raw!r}"
            yield Issue("column stopped", column.name, text, fix, 0.97, 72, chart=chart, chart_title=title)
            return


def _unit_change(column: Column, bins: TimeBins) -> Iterator[Issue]:
    """One day from which on all values are multiplied by a factor."""
    medians = bins.medians(column.name)
    medians[medians == 0] = np.nan
    split = _split(medians)
    if split is None:
        return
    before, after = np.nanmedian(medians[:split]), np.nanmedian(medians[split:])
    ratio = after / before
    factor = max(ratio, 1 / ratio)
    unit = next((name for f, name in UNITS.items() if abs(factor / f - 1) < 0.07), None)
    text = f"{column.raw} is {ratio:.3g} times as large from {bins.starts[split]:%Y-%m-%d} on "
    text += f"({before:.4g}, then {after:.4g}){f': {unit}?' if unit else ''}"
    fix = (
        f"bring it to one unit in sources.read of params.yaml, e.g. CASE WHEN ... THEN {column.name} / {ratio:.4g} "
        f"ELSE {column.name} END"
    )
    yield Issue("unit change", column.name, text, fix, 0.9 if unit else 0.7, 75,
                chart=bins.chart(medians), chart_title=f"median of {column.raw}")  # fmt: skip


def _split(medians: Array) -> int | None:
    """Where a jump divides the bins in two groups that hardly overlap; None if there is none."""
    if np.isnan(medians).mean() > 0.2 or (medians <= 0).any() and (medians >= 0).any():
        return None
    size = np.abs(medians)
    best, at = 0.0, 0
    for n in range(3, len(size) - 2):
        before, after = np.nanmedian(size[:n]), np.nanmedian(size[n:])
        if not before or not after:
            continue
        step = abs(np.log(after / before))
        middle = np.sqrt(before * after)
        low, high = (size[:n], size[n:]) if before < after else (size[n:], size[:n])
        agreed = min(float((low < middle).mean()), float((high > middle).mean()))
        scatter = max(_scatter(size[:n]), _scatter(size[n:]))
        sudden = _log_ratio(size[n - 2 : n], size[n : n + 2]) > 0.7 * step
        if step > max(np.log(JUMP), 3 * scatter, best) and sudden and agreed >= AGREED:
            best, at = float(step), n
    return at or None


def _log_ratio(before: Array, after: Array) -> float:
    """How far apart two neighbouring stretches are, as a logarithm; 0 where one has no value."""
    sides = [side[np.isfinite(side)] for side in (before, after)]
    if not all(len(side) and side.all() for side in sides):
        return 0.0
    return float(abs(np.log(sides[1].mean() / sides[0].mean())))


def _scatter(values: Array) -> float:
    """How much positive numbers differ from one another, as a logarithm."""
    positive = values[np.isfinite(values) & (values > 0)]
    return float(np.quantile(np.abs(np.log(positive / np.median(positive))), 0.75)) if len(positive) else 0.0


def _code_change(column: Column, bins: TimeBins) -> Iterator[Issue]:
    """One day from which on other words stand for the same."""
    parts = bins.parts(column.name)
    words = bins.rows[column.name].drop_nulls().unique().sort().to_list()
    place = {word: n for n, word in enumerate(words)}
    shares = np.zeros((len(parts), len(words)))
    for n, part in enumerate(parts):
        for word, count in part.drop_nulls().value_counts().rows():
            shares[n, place[word]] = count / max(len(part), 1)
    steps = np.abs(np.diff(shares, axis=0)).sum(axis=1) / 2
    at = int(np.argmax(steps)) + 1
    if at < 3 or at > len(parts) - 3:
        return
    before, after = shares[:at].mean(axis=0), shares[at:].mean(axis=0)
    moved = float(np.abs(before - after).sum() / 2)
    new = [n for n in np.argsort(before - after)[:3] if before[n] < 0.01 < after[n]]
    old = [n for n in np.argsort(after - before)[:3] if after[n] < 0.01 < before[n]]
    if steps[at - 1] > 0.5 and moved > 0.5 and float(np.median(steps)) < 0.15 and new:
        came, gone = (", ".join(repr(words[n]) for n in places) for places in (new, old))
        text = f"the codes of {column.raw} change on {bins.starts[at]:%Y-%m-%d}: {came} begin"
        text += f" and {gone} end" if old else ""
        fix = f"bring it to one coding in sources.read of params.yaml: CASE {column.name} WHEN ... END"
        yield Issue("category codes change", column.name, text, fix, 0.9, 74,
                    chart=bins.chart(list(shares[:, new].sum(axis=1))),
                    chart_title=f"share of rows with {', '.join(str(words[n]) for n in new)}")  # fmt: skip
