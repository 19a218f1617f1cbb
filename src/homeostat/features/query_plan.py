"""A SELECT taken apart at the common tables that it calls MATERIALIZED, by the engine's own reading of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache as once
from typing import Any

import duckdb

from homeostat.adapters.sql_names import nodes, quoted

EVENTS = "events"
INDIRECT = {"query", "query_table"}  # functions that name what they read in a text
Tree = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """A common table that is kept in ``table``: ``sql`` gives it, over tables, the kept parts ``of``, and events."""

    name: str
    table: str
    sql: str
    of: tuple[int, ...]
    asks: bool  # the events are in it
    simple: bool  # and nothing else: the engine's plan for it may be used again


@dataclass(frozen=True)
class Plan:
    """A query taken apart: parts, each after those that it is made of, and the SELECT over them that is left."""

    parts: tuple[Part, ...]
    rest: str


@once
def planned(sql: str, prefix: str, left: frozenset[str] = frozenset()) -> Plan:
    """The plan of a query; tables of parts are named by ``prefix``, and the common tables ``left`` are no parts.

    Raises:
        duckdb.Error: the engine cannot write down what it has read.
    """
    with duckdb.connect() as engine:
        node = _read(engine, sql)
        commons = node["cte_map"]["map"]
        if any(n.get("function_name") in INDIRECT for n in nodes(node)):
            return Plan((), sql)
        taken = _Taken(engine, commons, prefix, left)
        parts = tuple(taken.part(n) for n in taken.kept)
        own = {name: tree for name, tree in node.items() if name != "cte_map"}
        return Plan(parts, taken.written(node, taken.reached(own, len(commons)))) if parts else Plan((), sql)


def repeatable(sql: str, table: str) -> bool:
    """Whether a SELECT is of columns and rows of that one table alone, so that its plan may be used again."""
    with duckdb.connect() as engine:
        return _is_simple(_read(engine, sql), {table})


class _Taken:
    """The common tables of a query: which are kept, and what each reads."""

    def __init__(
        self, engine: duckdb.DuckDBPyConnection, commons: Sequence[Tree], prefix: str, left: frozenset[str]
    ) -> None:
        self.engine, self.commons = engine, commons
        self.names = [str(common["key"]).lower() for common in commons]
        self.kept = [
            n for n, common in enumerate(commons)
            if common["value"]["materialized"] == "CTE_MATERIALIZE_ALWAYS" and common["key"] not in left
        ]  # fmt: skip
        self.tables = {n: quoted(f"__{prefix}_{commons[n]['key']}") for n in self.kept}

    def part(self, n: int) -> Part:
        common = self.commons[n]
        reached = self.reached(common["value"], n)
        places = tuple(self.kept.index(m) for m in reached if m in self.tables)
        asks = any(self._reads_events(m) for m in (n, *reached) if m == n or m not in self.tables)
        whole = self._star(quoted(common["key"]))
        written = self.written(whole, [*reached, n], own=n)
        names = {EVENTS, *(self.names[m] for m in reached)}
        simple = asks and not places and all(_is_simple(self.commons[m]["value"], names) for m in (n, *reached))
        return Part(str(common["key"]), self.tables[n], written, places, asks, simple)

    def reached(self, tree: Tree, before: int) -> list[int]:
        """The common tables before that one that a part of the query reads, those behind kept ones aside; in order."""
        common: set[int] = set()
        ahead = [(tree, before)]
        while ahead:
            read, limit = ahead.pop()
            for m in {m for name in _tables(read) if (m := self._common(name, limit)) is not None} - common:
                common.add(m)
                if m not in self.tables:
                    ahead.append((self.commons[m]["value"], m))
        return sorted(common)

    def written(self, node: Tree, common: Sequence[int], own: int | None = None) -> str:
        """The SQL of a SELECT over common tables; kept ones are read where they are kept, but for the ``own``."""
        entries = [self.commons[n] if n == own or n not in self.tables else self._there(n) for n in common]
        body = {"error": False, "statements": [{"node": node | {"cte_map": {"map": entries}}, "named_param_map": []}]}
        answer = self.engine.execute("SELECT json_deserialize_sql(?)", [json.dumps(body)]).fetchone()
        assert answer is not None
        return str(answer[0])

    def _there(self, n: int) -> Tree:
        common = self.commons[n]
        value = common["value"] | {
            "aliases": [], "materialized": "CTE_MATERIALIZE_NEVER", "query_node": self._star(self.tables[n]),
        }  # fmt: skip
        return common | {"value": value}

    def _star(self, table: str) -> Tree:
        return _read(self.engine, f"SELECT * FROM {table}")

    def _common(self, name: str, before: int) -> int | None:
        """Which common table a name means to what stands at that place; one that reads its own name means another."""
        return next((m for m in reversed(range(before)) if self.names[m] == name), None)

    def _reads_events(self, n: int) -> bool:
        return EVENTS in _tables(self.commons[n]["value"]) and self._common(EVENTS, n) is None


def _is_simple(tree: Tree, names: set[str]) -> bool:
    """Whether it selects columns and rows of these alone: a plan for more the engine (2.0) may fail to run twice."""
    return _tables(tree) <= names and not any(
        n.get("type") in ("JOIN", "TABLE_FUNCTION", "SET_OPERATION_NODE")
        or n.get("class") in ("WINDOW", "SUBQUERY")
        or n.get("qualify")
        for n in nodes(tree)
    )


def _tables(tree: Mapping[str, Any]) -> set[str]:
    """The names of the tables that a part of a query reads."""
    return set(_named(tree))


def _named(tree: Mapping[str, Any]) -> Iterator[str]:
    for node in nodes(tree):
        if node.get("type") == "BASE_TABLE":
            yield str(node["table_name"]).lower()


def _read(engine: duckdb.DuckDBPyConnection, sql: str) -> Tree:
    answer = engine.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
    assert answer is not None
    parsed = json.loads(answer[0])
    node: Tree = parsed["statements"][0]["node"]
    return node
