"""The columns that identify a row, and whether the same things are measured again and again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from homeostat.scaffold.profile.column_types import Reading
from homeostat.scaffold.profile.event_time import EventTime
from homeostat.scaffold.profile.identifiers import is_identifier_name, quoted, quoted_list
from homeostat.scaffold.profile.open_table import FILE
from homeostat.scaffold.profile.request import Request
from homeostat.scaffold.profile.table import ROW_ID, Column, Table, find_column, with_statistics
from homeostat.scaffold.profile.workspace import Workspace

DENSE = 2  # numbers of the range of a counter for one that is there
TOLERATED = 0.005  # share of the rows on a grid of times that may share their key with another


@dataclass(frozen=True)
class Key:
    """The key columns; ``series``: at each step of the time one row of each entity, or of the only one."""

    columns: tuple[str, ...]
    note: str
    series: bool = False

    @property
    def generated(self) -> bool:
        """Whether the key is a hash of the row's content, because no column identifies a row."""
        return self.columns == (ROW_ID,)


def find_key(work: Workspace, table: Table, time: EventTime, label: str, request: Request) -> Key:
    """The key that was given, or one that identifies each row, or a generated row id.

    Columns with times on a grid are a key also where a few rows share one: those are errors, and are quarantined.
    """
    columns, note = _key_columns(work, table, time, label, request)
    return Key(columns, note, _is_series(table, time, columns))


def _key_columns(
    work: Workspace, table: Table, time: EventTime, label: str, request: Request
) -> tuple[tuple[str, ...], str]:
    if request.key:
        return tuple(find_column(table, k, "--key").name for k in request.key), "as given"
    candidates = list(_candidates(_of_rows_with_a_time(work, table), time, label))
    repeats = {}
    for key in candidates:
        repeats[key] = _repeats(work, table, key, " WHERE __t IS NOT NULL", FILE if table.opened.many else "")
        if not repeats[key]:
            return key, f"found: {' and '.join(key)} identif{'y' if len(key) > 1 else 'ies'} each row"
    named = [key for key in candidates if time.column not in key and repeats[key] > 0]
    copies = _copies(work, table) if named else 0
    for key in named:
        if repeats[key] == copies:
            return key, f"found: {' and '.join(key)} identifies each row but for {copies:,} that are whole copies"
    if time.step is not None:
        for key in candidates:
            if time.column in key and repeats[key] <= TOLERATED * table.rows:
                return key, f"found: nearly every row has its own {' and '.join(key)}"
    return (ROW_ID,), "no column identifies a row: a hash of the row's content, numbered among equal rows"


def _of_rows_with_a_time(work: Workspace, table: Table) -> Table:
    """The table with the statistics of the rows that a batch can hold."""
    counts = ", ".join(f"count({c.sql}) FILTER (__t IS NOT NULL)" for c in table.columns)
    rows, *filled = work.row(f"SELECT count(__t), {counts} FROM {table.sql}")
    columns = (replace(c, rows=rows, absent=rows - n) for c, n in zip(table.columns, filled, strict=True))
    return replace(table, columns=tuple(columns), rows=int(rows))


def newest_rows(work: Workspace, table: Table, key: Key) -> tuple[Table, tuple[int, int] | None]:
    """The table without rows that come again, by their key, in a later file; how many, and how many were changed."""
    if not table.opened.many or key.generated:
        return table, None
    names = quoted_list(key.columns)
    again = (
        f"SELECT rowid AS old FROM {table.sql} WHERE __t IS NOT NULL "
        f"QUALIFY {FILE} < max({FILE}) OVER (PARTITION BY {names})"
    )
    (rows,) = work.row(f"SELECT count(*) FROM ({again})")
    if not rows:
        return table, None
    values = quoted_list(n for n in table.names if n not in key.columns)
    distinct = f"count(DISTINCT hash(row({values})))" if values else "1"
    (keys,) = work.row(
        f"SELECT count(*) FROM (SELECT {distinct} AS n FROM {table.sql} WHERE __t IS NOT NULL GROUP BY {names}) "
        "WHERE n > 1"
    )
    work.execute(f"DELETE FROM {table.sql} WHERE rowid IN ({again})")
    return with_statistics(work, replace(table, rows=table.rows - rows)), (int(rows), int(keys))


def row_id_column(table: Table, key: Key, stable: Sequence[str]) -> Column:
    """The column of a generated key: a hash of the columns ``stable``, which never change."""
    content = f"md5(CAST(row({quoted_list(table.column(c).raw for c in stable)}) AS VARCHAR))"
    sql = f"left({content}, 16) || '-' || row_number() OVER (PARTITION BY {content})"
    return Column(ROW_ID, ROW_ID, Reading("string", sql, key.note), table.rows, 0, table.rows)


def _candidates(table: Table, time: EventTime, label: str) -> Iterator[tuple[str, ...]]:
    """Keys to try, in order: identifiers, words, the time, counters, an entity with the time, other numbers.

    Off a grid two rows may well have the same time some day: there a running number comes before it, and any that
    differs before an entity. On a grid one that differs in every row is a measurement.
    """
    whole = [c for c in table.columns if not c.absent and c.name != label and c.kind in ("string", "integer")]
    most = 0.2 if table.opened.many else 0.9  # files may overlap
    nearly = [c for c in whole if c.distinct >= most * table.rows and c.name != time.column]
    named = [c for c in nearly if is_identifier_name(c.raw)]
    yield from ((c.name,) for c in named)
    yield from ((c.name,) for c in nearly if c.kind == "string" and c not in named)
    if time.step is None:
        yield from ((c.name,) for c in nearly if c not in named and _is_running(c))
    timed = not table.column(time.column).absent
    if timed:
        yield (time.column,)
    numbers = [c for c in nearly if c.kind != "string" and c not in named]
    measured = [c for c in numbers if time.step is not None and not _is_running(c)]
    yield from ((c.name,) for c in numbers if c not in measured)
    few = [c for c in whole if c.name != time.column and 1 < c.distinct < 0.5 * table.rows]
    # Off a grid, a number that differs among rows of equal time is a measurement by accident, not an entity.
    naming = [c for c in few if time.step is not None or c.kind == "string" or is_identifier_name(c.raw)]
    if timed:
        yield from [(c.name, time.column) for c in sorted(naming, key=lambda c: c.distinct)][:12]
    yield from ((c.name,) for c in measured)


def _is_running(column: Column) -> bool:
    """Whether the values are whole numbers close together, as a counter gives them."""
    if column.kind != "integer" or column.low is None or column.high is None:
        return False
    return int(column.high) - int(column.low) < DENSE * column.distinct


def _repeats(work: Workspace, table: Table, key: tuple[str, ...], timed: str = "", within: str = "") -> int:
    """Rows beyond the first of each key, ``within`` a file where they stand in several."""
    names = ", ".join([*map(quoted, key), *([within] if within else [])])
    (repeats,) = work.row(
        f"SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n FROM {table.sql}{timed} GROUP BY {names})"
    )
    return int(repeats)


def _copies(work: Workspace, table: Table) -> int:
    """Rows beyond the first of those that are equal in every column."""
    every = quoted_list(table.names)
    (copies,) = work.row(
        f"SELECT count(*) - count(DISTINCT hash(row({every}))) FROM {table.sql} WHERE __t IS NOT NULL"
    )
    return int(copies)


def is_unique(work: Workspace, table: Table, key: tuple[str, ...]) -> bool:
    """Whether the columns identify each row."""
    return not _repeats(work, table, key)


def _is_series(table: Table, time: EventTime, key: tuple[str, ...]) -> bool:
    """Whether the key is the time, or an entity and the time, on a grid."""
    if time.step is None or time.column not in key or len(key) > 2:
        return False
    if len(key) == 1:
        return True
    entity = next(k for k in key if k != time.column)
    return table.column(entity).distinct * 8 < table.rows
