"""Columns that the label is computed from: by addition, or by the distance from a trailing mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

import polars as pl

from homeostat.scaffold.audit.candidates import Candidates
from homeostat.scaffold.audit.issue import Issue, leak
from homeostat.scaffold.audit.linear_sums import find_sums
from homeostat.scaffold.audit.predictive_power import predictive_power
from homeostat.scaffold.profile.identifiers import quoted
from homeostat.scaffold.profile.profile_table import Profile
from homeostat.scaffold.profile.workspace import Workspace

KIND = "component of the label"
DERIVED = 0.9  # power of a number against its trailing mean
MOVES = 60_000  # rows that distances from trailing means are judged on


def components(candidates: Candidates) -> Iterator[Issue]:
    """Numbers whose weighted sum is the label."""
    if candidates.profile.label.task != "regression":
        return
    numbers = {
        column.name: candidates.rows[column.name].cast(pl.Float64).to_numpy()
        for column in candidates.columns
        if column.kind in ("integer", "float") and column.distinct > 2
    }
    label, table = candidates.profile.label.column, candidates.profile.table
    for total in find_sums(numbers, candidates.y):
        for part in total.weights:
            raw = table.column(part).raw
            text = f"{raw} is a part of the label: {total} is {label}, so it is known with it"
            if len(total.weights) == 1:
                text = f"{raw} is the label in another unit: {total} is {label}"
            yield leak(KIND, part, text, 1.0, 99)


def derived_labels(work: Workspace, profile: Profile, numbers: Sequence[str], window: timedelta) -> tuple[Issue, ...]:
    """Numbers of a series whose distance from their own mean over ``window`` is the label; that feature stays out."""
    if not numbers or not profile.series:
        return ()
    by = f"PARTITION BY {', '.join(map(quoted, profile.entities))} " if profile.entities else ""
    trailing = f"OVER ({by}ORDER BY __t RANGE INTERVAL {int(window.total_seconds())} SECOND PRECEDING)"
    moves = ", ".join(
        f"CAST({quoted(name)} AS DOUBLE) - avg({quoted(name)}) {trailing} AS m{n}" for n, name in enumerate(numbers)
    )
    every = max(1, profile.table.rows // MOVES)
    rows = work.frame(
        f"SELECT * FROM (SELECT __t, rowid AS r, {profile.label.number_sql} AS y, {moves} "
        f"FROM {profile.table.sql} WHERE __t >= TIMESTAMP '{profile.history.start}') "
        f"WHERE y IS NOT NULL AND hash(r) % {every} = 0 ORDER BY __t, r"
    )  # fmt: skip
    y = rows["y"].to_numpy().astype(float)
    powers = {name: predictive_power(rows[f"m{n}"], y, profile.label.task) for n, name in enumerate(numbers)}
    return tuple(_derived(profile, name, power) for name, power in powers.items() if power >= DERIVED)


def _derived(profile: Profile, name: str, power: float) -> Issue:
    label, raw = profile.label.column, profile.table.column(name).raw
    text = (
        f"{label} follows from {raw} less its own trailing mean (power {power:.2f}): that feature is left out; {raw} "
        f"stays: is it known before {label}?"
    )
    fix = f"if it comes with the label, move {name} to the known_at group outcome in params.yaml"
    return Issue("label derived from a column", name, text, fix, 0.85, 87)
