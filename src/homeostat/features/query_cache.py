"""A query that is run again and again, over tables that stay.

What the query calls MATERIALIZED is kept from one asking to the next, and is made again only where what it is made from
has changed: never, where that is the tables alone; where the events are in it, when they give other rows. The rest is
run every time, so the answer is always that of the whole query.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
import polars as pl

from homeostat.adapters.duckdb import Expression, evaluate, in_turn, refuse_unsteady, resident, sql_error
from homeostat.features.query_plan import Plan, planned, repeatable
from homeostat.features.sql import checked, frame

if TYPE_CHECKING:
    from homeostat.project.scope import Scope

ROWS = "__rows"
KINDS: dict[str, pl.DataType] = {
    "TIMESTAMP": pl.Datetime("us"), "DOUBLE": pl.Float64(), "BOOLEAN": pl.Boolean(), "VARCHAR": pl.String(),
    "TINYINT": pl.Int64(), "SMALLINT": pl.Int64(), "INTEGER": pl.Int64(), "BIGINT": pl.Int64(),
    "HUGEINT": pl.Decimal(38, 0), "DATE": pl.Date(),
}  # fmt: skip
ROWWISE = 50  # events whose answer is taken row by row: by column it is bound once more, which costs more than rows
UNFIT = (duckdb.Error, pl.exceptions.PolarsError, ValueError)  # what a short cut may meet that the long way does not
FEW = 1000  # rows that events may give of a kept part: telling whether they changed must cost next to nothing


class Standing:
    """Tables in the engine's own form, and what is kept of the queries over them; for one thread at a time."""

    def __init__(self, tables: Mapping[str, pl.DataFrame], threads: int) -> None:
        self._session = resident(tables, threads)
        self._events = _Rows("events")
        self._known: dict[str, _Query | None] = {}

    def answer(self, sql: str, scope: Scope, events: pl.DataFrame, needed: Iterable[str] = ()) -> pl.DataFrame:
        """As ``duckdb.build``, over the tables at hand.

        Raises:
            ScopeError: as ``duckdb.build``.
        """
        refuse_unsteady(sql, "features.sql")
        try:
            self._events.put(self._session, events)
            answer = self._answered(sql, events)
        except duckdb.Error as error:
            raise sql_error("features.sql", error) from error
        return checked(scope, events, answer, needed)

    def _answered(self, sql: str, events: pl.DataFrame) -> pl.DataFrame:
        if sql not in self._known:
            self._known[sql] = self._taken_apart(sql)
        query = self._known[sql]
        # The whole query tells what is wrong, or does without what could not be kept.
        with suppress(*UNFIT):
            if query is not None:
                return query.answer(events.height)
        return frame(self._session.sql(sql).to_arrow_table())

    def _taken_apart(self, sql: str) -> _Query | None:
        """The query in its parts; None where it is to be run whole."""
        with suppress(duckdb.Error):
            return _Query(self._session, sql, f"q{len(self._known)}")
        return None


class _Rows:
    """The rows of an asking, under one name that the engine binds once: what it scans is the frame of the moment."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.frame = pl.DataFrame()

    def put(self, session: duckdb.DuckDBPyConnection, rows: pl.DataFrame) -> None:
        bound, self.frame = self.frame.schema == rows.schema, rows
        if not bound:
            session.register(self._name, self)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.frame.__arrow_c_stream__(requested_schema)


class Evaluation:
    """``duckdb.evaluate`` of the same steps again and again, over few rows of the same columns; by any thread."""

    def __init__(self, columns: pl.Schema, steps: Sequence[Sequence[Expression]]) -> None:
        self._steps = steps
        self._kinds = {e.name: KINDS[e.kind] for step in steps for e in step}
        self._turn = threading.Lock()
        self._rows = _Rows(ROWS)
        sql = in_turn(list(columns), steps)
        self._session: duckdb.DuckDBPyConnection | None = None
        with suppress(duckdb.Error):
            if repeatable(sql, ROWS):
                session = resident({}, 1)
                self._rows.put(session, columns.to_frame())
                session.execute(f"PREPARE evaluation AS {sql}")
                self._session = session

    def of(self, rows: pl.DataFrame) -> pl.DataFrame:
        """As ``duckdb.evaluate``.

        Raises:
            ScopeError: as there.
        """
        if self._session is not None:
            with suppress(*UNFIT), self._turn:  # evaluate tells what is wrong, or has more room
                self._rows.put(self._session, rows)
                rows_out = self._session.execute("EXECUTE evaluation").fetchall()
                return rows.with_columns(pl.DataFrame(rows_out, schema=self._kinds, orient="row").get_columns())
        return evaluate(rows, *self._steps)


def _kinds(relation: duckdb.DuckDBPyRelation) -> dict[str, pl.DataType]:
    """The types of an answer's columns as its rows in Python's own types say them; none where one is not known."""
    kinds = [_kind(str(kind)) for kind in relation.types]
    return {name: kind for name, kind in zip(relation.columns, kinds, strict=True) if kind} if all(kinds) else {}


def _kind(name: str) -> pl.DataType | None:
    decimal = re.fullmatch(r"DECIMAL\((\d+),\s*(\d+)\)", name)
    return pl.Decimal(int(decimal[1]), int(decimal[2])) if decimal else KINDS.get(name)


@dataclass
class _Kept:
    """One part as it is at hand: its making, the makings of what it was made of, and what the events gave."""

    making: int
    of: tuple[int, ...]
    rows: str


class _Query:
    """One query of a session, taken apart."""

    def __init__(self, session: duckdb.DuckDBPyConnection, sql: str, name: str) -> None:
        self.session, self.sql, self.name = session, sql, name
        self.makings = 0
        self.large: set[str] = set()  # parts of which events give many rows: these are not kept
        self.plan: Plan
        self.rest: duckdb.Statement
        self.kinds: dict[str, pl.DataType]
        self.kept: dict[int, _Kept]
        self._take_apart()

    def answer(self, many: int) -> pl.DataFrame:
        """What the query answers for so many events, those of the moment."""
        while not self._renewed():
            self._take_apart()
        if self.kinds and many <= ROWWISE:
            rows = self.session.execute(self.rest).fetchall()
            return pl.DataFrame(rows, schema=self.kinds, orient="row")
        relation = self.session.sql(self.rest)
        self.kinds = _kinds(relation)
        return frame(relation.to_arrow_table())

    def _take_apart(self) -> None:
        self.plan = planned(self.sql, self.name, frozenset(self.large))
        self.kept, self.kinds = {}, {}
        # Parsed once. It is planned at every run, half of its time: so would a prepared one be, for the engine (2.0)
        # keeps no plan of a statement that reads tables.
        (self.rest,) = self.session.extract_statements(self.plan.rest)
        for n, part in enumerate(self.plan.parts):
            self.session.execute(f"CREATE OR REPLACE TEMP TABLE {part.table} AS {part.sql} LIMIT 0")
            if part.simple:
                self.session.execute(f"PREPARE {self.name}_{n} AS {part.sql} LIMIT {FEW + 1}")

    def _renewed(self) -> bool:
        """Have every part as the events of the moment want it; false where one turns out to be too large."""
        for n, part in enumerate(self.plan.parts):
            of, kept = tuple(self.kept[m].making for m in part.of), self.kept.get(n)
            rows = self._given(n) if part.asks else ""
            if rows is None:
                self.large.add(part.name)
                return False
            if kept is None or (kept.of, kept.rows) != (of, rows):
                self.session.execute(f"CREATE OR REPLACE TEMP TABLE {part.table} AS {part.sql}")
                self.makings += 1
                self.kept[n] = _Kept(self.makings, of, rows)
        return True

    def _given(self, n: int) -> str | None:
        """The rows of a part by the events of the moment, to the last bit; None of many."""
        part = self.plan.parts[n]
        statement = f"EXECUTE {self.name}_{n}" if part.simple else f"{part.sql} LIMIT {FEW + 1}"
        rows = self.session.execute(statement).fetchall()
        return None if len(rows) > FEW else repr(rows)
