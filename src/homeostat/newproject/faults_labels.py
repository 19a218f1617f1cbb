"""What is wrong with labels: late, biased where early, stopped, constant, cut off, rare, or much like "
"the one before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from homeostat.newproject.doubt import Doubt
from homeostat.newproject.names import always_quoted
from homeostat.newproject.rhythm import DAY
from homeostat.newproject.understanding import label_sql
from homeostat.project.value_types import format_duration

if TYPE_CHECKING:
    import duckdb

    from homeostat.newproject.choices import Choices
    from homeostat.newproject.course import Course
    from homeostat.newproject.understanding import Understanding

EARLY = 30 * DAY
FEW = 10  # yeses in a batch, and in the holdout five times as many, below which a rate says little


def find(
    connection: duckdb.DuckDBPyConnection, found: Understanding, choices: Choices, course: Course
) -> Iterator[Doubt]:
    yield from _delay(connection, found)
    yield from _stops(connection, found)
    yield from _constant(found, course)
    yield from _rare(found)
    yield from _cut_off(connection, found)
    yield from _alike(found, course)
    yield from _drifts(found, course)


def _delay(connection: duckdb.DuckDBPyConnection, found: Understanding) -> Iterator[Doubt]:
    if found.known_at is None or found.delays[0.9] < DAY:
        return
    early = min(EARLY, found.delays[0.5]) if found.delays[0.5] >= DAY else DAY
    early = EARLY if found.delays[0.1] <= EARLY <= found.delays[0.9] else early
    known = always_quoted(found.known_at)
    took = f"epoch({known}) - epoch(__t)"
    one, whole, many = connection.sql(
        f"SELECT avg(y) FILTER (took <= {early.total_seconds()}), avg(y), count(*) FILTER (took <= "
        f"{early.total_seconds()}) "
        f"FROM (SELECT {label_sql(found.label)} AS y, {took} AS took FROM "
        f"{always_quoted(found.table.name)}) WHERE took IS NOT NULL"
    ).fetchall()[0]
    if one is None:
        return
    label = found.label.column
    d = {q: f"{t / DAY:.3g}" for q, t in found.delays.items()}
    said = f"{label} comes late: after {d[0.5]} days in the middle, {d[0.9]} for nine of ten"
    off = abs(one - whole) / max(abs(whole), 1e-9)
    if off > 0.05 and many > 100:
        form = (lambda v: f"{v:.0%}") if found.label.task == "binary" else (lambda v: f"{v:.4g}")
        said += (
            f"; what is known within {early / DAY:.3g} days is a biased sample: {form(one)} instead of {form(whole)}"
        )
    fix = f"events count as mature after events.label_horizon: {format_duration(found.horizon)} in params.yaml"
    if found.bound is not None:
        until = f"{found.bound.column} and {format_duration(found.bound.wait)}"
        fix = f"no label counts before {until}, when nearly all are there: known_at.outcome in params.yaml"
    yield Doubt("labels that come late", label, said, fix, 0.97, 80 if off > 0.05 else 45)


def _stops(connection: duckdb.DuckDBPyConnection, found: Understanding) -> Iterator[Doubt]:
    """Labels that are missing from some day on."""
    column = found.table.column(found.label.column)
    if not column.absent:
        return
    seconds = int(found.rhythm.period.total_seconds())
    rows = connection.sql(
        f"SELECT min(__t), 1 - count({column.sql}) / count(*) FROM {always_quoted(found.table.name)} "
        f"WHERE __t >= TIMESTAMP '{found.start}' GROUP BY floor(epoch(__t) / {seconds}) ORDER BY 1"
    ).fetchall()
    shares = [float(r[1]) for r in rows]
    shown = tuple((f"{t:%Y-%m-%d}", s) for (t, _), s in zip(rows, shares, strict=True))
    last = next((n for n, s in enumerate(reversed(shares)) if s < 0.9), len(shares))
    drawn = f"share of {column.raw} that is missing, by batch"
    if last >= 2 and last < len(shares):
        since = rows[len(shares) - last][0]
        said = f"{column.raw} stops: from {since:%Y-%m-%d} on it is missing in nearly every row"
        fix = (
            "the loop goes on with what it has learned; ask whether labels still come, or give what "
            "says when: --known-at COL"
        )
        yield Doubt("labels that stop", column.name, said, fix, 0.95, 85, picture=shown, drawn=drawn)
    elif column.missing > 0.02:
        said = f"{column.raw} is missing in {column.missing:.1%} of the rows: they neither train nor judge"
        fix = "if missing means no, say so in objectives.*.label of params.yaml: coalesce(..., false)"
        yield Doubt("labels that never come", column.name, said, fix, 0.9, 55, picture=shown, drawn=drawn)


def _constant(found: Understanding, course: Course) -> Iterator[Doubt]:
    """Stretches in which every label is the same."""
    parts = course.each("__y")
    same = [p.n_unique() <= 1 and len(p) >= 15 for p in parts]
    overall = course.rows["__y"].value_counts()["count"].max()
    odds = float(overall) / max(course.rows.height, 1)  # type: ignore[arg-type]
    if not any(same) or odds ** min(len(p) for p in parts) > 1e-4:
        return
    first, last = _longest(same)
    if found.label.task != "binary" and last - first < 2 or last == first and found.series:
        return  # a dry month, a quiet week
    where = f"from {course.starts[first]:%Y-%m-%d}" + (
        " to the end" if last == len(same) - 1 else f" to {course.starts[last]:%Y-%m-%d}"
    )
    said = (
        f"{found.label.column} is the same in every row of {last - first + 1} of {len(same)} stretches of "
        f"the history on end ({where})"
    )
    fix = "ask whether it was recorded then; objectives.*.where in params.yaml leaves such rows out"
    yield Doubt("labels that are constant", found.label.column, said, fix, 0.9, 78,
                picture=course.picture([float(p.mean() or 0) for p in parts]), drawn=f"mean of {found.label.column}")  # type: ignore[arg-type] # fmt: skip


def _longest(flags: Sequence[bool]) -> tuple[int, int]:
    """First and last place of the longest run of true.

    >>> _longest([True, False, True, True])
    (2, 3)
    """
    best, start = (0, -1), 0
    for n, flag in enumerate(flags):
        start = start if flag else n + 1
        if n - start > best[1] - best[0]:
            best = (start, n)
    return best


def _rare(found: Understanding) -> Iterator[Doubt]:
    if found.label.task != "binary":
        return
    rate = min(found.label.rate, 1 - found.label.rate)
    batch = rate * found.rhythm.rows
    held = batch * (found.holdout / found.rhythm.period)
    if held < 5 * FEW:
        said = (
            f"the rarer answer of {found.label.column} is {rate:.2%} of the rows: about {batch:.1f} a "
            f"batch and {held:.0f} in "
            "the holdout, too few to judge a model closely"
        )
        fix = "widen windows.holdout and monitoring.window in params.yaml, or predict something less rare"
        yield Doubt("a class too small to judge", found.label.column, said, fix, 0.95, 58)


def _cut_off(connection: duckdb.DuckDBPyConnection, found: Understanding) -> Iterator[Doubt]:
    """A label that stands at its limit suspiciously often: what lay beyond was not recorded."""
    if found.label.task != "regression":
        return
    y, table = label_sql(found.label), always_quoted(found.table.name)
    least, most, at_least, at_most, many, kinds = connection.sql(
        f"SELECT min(y), max(y), count(*) FILTER (y = (SELECT min({y}) FROM {table})), "
        f"count(*) FILTER (y = (SELECT max({y}) FROM {table})), count(*), approx_count_distinct(y) FROM "
        f"(SELECT {y} AS y FROM {table}) WHERE y IS NOT NULL"
    ).fetchall()[0]
    if kinds < 50:
        return
    for limit, count, word in ((most, at_most, "most"), (least, at_least, "least")):
        if count > max(20, 0.02 * many) and limit != 0:
            said = (
                f"{found.label.column} is exactly {limit:g}, its {word}, in {count / many:.1%} of the "
                "rows: it looks cut off there"
            )
            fix = (
                "a model cannot learn what lies beyond; ask for the values as measured, or predict "
                "whether the limit is reached"
            )
            yield Doubt("labels that are cut off", found.label.column, said, fix, 0.75, 57)


def _alike(found: Understanding, course: Course) -> Iterator[Doubt]:
    """How often the next label is the last one."""
    if not found.series or len(found.table.key) > 1:
        return
    y = course.rows["__y"].to_numpy().astype(float)
    if found.label.task == "binary":
        same = float((y[1:] == y[:-1]).mean())
        most = max(y.mean(), 1 - y.mean())
        if same > most + 0.1:
            said = f"the same as last time is right {same:.1%} of the time; the more frequent answer {most:.1%}"
            fix = "not a fault: a model has to beat that; features.sql has the newest labels known"
            yield Doubt("labels much like the one before", found.label.column, said, fix, 0.95, 32)


def _drifts(found: Understanding, course: Course) -> Iterator[Doubt]:
    """A mean that moves far over the history."""
    parts = course.each("__y")
    if len(parts) < 8:
        return
    means = np.array([float(p.mean() or 0.0) for p in parts])  # type: ignore[arg-type]
    third = len(means) // 3
    early, late = means[:third].mean(), means[-third:].mean()
    spread = float(course.rows["__y"].std() or 1.0)  # type: ignore[arg-type]
    inner = max(means[:third].std(), means[-third:].std(), 1e-9)
    if abs(late - early) > 0.25 * spread and abs(late - early) > 1.5 * inner:
        form = "{:.1%}" if found.label.task == "binary" else "{:.4g}"
        said = (
            f"{found.label.column} moved from {form.format(early)} in the first third to "
            f"{form.format(late)} in the last"
        )
        fix = "not a fault: trailing means in features.sql follow it; watch rhythm.retrain"
        yield Doubt("a label that moves", found.label.column, said, fix, 0.8, 31,
                    picture=course.picture(means), drawn=f"mean of {found.label.column}")  # fmt: skip
