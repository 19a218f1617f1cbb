"""The choices of a first draft: entities, ratios and moving numbers for features, the baseline's columns, slices."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from homeostat.scaffold.audit.column_roles import ENTITIES, Roles
from homeostat.scaffold.audit.issue import Issue
from homeostat.scaffold.audit.label_components import derived_labels
from homeostat.scaffold.audit.label_leakage import Leakage
from homeostat.scaffold.audit.predictive_power import Array, predictive_power
from homeostat.scaffold.draft.ratios import predictive_ratios
from homeostat.scaffold.profile.batch_period import DAY, HOUR
from homeostat.scaffold.profile.identifiers import ascii_name
from homeostat.scaffold.profile.profile_table import Profile
from homeostat.scaffold.profile.table import Column
from homeostat.scaffold.profile.workspace import Workspace

BASELINE = 60  # distinct values of a column that the baseline may go by
PER_VALUE = 30  # rows of a value that the baseline goes by, on average
SLICE = 12
PROTECTED = re.compile(r"(^|[^a-z])(sex|gender|race|ethnic|age|region|country|state|city|segment|type|class|channel|"
                       r"category|group|store|shop|site|plant|product|rac\dp)($|[^a-z])")  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """``issues`` are those of numbers whose movement is the label, which ``moving`` therefore lacks."""

    objective: str
    entities: tuple[str, ...]  # whose labels so far are features
    ratios: tuple[tuple[str, str], ...]
    moving: tuple[str, ...]  # numbers of a series whose change is a feature
    baseline: tuple[str, ...]
    slices: tuple[str, ...]
    short: timedelta  # trailing windows
    long: timedelta
    issues: tuple[Issue, ...]


def make_plan(work: Workspace, profile: Profile, leakage: Leakage, roles: Roles, rows: pl.DataFrame) -> Plan:
    """Choose by predictive power. ``rows`` are labelled, in order of time."""
    numbers, flags, words, codes, wordy = (
        [profile.table.column(name) for name in names]
        for names in (roles.numbers, roles.flags, roles.words, roles.codes, roles.wordy)
    )
    y = rows["__y"].to_numpy().astype(float)
    short, long = _windows(profile)
    moving = _moving(profile, numbers, leakage)
    derived = derived_labels(work, profile, moving, short)
    return Plan(
        objective=ascii_name(profile.label.column, "label"),
        entities=profile.entities or _entities(profile, [*words, *codes, *wordy], rows, y, leakage),
        ratios=predictive_ratios(numbers, rows, y, profile.label.task, leakage.powers),
        moving=tuple(m for m in moving if m not in {i.column for i in derived}),
        baseline=_baseline(profile, _sure([*words, *codes, *flags, *numbers], leakage), rows, y),
        slices=_slices(_sure([*words, *flags, *numbers], leakage), rows, leakage),
        short=short,
        long=long,
        issues=derived,
    )


def _sure(columns: Sequence[Column], leakage: Leakage) -> list[Column]:
    """Those that are surely known in time."""
    return [c for c in columns if c.name not in leakage.suspects]


def _windows(profile: Profile) -> tuple[timedelta, timedelta]:
    """Lengths of trailing windows for this rhythm: a short and a long one."""
    if profile.series and profile.time.step is not None and profile.time.step < DAY:
        return DAY, 7 * DAY
    if profile.rhythm.period <= HOUR:
        return 6 * HOUR, DAY
    if profile.rhythm.period <= 7 * DAY:
        return 7 * DAY, 28 * DAY
    if profile.rhythm.period <= 91 * DAY:
        return 91 * DAY, 364 * DAY
    return 366 * DAY, 2 * 366 * DAY


def _entities(
    profile: Profile, columns: Sequence[Column], rows: pl.DataFrame, y: Array, leakage: Leakage
) -> tuple[str, ...]:
    """Up to three columns whose values recur and whose labels differ."""
    powers = [
        (predictive_power(rows[column.name].cast(pl.String), y, profile.label.task), column.name)
        for column in columns
        if 3 <= column.distinct <= min(ENTITIES, column.rows / 10) and column.name not in leakage.allowed
    ]
    return tuple(name for power, name in sorted(powers, reverse=True)[:3] if power > 0.03)


def _moving(profile: Profile, numbers: Sequence[Column], leakage: Leakage) -> tuple[str, ...]:
    if not profile.series:
        return ()
    varied = [c.name for c in numbers if c.distinct > 24]
    return tuple(sorted(varied, key=lambda name: -leakage.powers.get(name, 0.0))[:5])


def _baseline(profile: Profile, columns: Sequence[Column], rows: pl.DataFrame, y: Array) -> tuple[str, ...]:
    """Up to two columns with few values whose mean label predicts most, together."""
    few = [c.name for c in columns if 2 <= c.distinct <= min(BASELINE, rows.height / PER_VALUE)]
    chosen: list[str] = []
    best = 0.0
    for _ in range(2):
        powers = []
        for name in few:
            if name not in chosen:
                texts = [pl.col(n).cast(pl.String).fill_null("-") for n in [*chosen, name]]
                together = rows.select(pl.concat_str(texts, separator="|")).to_series()
                powers.append((predictive_power(together, y, profile.label.task), name))
        if not powers or max(powers)[0] <= best + 0.01:
            break
        best, name = max(powers)
        chosen.append(name)
    return tuple(chosen)


def _slices(columns: Sequence[Column], rows: pl.DataFrame, leakage: Leakage) -> tuple[str, ...]:
    """Up to three columns that split the events into few groups, people's groups first."""
    usable = []
    for column in columns:
        if not 2 <= column.distinct <= SLICE or column.kind == "float":
            continue
        largest = rows[column.name].value_counts()["count"].max()
        if float(largest) / rows.height < 0.97 and _recurs(rows[column.name]):  # type: ignore[arg-type]
            usable.append(column)
    usable.sort(key=lambda c: (not PROTECTED.search(c.raw.lower()), -leakage.powers.get(c.name, 0.0)))
    protected = [c for c in usable if PROTECTED.search(c.raw.lower())][:3]
    return tuple(c.name for c in protected or usable[:2])


def _recurs(values: pl.Series) -> bool:
    """Whether groups are there early and late: a year is no group of events."""
    third = max(1, len(values) // 3)
    early, late = values.head(third).drop_nulls().unique(), values.tail(third).drop_nulls().unique()
    return len(set(early) & set(late)) >= 2
