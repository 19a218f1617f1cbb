"""What the first draft is made of: which columns are features, what the baseline goes by, whom slices protect."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from homeostat.scaffold.audit.predictive_power import power
from homeostat.scaffold.draft.ratios import paying
from homeostat.scaffold.profile.batch_period import DAY
from homeostat.scaffold.profile.identifiers import ascii_name, quoted
from homeostat.scaffold.profile.profile_table import ROW_ID, is_identifier_name

if TYPE_CHECKING:
    from homeostat.scaffold.audit.label_leakage import Leaks
    from homeostat.scaffold.profile.profile_table import Column, Understanding

CATEGORIES = 500  # of a column that a model sees as they are
THINGS = 20_000  # that trailing rates are kept of, at most
BASELINE = 60  # values of a column that the baseline may go by
PER_VALUE = 30  # rows of a value that the baseline goes by, on average
SLICE = 12
PROTECTED = re.compile(r"(^|[^a-z])(sex|gender|race|ethnic|age|region|country|state|city|segment|type|class|channel|"
                       r"category|group|store|shop|site|plant|product|rac\dp)($|[^a-z])")  # fmt: skip


@dataclass(frozen=True)
class Choices:
    """Columns by what is done with them."""

    objective: str
    given: tuple[str, ...]  # known when an event is asked about
    outcome: tuple[str, ...]  # known with the label
    numbers: tuple[str, ...]
    flags: tuple[str, ...]
    words: tuple[str, ...]
    codes: tuple[str, ...]  # numbers that only name something
    times: tuple[str, ...]
    identifiers: tuple[str, ...]
    constant: tuple[str, ...]
    wordy: tuple[str, ...]  # too many different words to learn from
    things: tuple[str, ...]  # whose labels so far are followed
    ratios: tuple[tuple[str, str], ...]  # of two numbers, where they pay
    moving: tuple[str, ...]  # numbers of a series whose change is a feature
    baseline: tuple[str, ...]
    slices: tuple[str, ...]
    short: timedelta  # trailing windows
    long: timedelta


def choose(found: Understanding, leaks: Leaks, rows: pl.DataFrame) -> Choices:
    """Sort the columns. ``rows`` are labelled, in order of time."""
    aside = {found.label.column, found.known_at, *leaks.barred}
    outcome = [c.name for c in found.table.columns if c.name in aside]
    given = [c for c in found.table.columns if c.name not in aside]
    group = [c.name for c in given if quoted(c.name) == found.label.group]  # the same for all that are compared
    asked = [c for c in given if c.name not in (found.time_column, ROW_ID, *group)]
    constant = [c for c in asked if c.distinct <= 1]
    identifiers = [c for c in asked if c not in constant and _is_identifier(c, found)]
    left = [c for c in asked if c not in constant and c not in identifiers]
    y = rows["__y"].to_numpy().astype(float)
    codes = [c for c in left if c.kind == "integer" and _is_code(c, rows, y, found.label.task, leaks)]
    words = [c for c in left if c.kind == "string" and c.distinct <= CATEGORIES]
    wordy = [c for c in left if c.kind == "string" and c.distinct > CATEGORIES]
    numbers = [c for c in left if c.kind in ("integer", "float") and c not in codes]
    flags = [c for c in left if c.kind == "boolean"]
    times = [c for c in left if c.kind == "time" and _moves(c, rows)]
    short, long = _windows(found)
    entity = [k for k in found.table.key if found.series and k != found.time_column]
    return Choices(
        objective=ascii_name(found.label.column, "label"),
        given=_names(given), outcome=tuple(outcome), numbers=_names(numbers), flags=_names(flags), words=_names(words),
        codes=_names(codes), times=_names(times), identifiers=_names(identifiers), constant=_names(constant),
        wordy=_names(wordy), things=tuple(entity) or _things(found, [*words, *codes, *wordy], rows, y, leaks),
        ratios=paying(numbers, rows, y, found.label.task, leaks.powers),
        moving=_moving(found, numbers, leaks), baseline=_baseline(found, [*words, *codes, *flags, *numbers], rows, y),
        slices=_slices(found, [*words, *flags, *numbers], rows, leaks), short=short, long=long,
    )  # fmt: skip


def _names(columns: Sequence[Column]) -> tuple[str, ...]:
    return tuple(c.name for c in columns)


def _is_identifier(column: Column, found: Understanding) -> bool:
    """A name of a row, which says nothing about the next."""
    if column.kind not in ("integer", "string") or (found.series and column.name in found.table.key):
        return False
    there = max(column.rows - column.absent, 1)
    if column.name in found.table.key and len(found.table.key) == 1:
        return True
    if column.distinct > 0.9 * there:
        return column.kind == "string" or is_identifier_name(column.raw) or _counts_up(column)
    return column.distinct > 0.2 * there and (is_identifier_name(column.raw) or column.kind == "string")


def _counts_up(column: Column) -> bool:
    """Whole numbers without gaps, as a database gives rows."""
    if column.low is None or column.high is None:
        return False
    return 0.9 * column.distinct <= float(column.high) - float(column.low) + 1 <= 1.5 * column.distinct


def _is_code(column: Column, rows: pl.DataFrame, y: np.ndarray, task: str, leaks: Leaks) -> bool:
    """A number that names a thing: its values tell more than their order does."""
    if not 24 < column.distinct <= THINGS or column.distinct > column.rows / 20:
        return False
    if float(rows[column.name].value_counts()["count"].max() or 0) > 0.4 * rows.height:  # type: ignore[arg-type]
        return False  # a count that is mostly nought
    by_name = power(rows[column.name].cast(pl.String), y, task)
    return by_name > leaks.powers.get(column.name, 0.0) + 0.05


def _moves(column: Column, rows: pl.DataFrame) -> bool:
    gap = (rows[column.name] - rows["__t"]).dt.total_days()
    return gap.n_unique() > 3


def _windows(found: Understanding) -> tuple[timedelta, timedelta]:
    """How far back trailing figures look: a short and a long while for this rhythm."""
    if found.series and found.step is not None and found.step < DAY:
        return DAY, 7 * DAY
    if found.rhythm.period <= timedelta(hours=1):
        return timedelta(hours=6), DAY
    if found.rhythm.period <= 7 * DAY:
        return 7 * DAY, 28 * DAY
    if found.rhythm.period <= 91 * DAY:
        return 91 * DAY, 364 * DAY
    return 366 * DAY, 2 * 366 * DAY


def _things(
    found: Understanding, columns: Sequence[Column], rows: pl.DataFrame, y: np.ndarray, leaks: Leaks
) -> tuple[str, ...]:
    """Up to three columns whose values recur and whose labels differ."""
    told = []
    for column in columns:
        if 3 <= column.distinct <= min(THINGS, column.rows / 10) and column.name not in leaks.allowed:
            strength = power(rows[column.name].cast(pl.String), y, found.label.task)
            if strength > 0.03:
                told.append((strength, column.name))
    return tuple(name for _, name in sorted(told, reverse=True)[:3])


def _moving(found: Understanding, numbers: Sequence[Column], leaks: Leaks) -> tuple[str, ...]:
    if not found.series:
        return ()
    changing = [c for c in numbers if c.distinct > 24]
    return _names(sorted(changing, key=lambda c: -leaks.powers.get(c.name, 0.0))[:5])


def _baseline(found: Understanding, columns: Sequence[Column], rows: pl.DataFrame, y: np.ndarray) -> tuple[str, ...]:
    """Up to two columns with few values whose mean label tells the most, together."""
    few = [c for c in columns if 2 <= c.distinct <= min(BASELINE, rows.height / PER_VALUE)]
    chosen: list[str] = []
    best = 0.0
    for _ in range(2):
        tried = []
        for column in few:
            if column.name not in chosen:
                texts = [pl.col(n).cast(pl.String).fill_null("-") for n in [*chosen, column.name]]
                both = rows.select(pl.concat_str(texts, separator="|"))
                tried.append((power(both.to_series(), y, found.label.task), column.name))
        if not tried or max(tried)[0] <= best + 0.01:
            break
        best, name = max(tried)
        chosen.append(name)
    return tuple(chosen)


def _slices(found: Understanding, columns: Sequence[Column], rows: pl.DataFrame, leaks: Leaks) -> tuple[str, ...]:
    """Up to three columns that split the events into few groups, people's groups first."""
    usable = []
    for column in columns:
        if not 2 <= column.distinct <= SLICE or column.kind == "float":
            continue
        largest = rows[column.name].value_counts()["count"].max()
        if float(largest) / rows.height < 0.97 and _recurs(rows[column.name]):  # type: ignore[arg-type]
            usable.append(column)
    usable.sort(key=lambda c: (not PROTECTED.search(c.raw.lower()), -leaks.powers.get(c.name, 0.0)))
    wanted = [c for c in usable if PROTECTED.search(c.raw.lower())][:3] or usable[:2]
    return _names(wanted)


def _recurs(values: pl.Series) -> bool:
    """Whether groups are there early and late: a year is no group of anybody."""
    third = max(1, len(values) // 3)
    early, late = values.head(third).drop_nulls().unique(), values.tail(third).drop_nulls().unique()
    return len(set(early) & set(late)) >= 2
