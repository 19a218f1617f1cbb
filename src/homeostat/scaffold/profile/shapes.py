"""The shapes of a column's text: how its values are written, digits aside, over all rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from homeostat.data.plain_digits import plain_digits, plain_digits_sql
from homeostat.scaffold.profile.identifiers import always_quoted
from homeostat.scaffold.profile.workspace import Workspace

MOST = 600  # shapes of a column that are looked at; one of words has more
LONG = 90  # characters of a value from which it is no number and no time
ZERO_DATE = r"^\s*(0000[-/.]?00[-/.]?00|00[-/.]00[-/.]0000|1/0/1900|0/1/1900|00?\.0?1\.1900)"  # of its own: means none
PROBED = 3000  # rows that say whether a column is words


@dataclass(frozen=True)
class Shape:
    """Values that are equal but for their digits: ``rows`` of them, and examples in ASCII, the extremes among them."""

    rows: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class ColumnText:
    """A column as text: ``frequent`` values with their rows, ``rows`` with a value, and shapes where there are few.

    ``shapes`` is empty where most values have no digit, or too many shapes: those are words.
    """

    raw: str
    rows: int
    blanks: int
    frequent: tuple[tuple[str, int], ...]
    shapes: tuple[Shape, ...]


def column_text(work: Workspace, table: str, raw: str) -> ColumnText:
    """Look at one column of text, all rows of it."""
    name, relation = always_quoted(raw), always_quoted(table)
    total, rows = work.row(f"SELECT count(*), count({name}) FROM {relation}")
    frequent = work.rows(
        f"SELECT {name}, count(*) FROM {relation} WHERE {name} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 60"
    )
    probed, digits = work.row(
        f"SELECT count(*), count(*) FILTER (regexp_matches(v, '[0-9]') AND length(v) < {LONG}) "
        f"FROM (SELECT {plain_digits_sql(name)} AS v FROM {relation} WHERE {name} IS NOT NULL LIMIT {PROBED})"
    )
    few = len(frequent) < 60
    shapes = _shapes(work, relation, name) if digits > 0.4 * probed or few and digits else ()
    blanks = int(total - rows) + sum(n for v, n in frequent if not v.strip())
    return ColumnText(raw, int(rows), blanks, tuple((v, int(n)) for v, n in frequent), shapes)


def _shapes(work: Workspace, relation: str, name: str) -> tuple[Shape, ...]:
    numbers = [r"regexp_extract(v, '(\d{1,9})', 1)", r"regexp_extract(v, '\d+\D+(\d{1,9})', 1)"]
    numbers.append(r"regexp_extract(v, '(\d{1,2})[:.h]\d\d', 1)")
    first, second, hour = (f"TRY_CAST({sql} AS BIGINT)" for sql in numbers)
    rows = work.rows(
        "SELECT count(*), [min(v), max(v), arg_max(v, first), arg_max(v, second), arg_min(v, first), arg_max(v, hour), "
        "arg_min(v, h), arg_max(v, h)] "
        f"FROM (SELECT v, {first} AS first, {second} AS second, {hour} AS hour, hash(v) AS h, "
        f"CASE WHEN regexp_matches(v, '{ZERO_DATE}') THEN v "
        f"ELSE regexp_replace(left(v, {LONG}), '[0-9]', '9', 'g') END AS shape "
        f"FROM (SELECT {plain_digits_sql(name)} AS v FROM {relation} WHERE {name} IS NOT NULL)) "
        f"GROUP BY shape ORDER BY 1 DESC, 2 LIMIT {MOST + 1}"
    )
    if len(rows) > MOST:
        return ()
    return tuple(Shape(int(n), tuple(dict.fromkeys(e for e in examples if e is not None))) for n, examples in rows)


def sample(work: Workspace, table: str, raw: str, many: int = 2000) -> Sequence[str]:
    """Some of a column's distinct values, spread over them."""
    name = always_quoted(raw)
    rows = work.rows(
        f"SELECT v FROM (SELECT DISTINCT {name} AS v FROM {always_quoted(table)} WHERE {name} IS NOT NULL) "
        f"ORDER BY hash(v) LIMIT {many}"
    )
    return plain_digits(pl.Series([row[0] for row in rows], dtype=pl.String)).to_list()
