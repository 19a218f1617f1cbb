"""SQL expressions parsed: quoted names, the columns that an expression uses, whether it has a window."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache as once
from typing import Any


def quoted(name: str) -> str:
    """A name as a quoted SQL identifier.

    >>> quoted('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


def sql_string(value: object) -> str:
    """A value as an SQL string.

    >>> sql_string("it's")
    "'it''s'"
    """
    return "'" + str(value).replace("'", "''") + "'"


@once
def columns_of(sql: str) -> frozenset[str]:
    """The columns that an expression uses, in lower case; none where it cannot be parsed.

    >>> sorted(columns_of('coalesce("Load", w.watts) + 1'))
    ['load', 'watts']
    """
    names = [n["column_names"][-1] for n in _parts(sql) if n.get("class") == "COLUMN_REF"]
    return frozenset(str(name).lower() for name in names)


@once
def sees_other_rows(sql: str) -> bool:
    """Whether an expression has a window over other rows.

    >>> sees_other_rows("row_number() OVER (PARTITION BY a)"), sees_other_rows("a + 1")
    (True, False)
    """
    return any(node.get("class") == "WINDOW" for node in _parts(sql))


@once
def _parts(sql: str) -> tuple[dict[str, Any], ...]:
    import duckdb

    with duckdb.connect() as connection:
        answer = connection.execute("SELECT json_serialize_sql(?)", [f"SELECT ({sql}\n)"]).fetchone()
    return tuple(nodes(json.loads(answer[0]) if answer else {}))


def nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object of a parsed statement."""
    if isinstance(tree, dict):
        yield tree
    for child in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from nodes(child)
