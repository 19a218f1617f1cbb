"""Issues of single columns: uninformative, of mixed types, ambiguous, mostly missing, or with implausible values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from homeostat.core.text import count, number
from homeostat.scaffold.audit.column_changes import change_issues
from homeostat.scaffold.audit.column_roles import Roles
from homeostat.scaffold.audit.issue import Issue
from homeostat.scaffold.audit.time_bins import TimeBins
from homeostat.scaffold.profile.identifiers import words
from homeostat.scaffold.profile.profile_table import Profile
from homeostat.scaffold.profile.table import Column
from homeostat.scaffold.profile.workspace import Workspace

SIGNED = {"temp", "temperature", "tmin", "tmax", "dewp", "dew", "dewpoint", "balance", "profit", "net", "margin",
          "change", "delta", "diff", "difference", "return", "returns", "growth", "lat", "lon", "lng", "latitude",
          "longitude", "altitude", "elevation", "offset", "delay", "lag", "score", "celsius", "fahrenheit",
          "degrees", "anomaly", "residual", "gain", "yield", "rate", "pnl", "x", "z"}  # fmt: skip


ValueLimits = tuple[float | None, float | None]  # the least and the most that a contract lets in
AllLimits = Mapping[str, ValueLimits]


def column_issues(
    work: Workspace, profile: Profile, roles: Roles, bins: TimeBins, limits: AllLimits
) -> Iterator[Issue]:
    """Issues of each column; ``limits`` are those of the contract."""
    yield from _uninformative(work, profile, roles)
    for change in profile.table.changes:
        fix = "only columns of all files are used, as words where types differ: add it to all, or --from later files"
        yield Issue("schema changes between files", change.split(" is ")[0], change, fix, 1.0, 76)
    for column in profile.table.columns:
        yield from _unclear_type(work, profile, column)
    for raw in profile.table.unusable:
        text = f"{raw} holds lists, structures or bytes, which no feature can be made of"
        yield _useless(raw, text, "left out; give the part that matters a column of its own", 1.0, 35)
    for column in profile.table.columns:
        if column.name not in bins.rows.columns or column.name in roles.constant:
            continue
        if 0.5 < column.missing < 1:
            text = f"{column.raw} is missing in {column.missing:.0%} of the rows"
            fix = "kept: trees take missing values; --drop it if it means nothing"
            yield _useless(column.name, text, fix, 0.95, 22)
        yield from change_issues(column, bins, is_label=column.name == profile.label.column,
                                 is_number=column.name in roles.numbers)  # fmt: skip
        if column.name in roles.words:
            yield from _alike(work, profile, column)
        if column.name in roles.numbers:
            yield from _implausible(work, profile, column, limits)


def _useless(column: str, text: str, fix: str, confidence: float, severity: float) -> Issue:
    return Issue("uninformative column", column, text, fix, confidence, severity)


def _uninformative(work: Workspace, profile: Profile, roles: Roles) -> Iterator[Issue]:
    for column in map(profile.table.column, roles.constant):
        if column.absent == profile.table.rows:
            yield _useless(column.name, f"{column.raw} is empty", "left out; --drop it if it stays so", 0.99, 40)
        else:
            fix = f"left out; homeostat new ... --drop {column.raw!r} takes it off the scope"
            where = f"the {count(column.rows - column.absent, 'row')} that have it" if column.absent else "every row"
            yield _useless(column.name, f"{column.raw} is {column.low} in {where}", fix, 0.99, 25)
    for column in map(profile.table.column, roles.identifiers):
        filled, distinct = work.row(
            f"SELECT count({column.sql}), count(DISTINCT {column.sql}) FROM {profile.table.sql}"
        )
        how = "looks like a number and identifies a row" if column.kind == "integer" else "identifies a row"
        text = f"{column.raw} {how} ({distinct:,} distinct values)"
        if distinct < filled:
            text = f"{column.raw} has {distinct:,} distinct values in {filled:,} rows, too few of each to learn from"
        yield _useless(column.name, text, "left out of the features", 0.9, 30)
    for column in map(profile.table.column, roles.codes):
        text = f"{column.raw} looks like a number and is a code: its values predict, their order does not"
        fix = "used as words in features.sql; remove the CAST if its size means something"
        yield _useless(column.name, text, fix, 0.7, 28)
    for column in map(profile.table.column, roles.wordy):
        text = f"{column.raw} has {column.distinct:,} distinct words, too many to learn from"
        fix = "left out of the features; a table that groups them would help (--context)"
        yield _useless(column.name, text, fix, 0.8, 20)


def _alike(work: Workspace, profile: Profile, column: Column) -> Iterator[Issue]:
    """Words that differ only in capitals, blanks and signs: probably one, written in several ways."""
    folded = f"regexp_replace(lower({column.sql}), '[\\s.,;:_-]+', '', 'g')"
    groups = work.rows(
        f"SELECT count(DISTINCT {column.sql}), list(DISTINCT {column.sql} ORDER BY {column.sql}), count(*) "
        f"FROM {profile.table.sql} WHERE {column.sql} IS NOT NULL AND {folded} <> '' GROUP BY {folded} HAVING 1 < "
        f"count(DISTINCT {column.sql}) ORDER BY 3 DESC"
    )
    if not groups:
        return
    several, shown = sum(n for n, *_ in groups), ", ".join(repr(word) for word in groups[0][1][:4])
    text = f"{several} words of {column.raw} are {len(groups)} but for capitals, blanks and signs, such as {shown}: "
    text += "each is a category of its own"
    where = f"sources.{profile.table.name}.written.{column.name}"
    fix = f'{where}: {{words: "folded"}} makes those one that differ in capitals; signs: fix them in sources.read'
    yield Issue("words alike", column.name, text, fix, 0.7, 54)


def _unclear_type(work: Workspace, profile: Profile, column: Column) -> Iterator[Issue]:
    """Values of another type than most, and dates whose day and month may be swapped."""
    if column.reading.mostly:
        wanted = "TIMESTAMP" if column.reading.mostly == "time" else "DOUBLE"
        since, rows, example = work.row(
            f"SELECT min(__t), count(*), min({column.sql}) FROM {profile.table.sql} "
            f"WHERE {column.sql} IS NOT NULL AND TRY_CAST({column.sql} AS {wanted}) IS NULL"
        )
        if rows:
            where = f"{count(rows, 'row')}, such as {example!r}, first on {since:%Y-%m-%d}"
            text = f"{column.raw} {column.reading.note}: {where}"
            fix = "fix these values in the table, or say in sources.read of params.yaml what they stand for"
            yield Issue("mixed types", column.name, text, fix, 0.95, 73)
    elif column.reading.ambiguous:
        fix = f"if it is otherwise, change sources.{profile.table.name}.written.{column.name} in params.yaml"
        yield Issue("ambiguous writing", column.name, f"{column.raw}: {column.reading.note}", fix, 0.6, 59)


def rarely_negative(column: Column, negative: int, first_percent: float) -> bool:
    """Whether the few negative values of a number are errors: hardly any other is below zero, nor is it called so."""
    return negative <= max(5, 0.001 * column.rows) and first_percent >= 0 and not words(column.raw) & SIGNED


def _held_by(work: Workspace, profile: Profile, column: Column, limits: ValueLimits | None) -> str:
    """What the contract does about such rows, by its own limits."""
    file = f"expectations/{profile.table.name}.json"
    low, high = limits or (None, None)
    outside = [f"{column.sql} < {low}"] * (low is not None) + [f"{column.sql} > {high}"] * (high is not None)
    condition = " OR ".join(outside) or "false"
    (rows,) = work.row(f"SELECT count(*) FROM {profile.table.sql} WHERE {condition}")
    if not rows:
        return f"kept: no rule of {file} quarantines them; narrow the limits of {column.name} there if they are errors"
    span = " to ".join("any" if v is None else number(v) for v in (low, high))
    return f"the contract quarantines {count(rows, 'such row')}, those outside {span}: {file}"


def _implausible(work: Workspace, profile: Profile, column: Column, limits: AllLimits) -> Iterator[Issue]:
    """Values that no measurement gives: far beyond all others, or negative where hardly any is."""
    name = f"CAST({column.sql} AS DOUBLE)"
    finite = f"FROM {profile.table.sql} WHERE isfinite({name})"
    low, high, negative, least, most, one, middle, three = work.row(
        f"SELECT quantile_cont({name}, 0.001), quantile_cont({name}, 0.999), count(*) FILTER ({name} < 0), "
        f"min({name}), max({name}), quantile_cont({name}, 0.01), quantile_cont({name}, 0.5), "
        f"quantile_cont({name}, 0.99) {finite}"
    )
    if low is None or high == low:
        return
    clauses = []
    if negative and rarely_negative(column, negative, one):
        clauses.append(f"negative in {negative} row{'s' if negative > 1 else ''} (down to {number(least)})")
    width = 3 * max(high - low, 3 * (three - middle))
    if most > high + width or least < low - width:
        worst = most if most > high + width else least
        (beyond,) = work.row(
            f"SELECT count(*) FROM {profile.table.sql} WHERE {name} > {high + width} OR {name} < {low - width}"
        )
        where = "a row" if beyond == 1 else f"the worst of {beyond} rows"
        clauses.append(f"{number(worst)} in {where}, where nearly all are between {number(low)} and {number(high)}")
    if clauses:
        fix = _held_by(work, profile, column, limits.get(column.name))
        yield Issue("implausible values", column.name, f"{column.raw} is {' and '.join(clauses)}", fix, 0.8, 52)
