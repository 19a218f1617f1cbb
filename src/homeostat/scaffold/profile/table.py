"""A table as it is read: typed columns with their statistics, and the SQL that types them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from homeostat.core.errors import UsageError
from homeostat.core.text import listed
from homeostat.scaffold.profile.column_types import Reading, reading_of
from homeostat.scaffold.profile.identifiers import always_quoted, plain_names, quoted
from homeostat.scaffold.profile.open_table import open_table
from homeostat.scaffold.profile.request import Address
from homeostat.scaffold.profile.workspace import Workspace

ROW_ID = "row_id"
MOST_NAMES = 24  # columns that a message lists
COUNTED = 3000  # approximate distinct values below which they are counted exactly


@dataclass(frozen=True)
class Column:
    """One column: ``name`` is the project's, ``raw`` the table's own; ``low`` and ``high`` are its extremes as text."""

    name: str
    raw: str
    reading: Reading
    rows: int = 0
    absent: int = 0
    distinct: int = 0
    low: str | None = None
    high: str | None = None

    @property
    def kind(self) -> str:
        return self.reading.kind

    @property
    def sql(self) -> str:
        return quoted(self.name)

    @property
    def source_sql(self) -> str | None:
        """SQL over the table as written; None for a column that is taken as it is."""
        if self.reading.sql is not None or self.name == self.raw:
            return self.reading.sql
        return always_quoted(self.raw)

    @property
    def numeric(self) -> bool:
        return self.kind in ("integer", "float", "boolean")

    @property
    def missing(self) -> float:
        """The share of rows without a value."""
        return self.absent / max(self.rows, 1)


@dataclass(frozen=True)
class Table:
    """A table and its columns; ``unusable`` are nested ones and the like, ``changes`` those of its schema by file."""

    name: str
    address: Address
    columns: tuple[Column, ...]
    rows: int
    unusable: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()

    @property
    def sql(self) -> str:
        return always_quoted(self.name)

    @property
    def names(self) -> list[str]:
        return [c.name for c in self.columns]

    def column(self, name: str) -> Column:
        return next(c for c in self.columns if c.name == name)

    def without(self, names: Sequence[str]) -> Table:
        return replace(self, columns=tuple(c for c in self.columns if c.name not in names))

    def with_column(self, column: Column) -> Table:
        """The same with a column in the place of the one of its name."""
        return replace(self, columns=tuple(column if c.name == column.name else c for c in self.columns))


def read_table(work: Workspace, name: str, address: Address) -> Table:
    """Open a table as ``<name>__raw`` and make ``<name>`` a typed copy in the database."""
    raw = f"{name}__raw"
    written, changes = open_table(work, raw, address)
    columns: list[Column] = []
    unusable: list[str] = []
    for plain, (own, sql_type) in zip(plain_names(n for n, _ in written), written, strict=True):
        reading = reading_of(work, raw, own, sql_type)
        if reading is None:
            unusable.append(own)
        else:
            columns.append(Column(plain, own, reading))
    typed = ", ".join(f"{_typed(c)} AS {always_quoted(c.name)}" for c in columns)
    work.execute(f"CREATE TABLE {always_quoted(name)} AS SELECT {typed} FROM {always_quoted(raw)}")
    (rows,) = work.row(f"SELECT count(*) FROM {always_quoted(name)}")
    table = Table(name, address, tuple(columns), int(rows), tuple(unusable), tuple(changes))
    return replace(table, columns=_with_statistics(work, table))


def _typed(column: Column) -> str:
    sql = f"({column.source_sql})" if column.source_sql is not None else always_quoted(column.raw)
    match column.kind:
        case "integer":
            converted = column.source_sql is not None
            return f"TRY_CAST({f'TRY_CAST({sql} AS DOUBLE)' if converted else sql} AS BIGINT)"
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


def _with_statistics(work: Workspace, table: Table) -> tuple[Column, ...]:
    measures = [
        f"count({name}), approx_count_distinct({name}), CAST(min({name}) AS VARCHAR), CAST(max({name}) AS VARCHAR)"
        for name in map(always_quoted, table.names)
    ]
    row = work.row(f"SELECT {', '.join(measures)} FROM {table.sql}")
    by_column = [row[n : n + 4] for n in range(0, len(row), 4)]
    few = [c.name for c, (_, distinct, *_) in zip(table.columns, by_column, strict=True) if distinct < COUNTED]
    exact: dict[str, int] = {}
    if few:
        counts = ", ".join(f"count(DISTINCT {always_quoted(name)})" for name in few)
        exact = dict(zip(few, work.row(f"SELECT {counts} FROM {table.sql}"), strict=True))
    return tuple(
        replace(c, rows=table.rows, absent=table.rows - count, distinct=exact.get(c.name, min(distinct, count)),
                low=low, high=high)
        for c, (count, distinct, low, high) in zip(table.columns, by_column, strict=True)
    )  # fmt: skip


def find_column(table: Table, name: str, option: str) -> Column:
    """The column that an option names, by either of its names.

    Raises:
        UsageError: there is none.
    """
    plain = name.strip().lower()
    exact = [c for c in table.columns if name in (c.raw, c.name)]
    alike = [c for c in table.columns if plain in (c.raw.strip().lower(), c.name.lower())]
    if exact or alike:
        return (exact or alike)[0]
    raws = [c.raw.lower() for c in table.columns]
    near = get_close_matches(name.lower(), raws, 3, 0.6)
    near += [raw for raw in raws if name.lower() in raw and raw not in near]
    close = [c.raw for n in near for c in table.columns if c.raw.lower() == n][:3]
    hint = f"perhaps {' or '.join(close)}; " if close else ""
    raise UsageError(f"{option} {name}: no such column; {hint}there are {column_list(table.columns)}")


def column_list(columns: Sequence[Column]) -> str:
    """Their names, the first of them where there are many."""
    return listed([c.raw for c in columns], MOST_NAMES)
