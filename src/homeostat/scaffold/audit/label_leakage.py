"""Columns that give the label away: by what they predict, by when they are there, by their sums, by their names."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from math import log
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from homeostat.scaffold.audit.issue import Doubt
from homeostat.scaffold.audit.linear_sums import sums
from homeostat.scaffold.audit.predictive_power import Array, power
from homeostat.scaffold.profile.identifiers import always_quoted, quoted, words
from homeostat.scaffold.profile.profile_table import is_identifier_name

if TYPE_CHECKING:
    import duckdb

    from homeostat.scaffold.profile.profile_table import Column, Understanding

PERFECT = 0.965  # power from which a column tells too much to have been known before
MADE_OF = 0.9  # of a number against its trailing mean
STRONG = 0.5
CHANCE = 1e-6  # as in the give-away check: a constant label less likely than this is no chance
BLOCKS = 5
THINGS = 50  # values from which a column of words names things rather than says how they went
LITTLE = 40  # weight up to which nothing more is said of a column that is kept out anyway
SHOWN = 12  # values or bins of a picture
FEW = 200  # values of a column up to which each is looked at
SAME = 0.95  # share of rows in which two columns say the same
BEFORE = {"previous", "prev", "prior", "past", "last", "hist", "history", "lag", "avg", "mean", "expected", "planned",
          "scheduled", "reserved", "requested", "old", "initial", "first", "num_previous"}  # fmt: skip
COUNTED_SINCE = {"change", "changes", "update", "updates", "revision", "revisions", "modification", "modifications",
                 "edit", "edits", "amendments"}  # fmt: skip
AFTERWARDS = {"outcome", "result", "resolution", "resolved", "closed", "refund", "refunded", "cancel", "actual",
              "final", "settled", "settlement", "returned", "status", "duration", "elapsed", "completed", "finished",
              "ended", "end", "chargeback", "recovery", "recoveries", "collected"}  # fmt: skip
ANSWERS = {"prediction", "predicted", "pred", "score", "probability", "proba", "forecast", "yhat"}


@dataclass(frozen=True)
class Constant:
    """A value of a column, its absence or its presence, that always goes with one label."""

    column: str
    kind: str
    value: str | None
    label: float
    rows: int


@dataclass(frozen=True)
class Leaks:
    """What was found, the columns to keep out, and those whose values tell but may well be right to."""

    doubts: tuple[Doubt, ...]
    barred: tuple[str, ...]
    allowed: tuple[str, ...]
    powers: dict[str, float]


def find_leaks(connection: duckdb.DuckDBPyConnection, found: Understanding, rows: pl.DataFrame) -> Leaks:
    """Every column against the label. ``rows`` are labelled, in order of time, with ``__y`` and ``__t``."""
    y = rows["__y"].to_numpy().astype(float)
    usable = [c for c in found.table.columns if c.name in rows.columns and c.name not in _aside(found)]
    powers = {c.name: power(_as_number(rows, c), y, found.label.task) for c in usable}
    doubts: list[Doubt] = []
    for doubt in (
        *_same_as_known(found, rows, usable),
        *_parts(found, rows, y, usable),
        *_perfect(found, usable, powers),
        *_twins(found, rows, y, usable),
        *_time_gaps(found, rows, y, usable),
        *_by_name(found, rows, y, usable, powers),
    ):
        if doubt.column not in {d.column for d in doubts if d.barred}:
            doubts.append(doubt)
    constants = _constants(connection, found, usable)
    out = {d.column for d in doubts if d.barred}
    for column, group in itertools.groupby(constants, key=lambda c: c.column):
        if column not in out:
            doubts.append(_constant(found, list(group), powers[column]))
    out = {d.column for d in doubts if d.barred}
    allowed = [c for c in dict.fromkeys(c.column for c in constants) if c not in out]
    barred = [c.name for c in usable if c.name in out]
    doubts = [d for d in doubts if d.barred or d.column not in out]
    drawn = [_drawn(found, rows, y, d) for d in sorted(doubts, key=lambda d: -d.weight)]
    return Leaks(tuple(drawn), tuple(barred), tuple(allowed), powers)


def _drawn(found: Understanding, rows: pl.DataFrame, y: Array, doubt: Doubt) -> Doubt:
    """The doubt with a picture of the label's mean by the values of the column, or by bins of them."""
    if doubt.column not in rows.columns or doubt.picture:
        return doubt
    column = found.table.column(doubt.column)
    values = _as_number(rows, column)
    if values.dtype.is_numeric() and values.n_unique() > SHOWN:
        place = values.cast(pl.Float64).fill_nan(None)
        numbers = place.drop_nulls().to_numpy()
        edges = np.unique(np.quantile(numbers, np.linspace(0, 1, SHOWN + 1)[1:-1]))
        by = pl.Series(np.searchsorted(edges, place.fill_null(0.0).to_numpy(), side="right"))
        by = by.cast(pl.String).set(place.is_null(), None)
    else:
        by, place = values.cast(pl.String), values.cast(pl.String)
    told = pl.DataFrame({"by": by, "place": place, "y": y}).group_by("by").agg(pl.len(), pl.min("place"), pl.mean("y"))
    told = told.sort("len", descending=True).head(SHOWN + 1).sort("place", nulls_last=True)
    shown = tuple((_value(column, low), mean) for low, mean in told.select("place", "y").iter_rows())
    return replace(doubt, picture=shown, drawn=f"mean of {found.label.column} by {column.raw}")


def _value(column: Column, value: object) -> str:
    """A value or the least of a bin, as it stands under a picture."""
    if value is None:
        return "missing"
    since = " days" if column.kind == "time" else ""
    return f"{value:.4g}{since}" if isinstance(value, float) else str(value)[:20]


def _aside(found: Understanding) -> set[str]:
    """What is no candidate: the label, the time, when labels came, and what names a row."""
    return {found.label.column, found.time_column, found.known_at or "", *found.table.key}


def _as_number(rows: pl.DataFrame, column: Column) -> pl.Series:
    """A column as it would be learned from: a time as days from the event."""
    if column.kind == "time":
        return (rows[column.name] - rows["__t"]).dt.total_seconds() / 86400
    return rows[column.name]


def _leak(kind: str, column: str, said: str, sure: float, weight: float) -> Doubt:
    mend = f"kept out of the first scope; if it is known by then, move it to the first known_at group: {column}"
    return Doubt(kind, column, said, mend, sure, weight, True)


# ---- each way to give a label away


def _perfect(found: Understanding, usable: Sequence[Column], powers: dict[str, float]) -> Iterator[Doubt]:
    for column in usable:
        told = powers[column.name]
        if _names_things(column):
            continue  # each has its own label: not told afterwards, but learned by heart
        if told < PERFECT or (found.series and found.label.task == "regression" and told < 0.995):
            continue
        measure = f"AUC {0.5 + told / 2:.3f}" if found.label.task == "binary" else f"R2 {told:.3f}"
        said = (
            f"{column.raw} alone tells {found.label.column} almost perfectly ({measure} on later "
            "rows): it is known afterwards"
        )
        yield _leak("gives the label away", column.name, said, min(1.0, told), 100 + told)


def _names_things(column: Column) -> bool:
    """Whether its values are many and come again: customers, machines."""
    many = column.kind == "string" or column.kind == "integer" and is_identifier_name(column.raw)
    return many and THINGS < column.distinct < 0.5 * column.rows


def _same_as_known(found: Understanding, rows: pl.DataFrame, usable: Sequence[Column]) -> Iterator[Doubt]:
    """Times that are those at which the label became known."""
    if found.known_at is None:
        return
    known = rows[found.known_at]
    for column in usable:
        if column.kind != "time":
            continue
        both = rows[column.name].is_not_null() & known.is_not_null()
        off = (rows[column.name] - known).dt.total_seconds().abs().filter(both)
        same = float((off <= 86400).mean() or 0.0) if len(off) else 0.0  # type: ignore[arg-type]
        if same >= SAME:
            said = f"{column.raw} is {found.known_at} in {same:.0%} of the rows: it is written when the label is"
            yield _leak("known only afterwards", column.name, said, same, 98)


def _parts(found: Understanding, rows: pl.DataFrame, y: Array, usable: Sequence[Column]) -> Iterator[Doubt]:
    """Numbers that add up to the label, or differ or multiply to it."""
    if found.label.task != "regression":
        return
    numbers = {}
    for column in usable:
        if column.kind in ("integer", "float") and column.distinct > 2:
            numbers[column.name] = rows[column.name].cast(pl.Float64).to_numpy()
    for made in sums(numbers, y):
        for part in made.weights:
            raw = found.table.column(part).raw
            said = f"{raw} is a part of it: {made.said()} is {found.label.column}, known when it is"
            if len(made.weights) == 1:
                said = f"{raw} is the label in other clothes: {made.said()} is {found.label.column}"
            yield _leak("a part of the label", part, said, 1.0, 99)
        numbers = {k: v for k, v in numbers.items() if k not in made.weights}
    if len(y) > 5000:
        at = np.linspace(0, len(y) - 1, 5000).astype(int)
        y, numbers = y[at], {k: v[at] for k, v in numbers.items()}
    named = sorted(numbers, key=lambda k: -abs(_correlation(numbers[k], y)))[:12]
    scale = float(np.std(y)) or 1.0

    def equal(value: Array) -> bool:
        there = np.isfinite(value)
        return bool(
            there.mean() > 0.5 and (np.abs(value - y)[there] <= 1e-6 * scale + 1e-9 * np.abs(y[there])).mean() >= 0.98
        )

    for one, two in itertools.permutations(named, 2):
        with np.errstate(all="ignore"):
            answers = {
                "*": numbers[one] * numbers[two],
                "/": numbers[one] / numbers[two],
            }
        for sign, value in answers.items():
            if equal(value) and not (sign == "*" and one > two):
                worse = max(
                    (one, two), key=lambda c: (_words(c) & AFTERWARDS != set(), abs(_correlation(numbers[c], y)))
                )
                raw = found.table.column(worse).raw
                said = f"{raw} makes it with another: {one} {sign} {two} is {found.label.column}, known when it is"
                yield _leak("a part of the label", worse, said, 0.97, 97)
                return


def _twins(found: Understanding, rows: pl.DataFrame, y: Array, usable: Sequence[Column]) -> Iterator[Doubt]:
    """A column that repeats another but where events went on: where they differ the label is told."""
    if found.label.task == "regression":
        return
    worded = [c for c in usable if c.kind == "string" and 3 <= c.distinct <= FEW]
    for one, two in itertools.combinations(worded, 2):
        differ = (rows[one.name] != rows[two.name]).fill_null(False).to_numpy()
        share = float(differ.mean())
        if not 0.005 < share < 0.5 or differ.sum() < 50:
            continue
        shared = set(rows[one.name].unique()) & set(rows[two.name].unique())
        if len(shared) < 0.6 * min(one.distinct, two.distinct):
            continue
        here, there = float(y[differ].mean()), float(y[~differ].mean())
        if min(here, 1 - here) < 0.35 * min(there, 1 - there):
            later = (
                one
                if _is_later(one.name, two.name) or (not _is_later(two.name, one.name) and one.distinct > two.distinct)
                else two
            )
            other = two if later is one else one
            said = (
                f"{later.raw} is {other.raw} in {1 - share:.0%} of the rows; where they differ, "
                f"{found.label.column} is "
                f"{here:.0%} instead of {there:.0%}: {later.raw} is settled afterwards"
            )
            yield _leak("known only afterwards", later.name, said, 0.9, 95)


def _time_gaps(found: Understanding, rows: pl.DataFrame, y: Array, usable: Sequence[Column]) -> Iterator[Doubt]:
    """Two times whose distance tells the label: the one that moves with it is written afterwards."""
    times = [c for c in usable if c.kind == "time"]
    for one, two in itertools.combinations(times, 2):
        gap = (rows[one.name] - rows[two.name]).dt.total_seconds()
        told = power(gap, y, found.label.task)
        if told >= 0.9:
            later = one if _is_later(one.name, two.name) else two if _is_later(two.name, one.name) else max(
                (one, two), key=lambda c: _spread(rows, c))  # fmt: skip
            said = (
                f"the time from {two.raw} to {one.raw} tells {found.label.column} (power {told:.2f}): "
                f"{later.raw} is written afterwards"
            )
            yield _leak("known only afterwards", later.name, said, 0.9, 96)


def _by_name(
    found: Understanding, rows: pl.DataFrame, y: Array, usable: Sequence[Column], powers: dict[str, float]
) -> Iterator[Doubt]:
    """Columns that are called like something that comes afterwards, and behave so."""
    for column in usable:
        words, told = _words(column.raw), powers[column.name]
        if words & BEFORE:
            continue
        if words & COUNTED_SINCE and column.kind == "integer" and _mostly_zero(rows[column.name]) and told > 0.02:
            values = rows[column.name].to_numpy()
            rates = float(y[values == 0].mean()), float(y[values > 0].mean())
            said = (
                f"{column.raw} counts what happened since: it is 0 at first, and {found.label.column} is "
                f"{rates[0]:.2g} where it stayed 0 and {rates[1]:.2g} where it did not"
            )
            yield _leak("known only afterwards", column.name, said, 0.8, 90)
        elif words & AFTERWARDS and told >= STRONG:
            said = (
                f"{column.raw} is called like something known afterwards, and tells "
                f"{found.label.column} well (power {told:.2f})"
            )
            yield _leak("known only afterwards", column.name, said, 0.75, 88)
        elif words & ANSWERS and told >= 0.3:
            said = (
                f"{column.raw} looks like another model's answer (power {told:.2f}); kept in: was it "
                "there before the event?"
            )
            mend = (
                f"if it was made afterwards: homeostat new ... --drop {column.raw!r}, or move it to a "
                "later known_at group"
            )
            yield Doubt("maybe known only afterwards", column.name, said, mend, 0.6, 60)
        elif told >= 0.85 and not found.series and not _names_things(column):
            said = (
                f"{column.raw} alone tells {found.label.column} very well (power {told:.2f}); kept "
                "in: was it known before?"
            )
            mend = f"if it is known afterwards: homeostat new ... --drop {column.raw!r}"
            yield Doubt("maybe known only afterwards", column.name, said, mend, 0.6, 62)


def _constants(connection: duckdb.DuckDBPyConnection, found: Understanding, usable: Sequence[Column]) -> list[Constant]:
    """Values, absences and presences that always go with one label, over all rows, against all odds."""
    name = always_quoted(found.table.name)
    label = f"CAST(({found.label.sql}) AS DOUBLE)"
    # Rows of a series are like their neighbours: its days count, not its rows.
    block = 86400 if found.series else max(int(found.rhythm.period.total_seconds()), 86400)
    base = f"FROM {name} WHERE __t >= TIMESTAMP '{found.start}' AND {label} IS NOT NULL"
    shares = dict(connection.sql(f"SELECT {label}, count(*) / sum(count(*)) OVER () {base} GROUP BY 1").fetchall())
    most = max(shares.values())
    total = int(connection.sql(f"SELECT count(*) {base}").fetchall()[0][0])
    if total * log(max(most, 1e-9)) > log(CHANCE) and most == 1.0:
        return []
    answer = []
    for column in usable:
        c = quoted(column.name)
        kinds = [f"CASE WHEN {c} IS NULL THEN 'absent' ELSE 'present' END"] if column.absent else []
        if column.kind in ("integer", "float") and column.distinct > 2 and column.low and float(column.low) == 0:
            kinds.append(f"CASE WHEN {c} = 0 THEN 'nought' WHEN {c} > 0 THEN 'above nought' END")
        measured = found.series and column.kind == "float"  # whose neighbours share both it and the label
        by_value = column.distinct <= FEW and column.kind != "time" and not measured
        for kind, value in [(k, "NULL") for k in kinds] + ([("'value'", f"CAST({c} AS VARCHAR)")] if by_value else []):
            where = f" AND {c} IS NOT NULL" if kind == "'value'" else ""
            answer += [(column.name, *r) for r in connection.sql(
                f"SELECT {kind}, {value}, count(*), count(DISTINCT epoch(__t) // {block}), min({label}), max({label}) "
                f"{base}{where} GROUP BY 1, 2 HAVING min({label}) = max({label})"
            ).fetchall()]  # fmt: skip
    periods = int(connection.sql(f"SELECT count(DISTINCT epoch(__t) // {block}) {base}").fetchall()[0][0])
    return [
        Constant(column, kind, value, low, n)
        for column, kind, value, n, blocks, low, _ in answer
        if blocks >= min(BLOCKS, periods) and (blocks if found.series else n) * log(shares[low]) < log(CHANCE)
    ]


def _constant(found: Understanding, constants: Sequence[Constant], power: float) -> Doubt:
    column = constants[0].column
    label = found.label.column
    raw = found.table.column(column).raw
    gone = next((c for c in constants if c.kind in ("absent", "present")), None)
    if gone is not None:
        how = "missing" if gone.kind == "absent" else "there"
        said = (
            f"whenever {raw} is {how}, {label} is {gone.label:g} ({gone.rows:,} rows, all of them): "
            "its absence is the label's doing"
        )
        return _leak("gives the label away by absence", column, said, 0.97, 94)
    filled = next((c for c in constants if c.kind == "above nought"), None)
    if filled is not None and power >= STRONG:
        said = (
            f"whenever {raw} is above nought, {label} is {filled.label:g} ({filled.rows:,} rows, all of them), and it "
            f"tells {label} well (power {power:.2f}): it is filled when the label is known"
        )
        return _leak("gives the label away by absence", column, said, 0.9, 93)
    constants = [c for c in constants if c.kind == "value"] or constants
    first = max(constants, key=lambda c: c.rows)
    value = f"= {first.value}" if first.kind == "value" else f"is {first.kind}"
    more = f", and {len(constants) - 1} more of its values tell as surely" if len(constants) > 1 else ""
    said = (
        f"{raw} {value} always goes with {label} {first.label:g} ({first.rows:,} rows){more}; "
        "kept in: is it known before?"
    )
    mend = f"if it is written afterwards: move {column} from features.allowed to features.barred in params.yaml"
    return Doubt("a value that always goes with one label", column, said, mend, 0.6, 70)


def of_moves(
    connection: duckdb.DuckDBPyConnection, found: Understanding, moving: Sequence[str], short: timedelta
) -> tuple[tuple[Doubt, ...], tuple[str, ...]]:
    """Numbers of a series whose distance from their own trailing mean is what the label says; that "
    "distance stays out."""
    if not moving or not found.series:
        return (), ()
    things = [k for k in found.table.key if k != found.time_column]
    by = f"PARTITION BY {', '.join(map(quoted, things))} " if things else ""
    window = f"OVER ({by}ORDER BY __t RANGE INTERVAL {int(short.total_seconds())} SECOND PRECEDING)"
    listed = ", ".join(f"CAST({quoted(m)} AS DOUBLE) - avg({quoted(m)}) {window} AS m{n}" for n, m in enumerate(moving))
    every = max(1, found.table.rows // 60_000)
    rows = pl.DataFrame(connection.sql(
        f"SELECT * FROM (SELECT __t, rowid AS r, CAST(({found.label.sql}) AS DOUBLE) AS y, {listed} "
        f"FROM {always_quoted(found.table.name)} WHERE __t >= TIMESTAMP '{found.start}') "
        f"WHERE y IS NOT NULL AND hash(r) % {every} = 0 ORDER BY __t, r"
    ).to_arrow_table())  # fmt: skip
    y = rows["y"].to_numpy().astype(float)
    doubts, out = [], []
    for n, name in enumerate(moving):
        told = power(rows[f"m{n}"], y, found.label.task)
        if told >= MADE_OF:
            raw = found.table.column(name).raw
            said = (
                f"{found.label.column} is what {raw} against its own trailing mean says (power "
                f"{told:.2f}): that feature is "
                f"left out; {raw} stays in: is it known before {found.label.column} is?"
            )
            mend = f"if it comes with the label, move {name} to the known_at group outcome in params.yaml"
            doubts.append(Doubt("what the label is made of", name, said, mend, 0.85, 87))
            out.append(name)
    return tuple(doubts), tuple(out)


# ---- words and numbers


def _words(name: str) -> set[str]:
    """The words of a name in small letters; those that begin with ``cancel`` are one."""
    return {"cancel" if word.startswith("cancel") else word for word in words(name)}


def _is_later(one: str, two: str) -> bool:
    """Whether the first of two names sounds like what came of the second."""
    late = AFTERWARDS | {"assigned", "given", "delivered", "received", "new", "current"}
    return bool(_words(one) & late and not _words(two) & late) or bool(
        _words(two) & BEFORE and not _words(one) & BEFORE
    )


def _mostly_zero(values: pl.Series) -> bool:
    return bool(values.min() == 0 and (values == 0).mean() > 0.6)  # type: ignore[operator]


def _spread(rows: pl.DataFrame, column: Column) -> float:
    return float((rows[column.name] - rows["__t"]).dt.total_seconds().std() or 0.0)  # type: ignore[arg-type]


def _correlation(values: Array, y: Array) -> float:
    there = np.isfinite(values)
    if there.sum() < 20 or values[there].std() == 0 or y[there].std() == 0:
        return 0.0
    return float(np.corrcoef(values[there], y[there])[0, 1])


def without(leaks: Leaks, names: Sequence[str]) -> Leaks:
    """The same with further columns kept out."""
    return replace(leaks, barred=tuple(dict.fromkeys((*leaks.barred, *names))))
