"""What is wrong with rows: repeated, nearly repeated, missing for a while, on another clock, or of "
"things known before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from homeostat.core.periods import floor
from homeostat.scaffold.audit.issue import Doubt
from homeostat.scaffold.profile.batch_period import DAY, HOUR
from homeostat.scaffold.profile.identifiers import always_quoted
from homeostat.scaffold.profile.profile_table import ROW_ID

if TYPE_CHECKING:
    import duckdb

    from homeostat.scaffold.audit.time_bins import Course
    from homeostat.scaffold.draft.roles import Choices
    from homeostat.scaffold.profile.profile_table import Understanding

NEAR = 0.01  # share of rows that repeat another but for one column, from which it is told


def find(
    connection: duckdb.DuckDBPyConnection, found: Understanding, choices: Choices, course: Course
) -> Iterator[Doubt]:
    yield from _duplicates(connection, found)
    yield from _near_duplicates(found, choices, course)
    yield from _key(connection, found)
    yield from _ends(found)
    yield from _gaps(connection, found)
    yield from _clock(connection, found)
    yield from _known_things(found, choices, course)
    if found.timeless:
        said = f"{found.timeless:,} rows have no {found.table.column(found.time_column).raw}: no batch can hold them"
        yield Doubt("rows without a time", found.time_column, said, "left out; mend them in the table", 1.0, 56)


def _duplicates(connection: duckdb.DuckDBPyConnection, found: Understanding) -> Iterator[Doubt]:
    """Rows that are in the table more than once, word for word."""
    own = set(found.table.key) if len(found.table.key) == 1 and found.table.key[0] != found.time_column else set()
    names = ", ".join(always_quoted(c.name) for c in found.table.columns if c.name != ROW_ID and c.name not in own)
    groups, rows = connection.sql(
        f"SELECT count(*), sum(n) FROM (SELECT count(*) AS n FROM {always_quoted(found.table.name)} "
        f"GROUP BY hash(row({names})) HAVING n > 1)"
    ).fetchall()[0]
    if not groups or rows < max(2, 0.0005 * found.table.rows):
        return
    but = f" but for {', '.join(own)}" if own else ""
    said = f"{rows:,} rows are in groups that are equal{but} ({rows - groups:,} are copies of another)"
    mend = (
        "kept, each as a row of its own: it may be two like things; if copies are errors, remove them "
        "in the table or name the --key"
    )
    yield Doubt("duplicates", "", said, mend, 0.9 if rows > 0.05 * found.table.rows else 0.7, 65)


def _near_duplicates(found: Understanding, choices: Choices, course: Course) -> Iterator[Doubt]:
    """Rows of one time that are the same in all but one column."""
    aside = {*found.table.key, *choices.identifiers, found.time_column}
    names = [c.name for c in found.table.columns if c.name in course.rows.columns and c.name not in aside]
    if len(names) < 5 or found.time_column in found.table.key:
        return
    rows = course.rows.head(40_000) if course.rows.height > 40_000 else course.rows
    hashes = np.stack([rows[n].hash(seed=n_at).to_numpy() for n_at, n in enumerate(names)])
    whole = hashes.sum(axis=0, dtype=np.uint64) + rows["__t"].hash(seed=len(names)).to_numpy()
    exact = pl.Series(whole)
    copies = exact.is_duplicated().to_numpy()
    told: list[tuple[float, str]] = []
    for at, name in enumerate(names):
        others = pl.Series(whole - hashes[at])
        near = others.is_duplicated().to_numpy() & ~copies
        told.append((float(near.mean()), name))
    share, name = max(told)
    if share >= NEAR:
        raw = found.table.column(name).raw
        said = f"{share:.1%} of the rows repeat another but for {raw}"
        if name == found.label.column:
            said += ": the same row has two labels"
        mend = "look at some of them: are they corrections of one another? Then keep the last, or name the --key"
        yield Doubt("near duplicates", name, said, mend, 0.6, 64 if name == found.label.column else 42)


def _key(connection: duckdb.DuckDBPyConnection, found: Understanding) -> Iterator[Doubt]:
    """A key that does not name each row once."""
    if found.table.key == (ROW_ID,):
        return
    names = ", ".join(always_quoted(k) for k in found.table.key)
    twice = connection.sql(
        f"SELECT coalesce(sum(n), 0) FROM (SELECT count(*) AS n FROM {always_quoted(found.table.name)} "
        f"GROUP BY {names} HAVING n > 1)"
    ).fetchall()[0][0]
    if twice:
        said = (
            f"{int(twice):,} rows share their key ({', '.join(found.table.key)}) with another: they "
            "are held in quarantine"
        )
        weight, mend = 83, "name a further --key column"
        if not found.asked.key:
            weight, mend = 51, "remove copies in the table, or bring local times to UTC; or name a further --key column"
        yield Doubt("a key that comes twice", found.table.key[0], said, mend, 1.0, weight)


def _ends(found: Understanding) -> Iterator[Doubt]:
    """A beginning or an end with far fewer rows: the table was cut by another date."""
    counts = np.array(found.counts, dtype=float)
    if len(counts) < 12:
        return
    usual = float(np.median(counts))
    shown = _by_batch(found)
    if found.start - found.first > 3 * found.rhythm.period:
        said = (
            f"before {found.start:%Y-%m-%d} there are few rows: the beginning, from {found.first:%Y-%m-%d}, is left out"
        )
        yield Doubt("a thin beginning", found.time_column, said, "data/window.yaml and clock.start say "
            "from when on", 0.9, 50,
                    picture=shown, drawn="rows a batch")  # fmt: skip
    smooth = np.convolve(counts, np.ones(3) / 3, mode="valid")
    tail = next((n for n, c in enumerate(reversed(smooth[:-1])) if c >= 0.6 * usual), 0)
    if tail >= 4:
        since = found.end - (tail + 2) * found.rhythm.period
        said = (
            f"rows thin out towards the end, from about {since:%Y-%m-%d} on: those that are there may "
            "be an early, biased part"
        )
        mend = f"end the history before: homeostat replay --to {since:%Y-%m-%d}"
        yield Doubt("a thin end", found.time_column, said, mend, 0.75, 68, picture=shown, drawn="rows a batch")


def _by_batch(found: Understanding) -> tuple[tuple[str, float | None], ...]:
    """Rows of each batch with its day, for a drawing."""
    first = floor(found.start, found.rhythm.period, timedelta(0))
    return tuple((f"{first + n * found.rhythm.period:%Y-%m-%d}", float(c)) for n, c in enumerate(found.counts))


def _gaps(connection: duckdb.DuckDBPyConnection, found: Understanding) -> Iterator[Doubt]:
    """Stretches without a row."""
    least = max(3 * (found.step or timedelta(0)), found.rhythm.period, timedelta(hours=1))
    rows = connection.sql(
        "SELECT before, t FROM (SELECT lag(t) OVER (ORDER BY t) AS before, t FROM "
        f"(SELECT DISTINCT __t AS t FROM {always_quoted(found.table.name)} WHERE __t >= TIMESTAMP '{found.start}')) "
        f"WHERE epoch(t) - epoch(before) > {least.total_seconds()} ORDER BY epoch(t) - epoch(before) DESC, t"
    ).fetchall()
    if rows:
        length = rows[0][1] - rows[0][0]
        more = f" and {len(rows) - 1} shorter ones" if len(rows) > 1 else ""
        said = f"no row from {rows[0][0]:%Y-%m-%d %H:%M} to {rows[0][1]:%Y-%m-%d %H:%M} ({length / DAY:.3g} days){more}"
        mend = "batches of that time are told as missing; if they exist, deliver them"
        weight = 54 if length > 2 * found.rhythm.period else 38
        yield Doubt("gaps", found.time_column, said, mend, 0.95, weight, picture=_by_batch(found), drawn="rows a batch")


def _clock(connection: duckdb.DuckDBPyConnection, found: Understanding) -> Iterator[Doubt]:
    """Hours that are missing when summer time begins, or there twice when it ends: the times are local."""
    if found.step is None or found.step > HOUR or not found.series:
        return
    years = range(found.first.year, found.last.year + 1)
    springs = [d for y in years for d in (_sunday(y, 3, 2), _sunday(y, 3, -1), _sunday(y, 4, 1))]
    missing = []
    for day in springs:
        hours = connection.sql(
            f"SELECT count(DISTINCT hour(__t)), min(hour(__t)) FROM {always_quoted(found.table.name)} "
            f"WHERE CAST(__t AS DATE) = DATE '{day}' AND hour(__t) BETWEEN 0 AND 4"
        ).fetchall()[0][0]
        if hours == 4:
            missing.append(day)
    if missing:
        said = (
            f"an hour is missing at night on {', '.join(map(str, missing))}, when summer time begins: "
            "the times are local, not UTC"
        )
        mend = (
            "bring them to UTC in sources.time of params.yaml: timezone('UTC', "
            "timezone('Europe/Paris', COLUMN)), with your zone"
        )
        yield Doubt("clock changes", found.time_column, said, mend, 0.8, 53)


def _sunday(year: int, month: int, which: int) -> date:
    """The n-th Sunday of a month, or its last."""
    first = date(year, month, 1)
    days = [first + timedelta(days=n) for n in range(31) if (first + timedelta(days=n)).month == month]
    sundays = [d for d in days if d.weekday() == 6]
    return sundays[which - 1] if which > 0 else sundays[-1]


def _known_things(found: Understanding, choices: Choices, course: Course) -> Iterator[Doubt]:
    """Things that come again and again with the same label: a model learns them by heart."""
    rows = course.rows
    cut = rows.height * 2 // 3
    whole = [n for n in choices.numbers if found.table.column(n).kind == "integer"]
    for name in (*choices.words, *choices.codes, *choices.wordy, *whole):
        column = found.table.column(name)
        if not 50 < column.distinct < 0.5 * column.rows:
            continue
        told = (
            rows.select(name, "__y")
            .drop_nulls()
            .group_by(name)
            .agg(pl.len(), pl.col("__y").std().alias("s"), pl.col("__y").mean().alias("m"))
        )
        several = told.filter(pl.col("len") > 1)
        if several.height < 30 or several["len"].sum() < 0.3 * rows.height:
            continue
        one_label = several.filter(pl.col("s") == 0)["len"].sum()
        same = float(one_label) / float(several["len"].sum())
        later = rows[name][cut:].drop_nulls()
        known = float(later.is_in(rows[name][:cut].unique().to_list()).mean() or 0.0)  # type: ignore[arg-type]
        most = float(rows["__y"].value_counts()["count"].max() or 0) / rows.height  # type: ignore[arg-type]
        if same > max(0.8, most + 0.1) and known > 0.5:
            said = (
                f"each {column.raw} nearly always has one label, and {known:.0%} of the later rows "
                "are of one that came before: a model learns them by heart"
            )
            mend = f"judge it on new ones: drop {column.raw!r} from features, or make it a slice"
            yield Doubt("groups on both sides of the split", name, said, mend, 0.7, 63)
