"""What a batch looks like beside those before it, column by column: the evidence of an incident of the data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

import polars as pl

from homeostat.core.periods import period_of
from homeostat.core.text import percent
from homeostat.data.selection import event_times
from homeostat.reports.distributions import overlaid
from homeostat.reports.document import grid

if TYPE_CHECKING:
    from homeostat.project.layout import Project

BEFORE = 28  # batches
HOURS = "hours into the batch"


def pictures(tree: Project, source: str, batch: str, columns: Sequence[str]) -> Iterator[str]:
    """A table of the columns: how much is missing in the batch and before it, and the values of both.

    Of a fault that names no column it is when in the batch its rows lie. Nothing where the batch never came.
    """
    folder = tree.accepted / source
    labels = [path.stem for path in sorted(folder.glob("*.parquet"))]
    before = [label for label in labels if label < batch][-BEFORE:]
    now = _read(tree, source, [batch], columns)
    past = _read(tree, source, before, columns)
    if now is None or past is None:
        return
    rows = [
        f'<td class="text">{escape(name)}</td><td>{percent(_missing(now, name))}</td>'
        f"<td>{percent(_missing(past, name))}</td><td>{overlaid(name, past[name], now[name])}</td>"
        for name in now.columns
        if name in past.columns
    ]
    heads = ("column", "missing in it", "missing before", "values: grey before, blue in it")
    yield f"<p>Batch {escape(batch)} of {escape(source)}, beside the {len(before)} before it.</p>"
    yield grid(f"<tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>", rows)


def missing_shares(tree: Project, source: str, batches: Sequence[str], columns: Sequence[str]) -> list[float]:
    """Of each batch the share of the values of the columns that is missing; 0 where it has no rows, or no columns."""
    shares = []
    for batch in batches:
        rows = _read(tree, source, [batch], columns) if columns else None
        there = [name for name in columns if rows is not None and name in rows.columns]
        shares.append(sum(_missing(rows, name) for name in there) / len(there) if rows is not None and there else 0.0)
    return shares


def _missing(rows: pl.DataFrame, name: str) -> float:
    return rows[name].null_count() / max(rows.height, 1)


def _read(tree: Project, source: str, batches: Sequence[str], columns: Sequence[str]) -> pl.DataFrame | None:
    """The columns of the batches that are there, accepted or in quarantine; without columns the times in the batch."""
    tables = []
    for batch in batches:
        paths = [folder / source / f"{batch}.parquet" for folder in (tree.accepted, tree.quarantine)]
        tables += [_columns(tree, source, batch, pl.read_parquet(p), columns) for p in paths if p.is_file()]
    return pl.concat(tables, how="diagonal_relaxed") if tables else None


def _columns(tree: Project, source: str, batch: str, rows: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    there = [name for name in columns if name in rows.columns]
    declared = tree.scope.sources[source]
    if there or not declared.timed:
        return rows.select(there)
    start = period_of(batch, declared.length, tree.scope.rhythm.offset).start
    into = (event_times(source, declared, rows) - start).dt.total_seconds() / 3600
    return pl.DataFrame({HOURS: into})
