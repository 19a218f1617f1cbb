"""What a table says, before anything is modelled: types, time, task, key, rhythm, and when labels come."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from difflib import get_close_matches
from statistics import median
from typing import TYPE_CHECKING

from homeostat.core.errors import DataError, UsageError
from homeostat.core.listing import listed
from homeostat.core.periods import EPOCH, floor
from homeostat.scaffold.profile import batch_period as rhythms
from homeostat.scaffold.profile import ranking as orders
from homeostat.scaffold.profile.batch_period import DAY, PERIODS, Rhythm, rounded_up
from homeostat.scaffold.profile.column_types import NO, YES, reading_of
from homeostat.scaffold.profile.composite_time import YEARS, composed
from homeostat.scaffold.profile.identifiers import always_quoted, ascii_name, plain_names, quoted, text
from homeostat.scaffold.profile.open_table import Address, open_table

if TYPE_CHECKING:
    import duckdb
    import polars as pl

FEWEST = 100  # rows of a table that a loop can be run on
SAMPLE = 60_000  # rows that columns are judged on
WORDS = ("yes", "true", "up", "churn", "fraud", "default", "fail", "cancel", "late", "bad", "spam", "positive", "won")
LATEST = 0.10  # share of the history that waiting for labels may cost: an old model loses more than a bias does
THIN, LASTING = 0.4, 8  # share of the usual rows below which a period is thin; periods in which it has to last
ROW_ID = "row_id"
TASKS = ("binary", "regression", "ranking")
TWICE = 0.005  # share of the rows on a grid of times that may share their key with another
SECOND = timedelta(seconds=1)
NAMED = 24  # columns that a message lists


@dataclass(frozen=True)
class Column:
    """One column: ``name`` is what the project calls it, ``raw`` what the table does."""

    name: str
    raw: str
    kind: str
    read: str | None
    note: str = ""
    rows: int = 0
    absent: int = 0
    distinct: int = 0
    low: str | None = None
    high: str | None = None

    @property
    def sql(self) -> str:
        return quoted(self.name)

    @property
    def numeric(self) -> bool:
        return self.kind in ("integer", "float", "boolean")

    @property
    def missing(self) -> float:
        return self.absent / max(self.rows, 1)


@dataclass(frozen=True)
class Label:
    """What is predicted: ``sql`` over a row; ``positive`` is the value that counts as yes."""

    column: str
    task: str
    sql: str
    positive: str | None = None
    group: str | None = None
    rate: float = 0.0
    note: str = ""


@dataclass(frozen=True)
class Asked:
    """What the command was told."""

    source: Address
    time: str | None = None
    label: str | None = None
    known_at: str | None = None
    key: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    positive: str | None = None
    task: str | None = None
    group: str | None = None
    predict_before: timedelta = timedelta(0)


@dataclass(frozen=True)
class Table:
    """A table as it is read: its columns, and the SQL of its time."""

    name: str
    address: Address
    columns: tuple[Column, ...]
    unusable: tuple[str, ...]  # nested columns and the like, left out
    rows: int
    time: str | None = None  # SQL over a row
    key: tuple[str, ...] = ()
    key_note: str = ""
    changes: tuple[str, ...] = ()  # what came and went between its files

    def column(self, name: str) -> Column:
        return next(c for c in self.columns if c.name == name)

    @property
    def names(self) -> list[str]:
        return [c.name for c in self.columns]


@dataclass(frozen=True)
class Bound:
    """A time that is known beforehand and after which all labels are there: ``sql`` over a row, and a ``wait``.

    ``middle`` and ``most`` are how long after the event labels count then, in the middle and for 95 of 100.
    """

    column: str
    sql: str
    wait: timedelta
    middle: timedelta
    most: timedelta


@dataclass(frozen=True)
class Understanding:
    """Everything that a first draft follows from."""

    asked: Asked
    table: Table
    label: Label
    time_column: str
    known_at: str | None
    first: datetime
    last: datetime
    start: datetime  # of the window: a thin beginning is left out
    end: datetime
    step: timedelta | None  # of times that lie on a grid
    series: bool  # the same things are measured again and again, one row each time
    rhythm: Rhythm
    delay: timedelta  # until a label is known, where no column says so
    horizon: timedelta
    delays: Mapping[float, timedelta]  # quantiles of how long labels took, where a column says so
    timeless: int  # rows without a time
    counts: tuple[int, ...]  # rows of each batch
    holdout: timedelta = timedelta(0)
    warm_up: timedelta = timedelta(0)
    contexts: tuple[Context, ...] = ()
    bound: Bound | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def history(self) -> timedelta:
        return self.end - self.start


@dataclass(frozen=True)
class Context:
    """A further table, joined by columns of the same name."""

    table: Table
    join: tuple[str, ...]


# ---- tables


def read_table(connection: duckdb.DuckDBPyConnection, name: str, address: Address) -> Table:
    """Open a table and make ``<name>`` a typed one in the database, its raw form beside it."""
    raw = f"{name}__raw"
    written, changes = open_table(connection, raw, address)
    columns: list[Column] = []
    unusable: list[str] = []
    for plain, (there, sql_type) in zip(plain_names(n for n, _ in written), written, strict=True):
        reading = reading_of(connection, raw, there, sql_type)
        if reading is None:
            unusable.append(there)
            continue
        sql = reading.sql if reading.sql is not None or plain == there else always_quoted(there)
        columns.append(Column(plain, there, reading.kind, sql, reading.note))
    listed = ", ".join(f"{_typed(c)} AS {always_quoted(c.name)}" for c in columns)
    connection.execute(f"CREATE TABLE {always_quoted(name)} AS SELECT {listed} FROM {always_quoted(raw)}")
    table = Table(name, address, tuple(columns), tuple(unusable), _count(connection, name), changes=tuple(changes))
    return replace(table, columns=tuple(_profiled(connection, table)))


def _typed(column: Column) -> str:
    sql = f"({column.read})" if column.read is not None else always_quoted(column.raw)
    match column.kind:
        case "integer":
            return f"TRY_CAST(TRY_CAST({sql} AS DOUBLE) AS BIGINT)" if column.read else f"TRY_CAST({sql} AS BIGINT)"
        case "float":
            return f"TRY_CAST({sql} AS DOUBLE)"
        case "boolean":
            bare = f"lower(CAST({sql} AS VARCHAR))"
            return (
                f"CASE WHEN {bare} IN ('true','t','1','yes','y','on') THEN true WHEN {bare} IS NOT NULL THEN false END"
            )
        case "time":
            return f"CAST(TRY_CAST({sql} AS TIMESTAMPTZ) AS TIMESTAMP)"
        case _:
            return f"CAST({sql} AS VARCHAR)"


def _count(connection: duckdb.DuckDBPyConnection, name: str) -> int:
    return int(connection.sql(f"SELECT count(*) FROM {always_quoted(name)}").fetchall()[0][0])


def _profiled(connection: duckdb.DuckDBPyConnection, table: Table) -> list[Column]:
    asked = []
    for c in table.columns:
        n = always_quoted(c.name)
        asked += [
            f"count({n})",
            f"approx_count_distinct({n})",
            f"CAST(min({n}) AS VARCHAR)",
            f"CAST(max({n}) AS VARCHAR)",
        ]
    row = connection.sql(f"SELECT {', '.join(asked)} FROM {always_quoted(table.name)}").fetchall()[0]
    few = [c for n, c in enumerate(table.columns) if row[4 * n + 1] < 3000]
    exact: dict[str, int] = {}
    if few:
        counted = ", ".join(f"count(DISTINCT {always_quoted(c.name)})" for c in few)
        answer = connection.sql(f"SELECT {counted} FROM {always_quoted(table.name)}").fetchall()[0]
        exact = dict(zip((c.name for c in few), answer, strict=True))
    return [
        replace(
            c, rows=table.rows, absent=table.rows - row[4 * n],
            distinct=exact.get(c.name, min(row[4 * n + 1], row[4 * n])),
            low=row[4 * n + 2], high=row[4 * n + 3],
        )
        for n, c in enumerate(table.columns)
    ]  # fmt: skip


def find(table: Table, said: str, option: str) -> Column:
    """The column that a person named, by either of its names.

    Raises:
        UsageError: there is none.
    """
    for matches in (
        lambda c: said in (c.raw, c.name),
        lambda c: said.strip().lower() in (c.raw.strip().lower(), c.name.lower()),
    ):
        found = [c for c in table.columns if matches(c)]
        if found:
            return found[0]
    near = get_close_matches(said.lower(), [c.raw.lower() for c in table.columns], 3, 0.6)
    near += [c.raw.lower() for c in table.columns if said.lower() in c.raw.lower() and c.raw.lower() not in near]
    like = [c for n in near for c in table.columns if c.raw.lower() == n][:3]
    meant = f"perhaps {' or '.join(c.raw for c in like)}; " if like else ""
    raise UsageError(f"{option} {said}: no such column; {meant}there are {_some(table.columns)}")


def _some(columns: Sequence[Column]) -> str:
    """Their names, the first of them where there are many."""
    return listed([c.raw for c in columns], NAMED)


# ---- the whole


def understand(
    connection: duckdb.DuckDBPyConnection, asked: Asked, contexts: Sequence[tuple[str, Address, tuple[str, ...]]] = ()
) -> Understanding:
    """Read the table that was named and say what a project on it would be.

    The typed table stays in the database under its name, with ``__t``, the time of each row.

    Raises:
        UsageError: a column that was named is not there, or cannot be what it is said to be.
        DataError: the table cannot be read, or is too small.
    """
    name = _source_name(asked.source.stem)
    table = read_table(connection, name, asked.source)
    if table.rows < FEWEST:
        raise DataError(
            f"{asked.source.path or asked.source.url}: {table.rows} rows are too few for a loop; give {FEWEST} or more"
        )
    dropped = [find(table, d, "--drop").name for d in asked.drop]
    for option, said in (("--label", asked.label), ("--time", asked.time), ("--known-at", asked.known_at)):
        if said is not None and find(table, said, option).name in dropped:
            raise UsageError(f"--drop {said}: is what {option} names; leave out one of the two")
    table = replace(table, columns=tuple(c for c in table.columns if c.name not in dropped))
    if asked.label is None:
        raise UsageError(f"--label: say which column is to be predicted; there are {_some(table.columns)}")
    labelled = find(table, asked.label, "--label")
    time_column = _time_column(table, asked, labelled.name)
    table, time_column = composed(connection, table, time_column, labelled.name)
    time = _time_sql(connection, table, time_column)
    table, timeless = _with_time(connection, table, time)
    label = read_label(connection, table, labelled, asked)
    known = _known_column(table, asked)
    first, last = connection.sql(f"SELECT min(__t), max(__t) FROM {always_quoted(name)}").fetchall()[0]
    if first == last:
        raise DataError(f"--time {time_column.raw}: all rows are of {first}; a loop needs a history")
    step = _step(connection, name)
    table = _keyed(connection, table, asked, time_column, label.column, step)
    counted = {p: _counted(connection, name, p, first, last) for p in PERIODS if (last - first) / p < 50_000}
    start, kept = _start(counted, first)
    rhythm = rhythms.choose({p: c for p, c in kept.items() if c})
    start = floor(start, rhythm.period, timedelta(0))
    end = floor(last, rhythm.period, timedelta(0)) + rhythm.period
    if rhythm.batches < 3:
        raise DataError(f"--time {time_column.raw}: only {rhythm.batches} batches of history; give a longer one")
    series = _series(connection, table, time_column, step)
    delays = _delays(connection, table, known)
    delay = _delay(step, series, rhythm)
    horizon = _horizon(delays, delay, end - start)
    counts = _counted(connection, name, rhythm.period, start, last)
    found = Understanding(
        asked, table, label, time_column.name, known, first, last, start, end, step, series, rhythm, delay, horizon,
        delays, timeless, tuple(counts),
    )  # fmt: skip
    joined = tuple(_context(connection, found, *c) for c in contexts)
    return replace(with_windows(found), contexts=joined)


def _source_name(stem: str) -> str:
    name = ascii_name(stem, "records")
    return f"{name}_table" if name.lower() in ("events", "written", "rows", "asked", "told", "seen") else name


def _with_time(connection: duckdb.DuckDBPyConnection, table: Table, time: str) -> tuple[Table, int]:
    name = always_quoted(table.name)
    connection.execute(f"ALTER TABLE {name} ADD COLUMN __t TIMESTAMP")
    connection.execute(f"UPDATE {name} SET __t = {time}")
    timeless = int(connection.sql(f"SELECT count(*) FROM {name} WHERE __t IS NULL").fetchall()[0][0])
    if timeless:
        time = f"coalesce({time}, TIMESTAMP '1900-01-01')"
    return replace(table, time=time), timeless


def _time_column(table: Table, asked: Asked, label: str) -> Column:
    """The column that was named; else the one time, or among several the one that is there in most rows, and early."""
    if asked.time is not None:
        return find(table, asked.time, "--time")
    times = [c for c in table.columns if c.kind == "time" and c.name not in (label, asked.known_at)]
    if times:
        return min(times, key=lambda c: (c.absent, c.low or "", c.high or ""))
    raise UsageError(f"--time: say which column is the time of a row; there are {_some(table.columns)}")


def _time_sql(connection: duckdb.DuckDBPyConnection, table: Table, column: Column) -> str:
    """The time of a row, in SQL, from a time or a number that counts one.

    Raises:
        UsageError: it is neither.
    """
    name = column.sql
    if column.kind == "time":
        return name
    times = [c for c in table.columns if c.kind == "time"]
    mend = f"there {'is' if len(times) == 1 else 'are'} {_some(times)}" if times else "none of the others is one either"
    bad = f"--time {column.raw}: holds {column.low} to {column.high}, which is no time; name another column: {mend}"
    if column.kind == "string" and column.absent < column.rows:
        example = connection.sql(
            f"SELECT {name} FROM {always_quoted(table.name)} WHERE {name} IS NOT NULL AND "
            f"(NOT regexp_matches({name}, '[0-9]') OR length({name}) < 6) LIMIT 1"
        ).fetchall()
        like = f"such as {example[0][0]!r}" if example else f"such as {column.low!r} or {column.high!r}"
        raise UsageError(
            f"--time {column.raw}: some of its values are no times, {like}; mend them, or name another column: {mend}"
        )
    if column.kind not in ("integer", "float") or column.low is None or column.high is None:
        raise UsageError(bad)
    low, high = float(column.low), float(column.high)
    whole = name if column.kind == "integer" else f"CAST({name} AS BIGINT)"
    for least, most, sql in (
        (*YEARS, f"make_timestamp({whole}, 1, 1, 0, 0, 0)"),
        (20_000, 75_000, f"TIMESTAMP '1899-12-30' + to_microseconds(CAST({name} * 86400000000 AS BIGINT))"),
        (620_000, 800_000, f"TIMESTAMP '0001-01-01' + to_days(CAST({name} AS INTEGER) - 1)"),
        (190001, 210012, f"make_timestamp({whole} // 100, {whole} % 100, 1, 0, 0, 0)"),
        (19000101, 21001231, f"make_timestamp({whole} // 10000, {whole} // 100 % 100, {whole} % 100, 0, 0, 0)"),
        (1e8, 5e9, f"make_timestamp(CAST({name} * 1000000 AS BIGINT))"),
        (1e11, 5e12, f"make_timestamp(CAST({name} * 1000 AS BIGINT))"),
        (1e14, 5e15, f"make_timestamp({whole})"),
    ):
        if least <= low and high <= most:
            return sql
    raise UsageError(bad)


# ---- the label


def read_label(connection: duckdb.DuckDBPyConnection, table: Table, column: Column, asked: Asked) -> Label:
    """The task that the label's values ask for, and SQL that makes it a number.

    Raises:
        UsageError: it is constant, or has more classes than one question can be about.
    """
    values = connection.sql(
        f"SELECT CAST({column.sql} AS VARCHAR), count(*) FROM {always_quoted(table.name)} "
        f"WHERE {column.sql} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 30"
    ).fetchall()
    if len(values) < 2:
        only = f"only ever {values[0][0]}" if values else "empty"
        raise UsageError(f"--label {column.raw}: is {only}; there is nothing to predict, name another column")
    if asked.task not in (None, *TASKS):
        raise UsageError(f"--task {asked.task}: no such task; there are {', '.join(TASKS)}")
    task = asked.task or _task(column, values)
    group = find(table, asked.group, "--group") if asked.group else None
    if asked.task is None and asked.positive is None and group is None:
        group = orders.group_of(connection, table, column)
    if task == "ranking" and group is None:
        likely = orders.likely_group(table, column) or orders.group_of(connection, table, column)
        like = f", such as {likely.raw}" if likely is not None else ""
        raise UsageError(f"--task ranking: say with --group COL among which rows an order is wanted{like}")
    if group is not None and asked.task in (None, "ranking"):
        return _order(connection, table, column, group)
    if task == "regression" and asked.positive is None:
        if not column.numeric:
            raise UsageError(f"--label {column.raw}: is no number; leave out --task, or say --positive VALUE")
        return Label(column.name, task, column.sql, note=_otherwise(table, column))
    if len(values) > 2 and asked.positive is None and _two_codings(values):
        return _yes_or_no(column, values)
    if len(values) > 2 and asked.positive is None:
        listed = ", ".join(f"{v} ({n:,})" for v, n in values[:6])
        raise UsageError(
            f"--label {column.raw}: has {column.distinct} classes ({listed}); one model answers yes or "
            "no, an amount or "
            "an order: say which class to predict with --positive VALUE"
        )
    positive = asked.positive if asked.positive is not None else _positive(column, values)
    known = {str(v).lower(): str(v) for v, _ in values}
    if positive.lower() not in known:
        raise UsageError(f"--positive {positive}: no such value of {column.raw}; there are {', '.join(known.values())}")
    positive = known[positive.lower()]
    rate = sum(n for v, n in values if v == positive) / max(column.rows - column.absent, 1)
    note = _otherwise(table, column) if asked.task is None else ""
    return Label(column.name, "binary", _is(column, positive), positive, None, rate, note)


def _two_codings(values: Sequence[tuple[str, int]]) -> bool:
    """Whether all that is said is yes or no, in more words than two: its coding changed."""
    said = {str(v).strip().lower() for v, _ in values}
    return said <= YES | NO | {"0", "1"} and bool(said & (YES | {"1"})) and bool(said & (NO | {"0"}))


def _yes_or_no(column: Column, values: Sequence[tuple[str, int]]) -> Label:
    yes = sorted(str(v) for v, _ in values if str(v).strip().lower() in YES | {"1"})
    rate = sum(n for v, n in values if str(v) in yes) / max(column.rows - column.absent, 1)
    words = ", ".join(map(text, yes))
    note = "it is coded in more than one way, which sources.read can mend"
    return Label(column.name, "binary", f"{column.sql} IN ({words})", " or ".join(yes), None, rate, note)


def _order(connection: duckdb.DuckDBPyConnection, table: Table, column: Column, group: Column) -> Label:
    if not column.numeric:
        raise UsageError(f"--label {column.raw}: an order needs a number or yes and no, not words; name another column")
    if group.name == column.name or group.distinct > 0.9 * group.rows:
        raise UsageError(f"--group {group.raw}: names hardly any two rows together; name the column that they share")
    sql, note = orders.grade_sql(connection, table, column, group)
    return Label(column.name, "ranking", sql, None, quoted(group.name), note=note)


def _otherwise(table: Table, column: Column) -> str:
    """What a number could be instead of an amount, and how to say so."""
    likely = orders.likely_group(table, column)
    if likely is not None:
        return f"if it is an order within {likely.raw}: --task ranking --group {text(likely.raw)}"
    if column.kind == "integer" and 2 < column.distinct <= 10:
        return f"if its {column.distinct} values are classes: --positive VALUE says which one to predict"
    return ""


def _task(column: Column, values: Sequence[tuple[str, int]]) -> str:
    if column.kind == "boolean" or len(values) == 2:
        return "binary"
    return "regression" if column.kind in ("integer", "float") else "binary"


def _positive(column: Column, values: Sequence[tuple[str, int]]) -> str:
    """Yes, true, 1 and such words; otherwise the rarer of the two."""
    said = [str(v) for v, _ in values]
    if column.kind == "boolean":
        return "true"
    if column.numeric:
        return max(said, key=float)
    worded = [v for v in said if any(re.match(rf"{w}", v.strip().lower()) for w in WORDS)]
    return worded[0] if len(worded) == 1 else said[-1]


def _is(column: Column, positive: str) -> str:
    if column.kind == "boolean":
        return column.sql if positive == "true" else f"NOT {column.sql}"
    if column.numeric:
        return f"{column.sql} = {float(positive):g}"
    return f"{column.sql} = {text(positive)}"


def label_sql(label: Label) -> str:
    """The label as a number."""
    return f"CAST(({label.sql}) AS DOUBLE)"


def label_of(label: Label, alias: str) -> str:
    """The label's SQL over a row that goes by an alias.

    >>> label_of(Label("up", "binary", "CASE WHEN up IS NOT NULL THEN upper(up) = 'up' END"), "e")
    "CASE WHEN e.up IS NOT NULL THEN upper(e.up) = 'up' END"
    """
    column = quoted(label.column)
    return re.sub(rf"""(?<![\w.'"]){re.escape(column)}(?![\w'"])""", lambda found: f"{alias}.{column}", label.sql)


# ---- when labels come


def _known_column(table: Table, asked: Asked) -> str | None:
    if asked.known_at is None:
        return None
    column = find(table, asked.known_at, "--known-at")
    if column.kind != "time":
        raise UsageError(
            f"--known-at {column.raw}: is {column.kind}, not a time; name the column that says when labels came"
        )
    return column.name


def known_sql(found: Understanding) -> str:
    """When the label of a row is known, in SQL, by the column that says so: a day is over when it is known."""
    assert found.known_at is not None
    name = quoted(found.known_at)
    if found.delays[0.1] % DAY == timedelta(0) == found.delays[0.5] % DAY:
        return f"{name} + INTERVAL 1 DAY"
    return name


def _delays(connection: duckdb.DuckDBPyConnection, table: Table, known: str | None) -> dict[float, timedelta]:
    if known is None:
        return {}
    shares = (0.1, 0.5, 0.9, 0.95, 0.99)
    asked = ", ".join(f"quantile_cont(epoch({quoted(known)}) - epoch(__t), {q})" for q in shares)
    row = connection.sql(
        f"SELECT {asked} FROM {always_quoted(table.name)} WHERE {quoted(known)} IS NOT NULL AND __t IS NOT NULL"
    ).fetchall()[0]
    delays = {q: timedelta(seconds=round(s or 0)) for q, s in zip(shares, row, strict=True)}
    if delays[0.5] < timedelta(0):
        raise UsageError(
            f"--known-at {table.column(known).raw}: lies before the time of most rows, and labels come after it; name "
            "the column that says when they came"
        )
    return delays


def _delay(step: timedelta | None, series: bool, rhythm: Rhythm) -> timedelta:
    """How long until a label is known, where nothing says so: a measurement is done when the next begins."""
    if series and step is not None:
        return min(step, rhythm.period)
    return min(DAY, rhythm.period)


def _horizon(delays: Mapping[float, timedelta], delay: timedelta, history: timedelta) -> timedelta:
    """When nine of ten labels are there, unless waiting for them would cost too much of the history."""
    if not delays:
        return delay
    most = timedelta(days=int(history * LATEST / DAY)) or DAY
    unit = DAY if delays[0.9] >= DAY else timedelta(hours=1)
    return max(min(rounded_up(delays[0.9], unit), most), unit)


# ---- time


def _step(connection: duckdb.DuckDBPyConnection, name: str) -> timedelta | None:
    """The grid that times lie on, if three of four neighbouring times are one step apart."""
    found = connection.sql(
        "SELECT gap, count(*) AS n, sum(count(*)) OVER () AS total FROM ("
        "SELECT epoch(t) - epoch(lag(t) OVER (ORDER BY t)) AS gap FROM (SELECT DISTINCT __t AS t FROM "
        f"{always_quoted(name)} WHERE __t IS NOT NULL)) WHERE gap IS NOT NULL "
        "GROUP BY gap ORDER BY n DESC LIMIT 4"
    ).fetchall()
    if not found:
        return None
    gap, total = float(found[0][0]), int(found[0][2])
    near = sum(n for g, n, _ in found if abs(g - gap) <= 0.12 * gap)  # months and years differ in length
    return timedelta(seconds=gap) if gap >= 1 and near >= 0.75 * total else None


def _counted(
    connection: duckdb.DuckDBPyConnection, name: str, period: timedelta, first: datetime, last: datetime
) -> list[int]:
    """Rows of every period from the one that holds ``first`` to that of ``last``, empty ones too."""
    seconds = int(period.total_seconds())
    begin = floor(first, period, timedelta(0))
    found = dict(connection.sql(
        f"SELECT CAST(floor((epoch(__t) - epoch(TIMESTAMP '{EPOCH}')) / {seconds}) AS BIGINT) AS p, count(*) "
        f"FROM {always_quoted(name)} WHERE __t >= TIMESTAMP '{begin}' GROUP BY p"
    ).fetchall())  # fmt: skip
    base = (begin - EPOCH) // period
    return [int(found.get(base + n, 0)) for n in range((last - begin) // period + 1)]


def _start(counted: Mapping[timedelta, Sequence[int]], first: datetime) -> tuple[datetime, dict[timedelta, list[int]]]:
    """Where the history begins in earnest: a beginning with a trickle of rows is left out."""
    many = [p for p in sorted(counted) if 20 <= len(counted[p]) <= rhythms.MANY]
    rough = next((p for p in many if median(n for n in counted[p] if n) >= 30), many[-1] if many else max(counted))
    counts = counted[rough]
    usual = sorted(counts)[len(counts) * 3 // 5]
    full = [c >= THIN * usual for c in counts]
    thin = next((n for n, f in enumerate(full) if f and sum(full[n : n + LASTING]) >= 0.75 * LASTING), 0)
    if thin > len(counts) // 2 or thin < 3:
        thin = 0
    begin = floor(first, rough, timedelta(0)) + thin * rough
    kept = {p: list(c[max(0, (begin - floor(first, p, timedelta(0))) // p) :]) for p, c in counted.items()}
    return max(begin, first), kept


def with_windows(found: Understanding) -> Understanding:
    """Holdout and warm-up that the history allows."""
    period, history = found.rhythm.period, found.history
    usual = found.bound.middle if found.bound is not None else timedelta(0)
    rows = max(found.rhythm.rows, 1)
    holdout = max(
        period,
        rounded_up(history * 0.08, period),
        min(rounded_up(period * (400 / rows), period), history * 0.2 // period * period),
        min(rounded_up(usual, period), history * 0.2 // period * period),
    )
    wait = max(usual, found.horizon)
    wait = wait if wait >= period else timedelta(0)
    warm_up = rounded_up(max(wait + holdout + max(holdout, history * 0.1), history * 0.2), period)
    most = max(history * 0.6 // period * period, rounded_up(wait + holdout + period, period))
    return replace(found, holdout=holdout, warm_up=max(min(warm_up, most), holdout + period))


# ---- the key


def _keyed(
    connection: duckdb.DuckDBPyConnection, table: Table, asked: Asked, time: Column, label: str, step: timedelta | None
) -> Table:
    """The key that was given, or found, or a row id made of the row's own content.

    Times on a grid name their rows also where a few come twice: those are errors, and held.
    """
    if asked.key:
        return replace(table, key=tuple(find(table, k, "--key").name for k in asked.key), key_note="as given")
    for key in _candidates(table, time, label, step):
        if _unique(connection, table, key):
            return replace(table, key=key, key_note=f"found: {' and '.join(key)} name each row once")
    if step is not None:
        for key in _candidates(table, time, label, step):
            if time.name in key and _twice(connection, table, key) <= TWICE * table.rows:
                return replace(table, key=key, key_note=f"found: {' and '.join(key)} name nearly every row once")
    note = "no column names a row: made of the row's content, and a number among rows that are equal"
    return replace(table, key=(ROW_ID,), key_note=note)


def with_row_id(table: Table, first: Sequence[str]) -> Table:
    """The table with its row id, where it needs one, made of the columns ``first``, which never change."""
    if table.key != (ROW_ID,):
        return table
    joined = ", ".join(always_quoted(table.column(c).raw) for c in first)
    content = f"md5(CAST(row({joined}) AS VARCHAR))"
    sql = f"left({content}, 16) || '-' || row_number() OVER (PARTITION BY {content})"
    column = Column(ROW_ID, ROW_ID, "string", sql, table.key_note, table.rows, 0, table.rows)
    return replace(table, columns=(column, *table.columns))


def _candidates(table: Table, time: Column, label: str, step: timedelta | None) -> list[tuple[str, ...]]:
    whole = [c for c in table.columns if not c.absent and c.name != label and c.kind in ("string", "integer")]
    nearly = [c for c in whole if c.distinct >= 0.9 * table.rows and c.name != time.name]
    named = [c for c in nearly if is_identifier_name(c.raw)]
    few = [c for c in whole if c.name != time.name and 1 < c.distinct < 0.5 * table.rows]
    # Off a grid a number beside the time is a measure that happened to differ, not a thing that is measured.
    naming = [c for c in few if step is not None or c.kind == "string" or is_identifier_name(c.raw)]
    things = sorted(naming, key=lambda c: c.distinct)
    own = [(time.name,)] if not time.absent else []
    pairs = [(c.name, time.name) for c in things if not time.absent][:12]
    worded = [c for c in nearly if c.kind == "string" and c not in named]
    counted = [c for c in nearly if c.kind != "string" and c not in named]
    return [*((c.name,) for c in (*named, *worded)), *own, *((c.name,) for c in counted), *pairs]


def is_identifier_name(name: str) -> bool:
    """Whether a column is called like something that names a row.

    >>> [is_identifier_name(n) for n in ("id", "Order ID", "customerId", "paid", "uuid", "humidity")]
    [True, True, True, False, True, False]
    """
    words = re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
    return bool(re.search(r"(^|[^a-z])(id|uuid|guid|key|no|nr|number|index|rowid|row)($|[^a-z])", words)) or words in (
        "unnamed: 0",
        "",
    )


def _unique(connection: duckdb.DuckDBPyConnection, table: Table, key: tuple[str, ...]) -> bool:
    names = ", ".join(quoted(k) for k in key)
    most = f"SELECT max(n) FROM (SELECT count(*) AS n FROM {always_quoted(table.name)} GROUP BY {names})"
    return bool(connection.sql(most).fetchall()[0][0] == 1)


def _twice(connection: duckdb.DuckDBPyConnection, table: Table, key: tuple[str, ...]) -> int:
    """Rows beyond the first of each key."""
    names = ", ".join(quoted(k) for k in key)
    counted = f"SELECT count(*) - count(DISTINCT ({names})) FROM {always_quoted(table.name)}"
    return int(connection.sql(counted).fetchall()[0][0])


def _series(connection: duckdb.DuckDBPyConnection, table: Table, time: Column, step: timedelta | None) -> bool:
    """Whether the same things are measured at each step: by the key, one row a time, or a thing and a time."""
    if step is None or time.name not in table.key or len(table.key) > 2:
        return False
    if len(table.key) == 1:
        return True
    thing = next(k for k in table.key if k != time.name)
    return table.column(thing).distinct * 8 < table.rows


# ---- context tables


def _context(
    connection: duckdb.DuckDBPyConnection, found: Understanding, name: str, address: Address, join: tuple[str, ...]
) -> Context:
    table = read_table(connection, ascii_name(name, "context"), address)
    for said in join:
        find(found.table, said, f"--context {name}")
    columns = tuple(find(table, said, f"--context {name}").name for said in join)
    times = [c for c in table.columns if c.kind == "time" and c.name not in columns]
    key = columns
    if times and not _unique(connection, table, columns):
        key = (*columns, times[0].name)
        table = replace(table, time=times[0].sql)
    if not _unique(connection, table, key):
        mend = "name further join columns, or leave one row for each"
        raise UsageError(f"--context {name}: {', '.join(join)} name several rows of it; {mend}")
    return Context(replace(table, key=key), join)


def sample(connection: duckdb.DuckDBPyConnection, found: Understanding) -> pl.DataFrame:
    """Rows of the window that have a label, in order of time, a share of them where there are many, with ``__y``."""
    import polars as pl

    every = max(1, found.table.rows // SAMPLE)
    names = ", ".join(always_quoted(c.name) for c in found.table.columns if c.name != ROW_ID)
    part = connection.sql(
        f"SELECT {names}, __t, {label_sql(found.label)} AS __y FROM {always_quoted(found.table.name)} "
        f"WHERE __t >= TIMESTAMP '{found.start}' AND ({found.label.sql}) IS NOT NULL "
        + (f"AND hash(rowid) % {every} = 0 " if every > 1 else "") + "ORDER BY __t, rowid"
    ).to_arrow_table()  # fmt: skip
    return pl.DataFrame(part)
