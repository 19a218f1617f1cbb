"""Two numbers that give the label together: by a sum, a difference, a product or a ratio."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import numpy as np
import polars as pl

from homeostat.scaffold.audit.candidates import Candidates
from homeostat.scaffold.audit.issue import Issue, leak
from homeostat.scaffold.audit.late_columns import AFTER, name_words
from homeostat.scaffold.audit.linear_sums import find_sums, last_digit
from homeostat.scaffold.audit.predictive_power import Array, auc

ROWS = 4000  # that pairs are tried on
TRIED = 24  # columns that are tried in pairs
SIDES = 0.995  # twice the AUC less one, from which two columns give a binary label
ALONE = 0.9  # the same of one of them, from which the other is not needed
HOLDS = 0.98  # share of the rows in which an equation has to hold
ROUNDING = 0.02  # of the label's spread, from which what rounding explains says nothing
KIND = "component of the label"


def two_columns(candidates: Candidates, apart: set[str]) -> Iterator[Issue]:
    """The pair that gives the label, of columns that are not in ``apart``: the later of the two is a leak."""
    task, rows, y = candidates.profile.label.task, candidates.rows, candidates.y
    if task == "ranking":
        return
    columns = [c for c in candidates.columns if c.kind in ("integer", "float") and c.distinct > 2]
    at = np.linspace(0, len(y) - 1, min(len(y), ROWS)).astype(int)
    numbers = {c.name: rows[c.name].cast(pl.Float64).to_numpy()[at] for c in columns if c.name not in apart}
    powers = candidates.powers
    likely = sorted(numbers, key=lambda name: -powers[name])[:TRIED]
    digits = {name: _rounded_to(values) for name, values in numbers.items()}
    for one, two in itertools.combinations(likely, 2):
        if task == "binary" and max(powers[one], powers[two]) >= ALONE:
            continue
        for shown, values, inexact in _arithmetic(one, two, numbers, digits):
            how = _gives_number(values, y[at], inexact) if task == "regression" else _gives_class(values, y[at])
            if how is not None:
                yield _issue(candidates, (one, two), f"{shown}{how}")
                return


def _rounded_to(values: Array) -> float:
    """Half the last digit of numbers with decimals, by which each may be off; whole ones are exact."""
    digit = last_digit(values[np.isfinite(values)])
    return 0.51 * digit if digit < 1 else 0.0


def _arithmetic(
    one: str, two: str, numbers: Mapping[str, Array], digits: Mapping[str, float]
) -> Iterator[tuple[str, Array, Array]]:
    """What two columns give, and by how much the rounding of both lets it be off."""
    first, second, off, off_two = numbers[one], numbers[two], digits[one], digits[two]
    with np.errstate(all="ignore"):
        both = np.full(len(first), off + off_two)
        yield f"{one} - {two}", first - second, both
        ratio, back = np.abs(first / second), np.abs(second / first)
        yield f"{one} / {two}", first / second, (off + ratio * off_two) / np.abs(second)
        yield f"{two} / {one}", second / first, (off_two + back * off) / np.abs(first)
        yield f"{one} * {two}", first * second, off * np.abs(second) + off_two * np.abs(first)
        yield f"{one} + {two}", first + second, both


def _gives_number(values: Array, y: Array, inexact: Array) -> str | None:
    """By what the values are multiplied to be the label but for rounding, in nearly all rows; None if nothing does."""
    finite = np.isfinite(values) & (np.abs(values) < 1e300)
    if finite.mean() < 0.5 or y.std() == 0:
        return None
    values, y, inexact = values[finite], y[finite], inexact[finite]
    some = (values != 0) & (y != 0)
    if some.sum() < 50 or values.std() == 0:
        return None
    large = np.argsort(-np.abs(y[some]))[:50]  # whose rounding matters least
    factor = float(np.median(y[some][large] / values[some][large]))
    digit, spread = last_digit(y), float(y.std())
    least = max(1e-6 * spread, 0.51 * digit if digit < 0.1 * spread else 0.0)
    factor = _round_factor(factor)
    inexact = np.abs(factor) * inexact
    allowed = least + np.where(inexact < ROUNDING * spread, inexact, 0.0)
    if float((np.abs(y - factor * values) <= allowed + 1e-9 * np.abs(y)).mean()) < HOLDS:
        return None
    return "" if factor == 1 else f" times {factor:.6g}"


def _round_factor(factor: float) -> float:
    """The same, or the plain number that it is but for rounding."""
    for digits in (1, 2, 3):
        plain = float(f"{factor:.{digits}g}")
        if abs(plain - factor) <= 1e-3 * abs(factor):
            return plain
    return factor


def _gives_class(values: Array, y: Array) -> str | None:
    finite = np.isfinite(values)
    if finite.mean() < 0.9 or not 20 <= (y[finite] > 0.5).sum() <= finite.sum() - 20:
        return None
    power = abs(2 * auc(y[finite], values[finite]) - 1)
    return f" (AUC {0.5 + power / 2:.3f})" if power >= SIDES else None


def _issue(candidates: Candidates, pair: tuple[str, str], shown: str) -> Issue:
    table, label = candidates.profile.table, candidates.profile.label.column
    later = max(pair, key=lambda name: (name_words(name) & AFTER != set(), candidates.powers[name]))
    other = pair[0] if later == pair[1] else pair[1]
    verb = "is" if candidates.profile.label.task == "regression" else "decides"
    text = (
        f"{table.column(later).raw} is a part of the label: {shown} {verb} {label}, so it is known with it; "
        f"{table.column(other).raw} stays: is it known before?"
    )
    return leak(KIND, later, text, 0.9, 97)


def totals(candidates: Candidates, barred: set[str]) -> Iterator[Issue]:
    """Columns that less another, or two others, are one that leaks: a total less the fare is the tip."""
    numbers = {
        c.name: candidates.rows[c.name].cast(pl.Float64).to_numpy()
        for c in candidates.columns
        if c.kind in ("integer", "float") and c.distinct > 2
    }
    kept = {name: values for name, values in numbers.items() if name not in barred}
    for name in sorted(barred & numbers.keys()):
        for total in find_sums(kept, numbers[name])[:1]:
            part = max(total.weights, key=lambda n: total.weights[n])
            raw, elder = (candidates.profile.table.column(n).raw for n in (part, name))
            text = f"{raw} gives {elder} away, which leaks the label: {total} is {name}"
            yield leak("sibling of a leak", part, text, 0.9, 90)
            kept.pop(part)
