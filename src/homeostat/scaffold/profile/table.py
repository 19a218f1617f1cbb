"""A table as it is read: typed columns with their statistics, and the SQL that types them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

import polars as pl

from homeostat.core.errors import UsageError
from homeostat.core.text import listed
from homeostat.data.casts import WRITTEN, misfitting, typed
from homeostat.data.selection import read_columns
from homeostat.data.uneven_rows import position_names
from homeostat.project.file_form import PLAIN as PLAIN_FORM
from homeostat.project.writing import PLAIN
from homeostat.scaffold.profile.column_types import Reading, readings_of, with_nulls
from homeostat.scaffold.profile.decimal_by_file import with_one_decimal_sign
from homeostat.scaffold.profile.identifiers import always_quoted, plain_names, quoted
from homeostat.scaffold.profile.null_words import plain
from homeostat.scaffold.profile.open_table import FILE, OpenedTable, open_table, with_usual_nulls
from homeostat.scaffold.profile.request import Address
from homeostat.scaffold.profile.workspace import Workspace

ROW_ID = "row_id"
MOST_NAMES = 24  # columns that a message lists
CELLS = 4_000_000  # values in memory at a time
SQL_TYPES = {"string": "VARCHAR", "integer": "BIGINT", "float": "DOUBLE", "boolean": "BOOLEAN", "time": "TIMESTAMP"}
TOGETHER = 40  # columns whose distinct values are counted at once: each holds some megabytes
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
    unfit: tuple[int, str] = (0, "")  # rows whose value does not fit the type, and one such value

    @property
    def kind(self) -> str:
        return self.reading.kind

    @property
    def sql(self) -> str:
        return quoted(self.name)

    @property
    def source_sql(self) -> str | None:
        """SQL over the table as written, as ``sources.read`` has it; None for a column that is taken as it is."""
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
    opened: OpenedTable = OpenedTable(())

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
    """Open a table as ``<name>__raw`` and make ``<name>`` a typed copy in the database, by the reader of the loop."""
    raw = f"{name}__raw"
    written = open_table(work, raw, address)
    readings = readings_of(work, raw, written.columns, written.delimiter)
    if written.many:
        text = [own for own, sql_type in written.columns if sql_type == "VARCHAR"]
        readings = with_one_decimal_sign(work, raw, readings, text)
    if written.form.nulls != PLAIN_FORM.nulls and not any(r is not None and r.kept for r in readings.values()):
        written = with_usual_nulls(work, raw, written)
        usual = written.form.nulls
        readings = {own: None if r is None else with_nulls(r, usual) for own, r in readings.items()}
    names = plain_names(own for own, _ in written.columns)
    columns = [
        Column(project, own, reading)
        for project, (own, _) in zip(names, written.columns, strict=True)
        if (reading := readings[own]) is not None
    ]
    unusable = tuple(own for own, reading in readings.items() if reading is None)
    table = Table(name, address, tuple(columns), 0, unusable, written.changes, written)
    return typed_copy(work, table)


def typed_copy(work: Workspace, table: Table) -> Table:
    """The table with its typed copy made again, and statistics; what does not fit its type is counted."""
    raw = always_quoted(f"{table.name}__raw")
    file = f", {FILE}" if table.opened.many else ""
    listed = read_columns(table.names, {c.name: c.source_sql for c in table.columns if c.source_sql is not None})
    kinds = {c.name: c.kind for c in table.columns}
    written = {c.name: c.reading.writing for c in table.columns if c.reading.writing != PLAIN}
    unfit: dict[str, tuple[int, str]] = {}
    work.execute(f"DROP TABLE IF EXISTS {table.sql}")
    types = ", ".join(f"{always_quoted(c.name)} {SQL_TYPES[c.kind]}" for c in table.columns)
    work.execute(f"CREATE TABLE {table.sql} ({types}{', ' + FILE + ' INTEGER' if file else ''})")
    reader = work.session().connection.sql(f"SELECT {listed}{file} FROM {raw}")
    many = max(1000, CELLS // max(len(table.columns), 1))
    for batch in reader.to_arrow_reader(many):
        rows = pl.DataFrame(batch)
        result = typed(rows, kinds, written)
        for column in misfitting(result):
            values = result[WRITTEN + column].drop_nulls()
            unfit[column] = (unfit.get(column, (0, ""))[0] + len(values), str(values[0]))
        kept = result.select(table.names)
        work.connection.register("__typed", kept.with_columns(rows[FILE]) if file else kept)
        work.execute(f"INSERT INTO {table.sql} SELECT * FROM __typed")
        work.connection.unregister("__typed")
    (total,) = work.row(f"SELECT count(*) FROM {table.sql}")
    columns = tuple(replace(c, unfit=unfit.get(c.name, (0, ""))) for c in table.columns)
    return with_statistics(work, replace(table, rows=int(total), columns=columns))


def with_statistics(work: Workspace, table: Table) -> Table:
    """The table with the statistics of its columns measured again."""
    measures = [
        f"count({name}), approx_count_distinct({name}), CAST(min({name}) AS VARCHAR), CAST(max({name}) AS VARCHAR)"
        for name in map(always_quoted, table.names)
    ]
    row = work.row(f"SELECT {', '.join(measures)} FROM {table.sql}")
    by_column = [row[n : n + 4] for n in range(0, len(row), 4)]
    few = [c.name for c, (_, distinct, *_) in zip(table.columns, by_column, strict=True) if distinct < COUNTED]
    exact: dict[str, int] = {}
    for start in range(0, len(few), TOGETHER):
        some = few[start : start + TOGETHER]
        counts = ", ".join(f"count(DISTINCT {always_quoted(name)})" for name in some)
        exact |= dict(zip(some, work.row(f"SELECT {counts} FROM {table.sql}"), strict=True))
    columns = tuple(
        replace(c, rows=table.rows, absent=table.rows - count, distinct=exact.get(c.name, min(distinct, count)),
                low=low, high=high)
        for c, (count, distinct, low, high) in zip(table.columns, by_column, strict=True)
    )  # fmt: skip
    return replace(table, columns=columns)


def find_column(table: Table, name: str, option: str) -> Column:
    """The column that an option names, by either of its names.

    Raises:
        UsageError: there is none.
    """
    wanted = plain(name)
    exact = [c for c in table.columns if name in (c.raw, c.name)]
    alike = [c for c in table.columns if wanted in (plain(c.raw), c.name.lower())]
    if exact or alike:
        return (exact or alike)[0]
    raws = [c.raw.lower() for c in table.columns]
    near = get_close_matches(name.lower(), raws, 3, 0.6)
    near += [raw for raw in raws if name.lower() in raw and raw not in near]
    close = [c.raw for n in near for c in table.columns if c.raw.lower() == n][:3]
    hint = f"perhaps {' or '.join(close)}; " if close else ""
    raise UsageError(f"{option} {name}: no such column; {hint}there are {column_list(table.columns)}")


def column_list(columns: Sequence[Column]) -> str:
    """Their names, the first of them where there are many; with a value each where they have none of their own."""
    names = [c.raw for c in columns]
    if names == position_names(len(names)):
        names = [f"{c.raw} (such as {c.low})" for c in columns]
    return listed(names, MOST_NAMES)
