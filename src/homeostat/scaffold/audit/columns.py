"""What is wrong with columns: constant, dying, newly alive, in another unit or coding from some day on, far out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from homeostat.scaffold.audit.issue import Doubt
from homeostat.scaffold.profile.identifiers import always_quoted, words

if TYPE_CHECKING:
    import duckdb

    from homeostat.scaffold.audit.predictive_power import Array
    from homeostat.scaffold.audit.time_bins import Course
    from homeostat.scaffold.draft.roles import Choices
    from homeostat.scaffold.profile.profile_table import Column, Understanding

UNITS = {
    2.54: "inches and centimetres", 1.609: "miles and kilometres", 2.2046: "kilograms and pounds",
    1000.0: "a thousandfold",
    100.0: "a hundredfold, as cents or per cent", 60.0: "minutes and seconds", 3600.0: "hours and seconds",
    3.2808: "metres and feet", 0.3048: "feet and metres", 4.546: "gallons and litres", 24.0: "days and hours",
    10.0: "tenfold", 12.0: "years and months", 1e6: "a millionfold",
}  # fmt: skip
SIGNED = {"temp", "temperature", "tmin", "tmax", "dewp", "dew", "dewpoint", "balance", "profit", "net", "margin",
          "change", "delta", "diff", "difference", "return", "returns", "growth", "lat", "lon", "lng", "latitude",
          "longitude", "altitude", "elevation", "offset", "delay", "lag", "score", "celsius", "fahrenheit",
          "degrees", "anomaly", "residual", "gain", "yield", "rate", "pnl", "x", "z"}  # fmt: skip
JUMP = 1.7  # times the usual value from which a step is another unit
KEPT = 0.9  # share of the stretches on either side that agree with it
FAR = 10.0  # times the range from one in a thousand to the last but one: beyond it is an error


def find(
    connection: duckdb.DuckDBPyConnection, found: Understanding, choices: Choices, course: Course
) -> Iterator[Doubt]:
    table = found.table
    for name in choices.constant:
        if table.column(name).absent == table.rows:
            yield _note(name, f"{table.column(name).raw} is empty", "left out; --drop it if it stays so", 0.99, 40)
        else:
            said = f"{table.column(name).raw} is {table.column(name).low} in every row"
            yield _note(
                name,
                said,
                f"left out; homeostat new ... --drop {table.column(name).raw!r} takes it off the scope",
                0.99,
                25,
            )
    for name in choices.identifiers:
        column = table.column(name)
        how = "looks like a number and names a row" if column.kind == "integer" else "names a row"
        yield _note(
            name, f"{column.raw} {how} ({column.distinct:,} different values)", "left out of the features", 0.9, 30
        )
    for name in choices.codes:
        column = table.column(name)
        yield _note(name, f"{column.raw} looks like a number and is a code: its values tell, their order does not",
                    "used as words in features.sql; take the CAST away if its size means "
                        "something", 0.7, 28)  # fmt: skip
    for name in choices.wordy:
        column = table.column(name)
        yield _note(name, f"{column.raw} has {column.distinct:,} different words, too many to learn from",
                    "left out of the features; a table that groups them would help (--context)", 0.8, 20)  # fmt: skip
    for said in table.changes:
        mend = (
            "only columns that all files have are used, as words where types differ: add it to all, "
            "or --from later ones"
        )
        yield Doubt("columns that come and go", said.split(" is ")[0], said, mend, 1.0, 76)
    for column in table.columns:
        yield from _notes(connection, found, column)
    for raw in table.unusable:
        said = f"{raw} holds lists, structures or bytes, which no feature can be made of as they are"
        yield _note(raw, said, "left out; give what matters in it a column of its own", 1.0, 35)
    for column in table.columns:
        if column.name in course.rows.columns and column.name not in choices.constant:
            if column.name != found.label.column:
                yield from _life(column, course)
            yield from _absent(column)
            if column.name in choices.numbers:
                yield from _step(column, course)
                yield from _far_out(connection, found, column)
            if column.kind == "string" and column.distinct <= 200:
                yield from _coding(column, course)


def _notes(connection: duckdb.DuckDBPyConnection, found: Understanding, column: Column) -> Iterator[Doubt]:
    """What could not be read for sure."""
    if "not in all" in column.note:
        wanted = "TIMESTAMP" if "like time" in column.note else "DOUBLE"
        odd = f"{column.sql} IS NOT NULL AND TRY_CAST({column.sql} AS {wanted}) IS NULL"
        since, many, example = connection.sql(
            f"SELECT min(__t), count(*), min({column.sql}) FROM {always_quoted(found.table.name)} WHERE {odd}"
        ).fetchall()[0]  # fmt: skip
        if many:
            said = f"{column.raw} {column.note}: {many:,} rows, such as {example!r}, first on {since:%Y-%m-%d}"
            mend = "mend these values in the table, or say in sources.read of params.yaml what they stand for"
            yield Doubt("a type that changes", column.name, said, mend, 0.95, 73)
    elif "cannot be told apart" in column.note:
        mend = f"if it is the other way round, change the format in sources.read.{column.name} of params.yaml"
        yield Doubt("an ambiguous date", column.name, f"{column.raw} is {column.note}", mend, 0.6, 59)


def _note(column: str, said: str, mend: str, sure: float, weight: float) -> Doubt:
    return Doubt("a column of little use", column, said, mend, sure, weight)


def _life(column: Column, course: Course) -> Iterator[Doubt]:
    """Constant or empty for a long time, then alive; or the other way round."""
    parts = course.each(column.name)
    if len(parts) < 8 or _counts_time(column, course):
        return
    dead = [p.drop_nulls().n_unique() <= 1 for p in parts]
    gone = [p.null_count() > 0.98 * len(p) for p in parts]
    for flags, state in ((gone, "empty"), (dead, "constant")):
        first = next((n for n, d in enumerate(flags) if not d), len(flags))
        last = next((n for n, d in enumerate(reversed(flags)) if not d), len(flags))
        shown = course.picture(
            [float(p.null_count()) / len(p) if state == "empty" else float(p.n_unique()) for p in parts]
        )
        drawn = f"share of {column.raw} that is missing" if state == "empty" else f"different values of {column.raw}"
        if 3 <= first < len(flags) and sum(flags[first:]) <= 0.1 * len(flags[first:]):
            since = course.starts[first]
            said = f"{column.raw} is {state} until {since:%Y-%m-%d} and alive from then on"
            mend = f"train only on what came since: windows.train, or leave {column.raw} out of the first releases"
            yield Doubt("newly alive", column.name, said, mend, 0.97, 66, picture=shown, drawn=drawn)
            return
        if 3 <= last < len(flags) and sum(flags[: len(flags) - last]) <= 0.1 * (len(flags) - last):
            since = course.starts[len(flags) - last]
            said = f"{column.raw} is {state} since {since:%Y-%m-%d}: it has died"
            mend = f"ask who delivers it; until then homeostat new ... --drop {column.raw!r}"
            yield Doubt("dying", column.name, said, mend, 0.97, 72, picture=shown, drawn=drawn)
            return


def _absent(column: Column) -> Iterator[Doubt]:
    if 0.5 < column.missing < 1:
        said = f"{column.raw} is missing in {column.missing:.0%} of the rows"
        yield _note(column.name, said, "kept in: trees take missing values; --drop it if it means nothing", 0.95, 22)


def _step(column: Column, course: Course) -> Iterator[Doubt]:
    """One day from which on everything is some times what it was."""
    if _counts_time(column, course):
        return
    middles: Array = np.array([float(p.median() or np.nan) for p in course.each(column.name)])  # type: ignore[arg-type]
    split = _split(middles)
    if split is None:
        return
    before, after = np.nanmedian(middles[:split]), np.nanmedian(middles[split:])
    ratio = after / before
    factor = max(ratio, 1 / ratio)
    unit = next((said for f, said in UNITS.items() if abs(factor / f - 1) < 0.07), None)
    said = (
        f"{column.raw} is {ratio:.3g} times what it was from {course.starts[split]:%Y-%m-%d} on "
        f"({before:.4g}, then {after:.4g})"
    )
    if unit:
        said += f": {unit}?"
    mend = (
        f"bring it to one unit in sources.read of params.yaml, e.g. CASE WHEN ... THEN {column.name} "
        f"/ {ratio:.4g} ELSE {column.name} END"
    )
    yield Doubt("a unit that changes", column.name, said, mend, 0.9 if unit else 0.7, 75,
                picture=course.picture(middles), drawn=f"median of {column.raw}")  # fmt: skip


def _counts_time(column: Column, course: Course) -> bool:
    """A year, a counter, an index: it goes one way, as time does."""
    if not column.numeric:
        return False
    middles = np.array([float(p.median()) if p.median() is not None else np.nan for p in course.each(column.name)])  # type: ignore[arg-type]
    there = middles[np.isfinite(middles)]
    if len(there) < 4 or len(np.unique(there)) < 3:
        return False
    _, ranks = np.unique(there, return_inverse=True)
    return bool(abs(np.corrcoef(ranks, np.arange(len(there)))[0, 1]) > 0.85)


def _split(middles: Array) -> int | None:
    """Where a jump divides the stretches in two that hardly overlap; None without one."""
    if len(middles) < 8 or np.isnan(middles).mean() > 0.2 or (middles <= 0).any() and (middles >= 0).any():
        return None
    size = np.abs(middles)
    best, at = 0.0, 0
    for n in range(3, len(size) - 2):
        before, after = np.nanmedian(size[:n]), np.nanmedian(size[n:])
        if not before or not after:
            continue
        told = abs(np.log(after / before))
        near = _jump(size[n - 2 : n], size[n : n + 2])
        middle = np.sqrt(before * after)
        low, high = (size[:n], size[n:]) if before < after else (size[n:], size[:n])
        agree = min(float((low < middle).mean()), float((high > middle).mean()))
        inner = max(_scatter(size[:n]), _scatter(size[n:]))
        if told > np.log(JUMP) and near > 0.7 * told and agree >= KEPT and told > 3 * inner and told > best:
            best, at = float(told), n
    return at or None


def _jump(before: Array, after: Array) -> float:
    """How far apart two neighbouring stretches lie, as a logarithm; 0 where one has no value."""
    sides = [side[np.isfinite(side)] for side in (before, after)]
    if not all(len(side) and side.all() for side in sides):
        return 0.0
    return float(abs(np.log(sides[1].mean() / sides[0].mean())))


def _scatter(values: Array) -> float:
    """How much positive numbers differ among each other, as a logarithm."""
    there = values[np.isfinite(values) & (values > 0)]
    return float(np.quantile(np.abs(np.log(there / np.median(there))), 0.75)) if len(there) else 0.0


def _coding(column: Column, course: Course) -> Iterator[Doubt]:
    """One day from which on other words stand for the same."""
    parts = course.each(column.name)
    if len(parts) < 8:
        return
    words = course.rows[column.name].drop_nulls().unique().sort().to_list()
    place = {w: n for n, w in enumerate(words)}
    shares = np.zeros((len(parts), len(words)))
    for n, part in enumerate(parts):
        for word, count in part.drop_nulls().value_counts().rows():
            shares[n, place[word]] = count / max(len(part), 1)
    steps = np.abs(np.diff(shares, axis=0)).sum(axis=1) / 2
    at = int(np.argmax(steps)) + 1
    if at < 3 or at > len(parts) - 3:
        return
    before, after = shares[:at].mean(axis=0), shares[at:].mean(axis=0)
    far = float(np.abs(before - after).sum() / 2)
    usual = float(np.median(steps))
    if steps[at - 1] > 0.5 and far > 0.5 and usual < 0.15:
        new = [words[n] for n in np.argsort(before - after)[:3] if before[n] < 0.01 < after[n]]
        old = [words[n] for n in np.argsort(after - before)[:3] if after[n] < 0.01 < before[n]]
        if not new:
            return
        said = (
            f"{column.raw} is coded otherwise from {course.starts[at]:%Y-%m-%d} on: {', '.join(map(repr, new))} came"
            + (f" and {', '.join(map(repr, old))} went" if old else "")
        )
        mend = f"bring it to one coding in sources.read of params.yaml: CASE {column.name} WHEN ... END"
        yield Doubt("a coding that changes", column.name, said, mend, 0.9, 74,
                    picture=course.picture(list(shares[:, [place[w] for w in new]].sum(axis=1))),
                    drawn=f"share of rows with {', '.join(map(str, new))}")  # fmt: skip


def _signed(column: Column) -> bool:
    """Whether below nought is where such a number may well be: a temperature, a balance, a degree, what changed."""
    return bool(words(column.raw) & SIGNED)


def _far_out(connection: duckdb.DuckDBPyConnection, found: Understanding, column: Column) -> Iterator[Doubt]:
    """Values that no measurement gives: far beyond all others, or below nought where hardly any is."""
    name = f"CAST({column.sql} AS DOUBLE)"
    table = always_quoted(found.table.name)
    low, high, negative, least, most, one, middle, three = connection.sql(
        f"SELECT quantile_cont({name}, 0.001), quantile_cont({name}, 0.999), count(*) FILTER ({name} < 0), "
        f"min({name}), max({name}), quantile_cont({name}, 0.01), quantile_cont({name}, 0.5), "
            f"quantile_cont({name}, 0.99) "
        f"FROM {table} WHERE isfinite({name})"
    ).fetchall()[0]  # fmt: skip
    if low is None or high == low:
        return
    said = []
    if 0 < negative <= max(5, 0.001 * column.rows) and one >= 0 and not _signed(column):
        said.append(f"below nought in {negative} row{'s' if negative > 1 else ''} (down to {least:g})")
    width = max(high - low, 3 * (three - middle))
    if most > high + 3 * width or least < low - 3 * width:
        worst = most if most > high + 3 * width else least
        beyond = connection.sql(
            f"SELECT count(*) FROM {table} WHERE {name} > {high + 3 * width} OR {name} < {low - 3 * width}"
        ).fetchall()[0][0]  # fmt: skip
        said.append(
            f"{worst:g} in {'a row' if beyond == 1 else f'the worst of {beyond} rows'}, where nearly all "
            f"lie between {low:g} and {high:g}"
        )
    if said:
        mend = f"the contract holds such rows: look at expectations/{found.table.name}.json"
        yield Doubt("values that cannot be", column.name, f"{column.raw} is {' and '.join(said)}", mend, 0.8, 52)
