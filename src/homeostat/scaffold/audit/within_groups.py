"""Columns that order the rows of a group as the label does: the first place, the winner, the significance of a test."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from homeostat.scaffold.audit.candidates import Candidates
from homeostat.scaffold.audit.issue import Issue, leak
from homeostat.scaffold.audit.predictive_power import Array
from homeostat.scaffold.profile.identifiers import is_identifier_name
from homeostat.scaffold.profile.table import Column

AGREE = 0.97  # share of the pairs in a group that a column orders as the label, from which it is written with it
TELLS = 0.1  # share of those pairs that it tells apart
PAIRS = 400  # least of them
ROWS = 60_000  # that groups are taken from
SIZE = (1.8, 100)  # rows of a usual group
FIRST = 0.85  # the same of a flag that one row of a group has at most
LEAST = 50  # groups, where the label is no ranking
NAMED = 0.95  # share of the groups whose best row a column names
GROUPS = 4  # columns that are tried as the group, where the label is no ranking


def within_groups(candidates: Candidates) -> Iterator[Issue]:
    """Columns that order the rows of their group as the label does, or that name the best one."""
    for group in _groups(candidates):
        rows = candidates.rows.with_columns(__y=pl.Series(candidates.y)).head(ROWS)
        rows = rows.filter(pl.col(group.name).is_not_null() & (pl.len().over(group.name) > 1)).sort(group.name)
        if rows.height < PAIRS:
            continue
        first, second = _pairs(rows, group)
        for column in candidates.columns:
            if column.name == group.name:
                continue
            if column.numeric:
                yield from _ordered(candidates, column, group, rows, first, second)
            elif column.kind == "string" and column.distinct > 1:
                yield from _named(candidates, column, group, rows)


def _groups(candidates: Candidates) -> list[Column]:
    """The column that a ranking is within; elsewhere those that put a few rows together."""
    profile = candidates.profile
    if profile.label.group is not None:
        named = profile.label.group.strip('"')
        return [c for c in profile.table.columns if c.name == named and c.name in candidates.rows.columns]
    fitting = [
        c for c in candidates.columns
        if (c.kind == "string" or c.kind == "integer" and is_identifier_name(c.raw)) and not c.missing
        and c.distinct >= LEAST and SIZE[0] <= c.rows / c.distinct <= SIZE[1]
    ]  # fmt: skip
    return sorted(fitting, key=lambda c: c.distinct)[:GROUPS]


def _pairs(rows: pl.DataFrame, group: Column) -> tuple[Array, Array]:
    """Places of neighbours in the same group, whose rows stand together, up to three apart."""
    same = rows[group.name].rank("dense").to_numpy()
    places = np.arange(rows.height)
    parts = [places[:-step][same[:-step] == same[step:]] for step in (1, 2, 3)]
    return np.concatenate(parts), np.concatenate([part + n + 1 for n, part in enumerate(parts)])


def _ordered(
    candidates: Candidates, column: Column, group: Column, rows: pl.DataFrame, first: Array, second: Array
) -> Iterator[Issue]:
    y, values = rows["__y"].to_numpy(), rows[column.name].cast(pl.Float64).to_numpy()
    with np.errstate(invalid="ignore"):
        apart = np.sign(y[first] - y[second])
        told = np.sign(values[first] - values[second])
    unlike = apart != 0
    judged = unlike & np.isfinite(told) & (told != 0)
    if judged.sum() < PAIRS or judged.sum() < TELLS * unlike.sum():
        return
    agreed = float((told[judged] == apart[judged]).mean())
    alone = column.distinct == 2 and _one_a_group(rows, column, group)
    if max(agreed, 1 - agreed) >= (FIRST if alone else AGREE):
        text = (
            f"{column.raw} orders the rows of each {group.raw} as {candidates.profile.label.column} does "
            f"({max(agreed, 1 - agreed):.1%} of the pairs that it tells apart): it is written with it"
        )
        yield leak("label leakage within groups", column.name, text, 0.9, 96)


def _one_a_group(rows: pl.DataFrame, column: Column, group: Column) -> bool:
    """Whether one row of a group has a flag, as the first of a race, and the others do not."""
    many = rows.group_by(group.name).agg(pl.col(column.name).cast(pl.Float64).sum(), pl.len().alias("__n"))
    one = (many[column.name] <= 1) & (many["__n"] > 2)
    return float(one.mean() or 0.0) >= NAMED  # type: ignore[arg-type]


def _named(candidates: Candidates, column: Column, group: Column, rows: pl.DataFrame) -> Iterator[Issue]:
    """A word that is the same in the whole group, and that another column has in the group's best row."""
    best = rows.sort("__y", descending=True).group_by(group.name, maintain_order=True).first()
    alike = rows.group_by(group.name).agg(pl.col(column.name).n_unique() == 1)[column.name].mean()
    if float(alike or 0.0) < NAMED:  # type: ignore[arg-type]
        return
    for other in candidates.profile.table.columns:
        if other.kind != "string" or other.name in (column.name, group.name) or other.name not in rows.columns:
            continue
        differs = rows.group_by(group.name).agg(pl.col(other.name).n_unique() > 1)[other.name].mean()
        same = float((best[column.name] == best[other.name]).mean() or 0.0)  # type: ignore[arg-type]
        if float(differs or 0.0) >= NAMED and same >= NAMED:  # type: ignore[arg-type]
            text = (
                f"{column.raw} is the {other.raw} of the best row of its {group.raw} in {same:.0%} of them: it is "
                "written with the label"
            )
            yield leak("label leakage within groups", column.name, text, 0.95, 96)
            return
