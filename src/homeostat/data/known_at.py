"""When each row of a source happened and each group of its columns became known, and rows as of a time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from homeostat.adapters.duckdb import Expression, evaluate
from homeostat.adapters.sql_names import quoted

if TYPE_CHECKING:
    from homeostat.project.source_scope import Source

FAR = datetime(9999, 12, 31)  # when a value that is never known becomes known


def known_column(group: str) -> str:
    """The column that says when a group became known."""
    return f"{group}_known_at"


def with_known_at(name: str, source: Source, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of a source with ``event_time`` and ``<group>_known_at``; a group is known no sooner than its row.

    Raises:
        ScopeError: an expression of the source is wrong.
    """
    if source.time is None:
        return rows
    return evaluate(rows, *times(name, source, source.time))


def times(name: str, source: Source, time: str) -> Iterator[list[Expression]]:
    """The steps by which rows of a source come to have ``event_time`` and ``<group>_known_at``."""
    place = f"sources.{name}"
    yield [event_time(name, time)]
    groups = [
        Expression(known_column(g), group.at, "TIMESTAMP", f"{place}.known_at.{g}.at")
        for g, group in source.known_at.items()
    ]
    yield groups
    never = [f"coalesce({quoted(g.name)}, TIMESTAMP '{FAR}')" for g in groups]
    yield [
        Expression(g.name, f"greatest({never[0]}, {own})", "TIMESTAMP", g.place)
        for g, own in zip(groups, never, strict=True)
    ]


def event_time(name: str, time: str, column: str = "event_time") -> Expression:
    """When a row of a source happened, by its expression ``time``."""
    return Expression(column, time, "TIMESTAMP", f"sources.{name}.time")


def as_known(rows: pl.DataFrame, source: Source, at: pl.Expr | datetime) -> pl.DataFrame:
    """Rows cut to what was known as of ``at``: a row whose first group is not is gone, later groups are blank.

    ``rows`` come from ``with_known_at``; a group that is not known yet has ``<group>_known_at`` in the far future.
    """
    if not source.timed:
        return rows
    limit = pl.lit(at, dtype=pl.Datetime("us")) if isinstance(at, datetime) else at
    first, *later = source.known_at
    cut: list[pl.Expr] = []
    for group in later:
        since = pl.col(known_column(group))
        cut += [pl.when(since < limit).then(pl.col(c)).alias(c) for c in source.known_at[group].columns]
        cut.append(
            pl.when(since < limit)
            .then(since)
            .otherwise(pl.lit(FAR, dtype=pl.Datetime("us")))
            .alias(since.meta.output_name())
        )
    return rows.filter(pl.col(known_column(first)) < limit).with_columns(cut)
