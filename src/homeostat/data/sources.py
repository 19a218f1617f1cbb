"""Where tables come from: a package's files, files at any address, or a SQL query, as typed batches."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from homeostat.adapters.parquet import table_bytes
from homeostat.core.errors import DataError
from homeostat.data.casts import WRITTEN, misfitting, not_of
from homeostat.data.converted import Converted, converted, read_typed, specification
from homeostat.data.queries import queried
from homeostat.data.selection import TIME, with_optional
from homeostat.data.source_files import SourceFile, digest_of, files_of, version_of

if TYPE_CHECKING:
    from homeostat.core.periods import Period
    from homeostat.project.source_scope import Source


FILE = "__file"  # the number of the file that a row stands in


@dataclass(frozen=True)
class Delivery:
    """A batch as it came.

    ``rows`` have the declared columns that are there, in their types; a value that does not fit is null and stands, as
    it is written, in a column of its own (``casts.WRITTEN``). Where a declared column is absent, the columns that are
    not declared stand there too, as they are written. ``undeclared`` names these in any case.
    """

    rows: pl.DataFrame
    undeclared: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """A delivery as it lands: the bytes of its file; how it is unlike what is declared, in words, if it is."""

    data: bytes
    undeclared: tuple[str, ...]
    unlike: str | None


class SourceReader:
    """Reads the sources of one tree: ``root`` is where relative paths start, ``cache`` where conversions are kept.

    A file is hashed once while its size and time stay, and its conversion looked up once for each content.
    """

    def __init__(self, root: Path, cache: Path) -> None:
        self._root = root
        self._folder = cache / "sources"
        self._digests: dict[tuple[str, str], str] = {}
        self._converted: dict[tuple[str, str], Converted] = {}

    def delivery(self, name: str, source: Source, period: Period | None) -> Delivery | None:
        """The source's rows whose event time lies in ``period`` (all rows when the source has no time).

        Sorted by key and then by every column. None when the source has no row for the period: the batch has not come.

        Raises:
            DataError: the source cannot be read, or a row has no event time.
            ScopeError: an expression of the source is wrong.
        """
        parts = list(self._queried(name, source, period) if source.query is not None
                     else self._filed(name, source, period))  # fmt: skip
        parts = [(rows, undeclared) for rows, undeclared in parts if rows.height]
        if not parts:
            return None
        if source.query is None:
            parts = list(_newest(parts, source.key))
        undeclared = tuple(dict.fromkeys(c for _, extra in parts for c in extra))
        return Delivery(_joined(source, [rows for rows, _ in parts], undeclared), undeclared)

    def reading(self, name: str, source: Source, period: Period) -> Reading | None:
        """``delivery`` as it lands; None where the source has nothing of the period.

        Raises:
            DataError, ScopeError: as ``delivery``.
        """
        delivery = self.delivery(name, source, period)
        if delivery is None:
            return None
        return Reading(table_bytes(delivery.rows), delivery.undeclared, unlike(source, delivery.rows))

    def convert(self, name: str, source: Source) -> None:
        """Have every file of a source converted, so that what reads them from here on only reads.

        Raises:
            DataError, ScopeError: as ``delivery``.
        """
        if source.query is None:
            files = files_of(name, source, self._root)
            for file in files:
                self._conversion(name, source, file, len(files) == 1)

    def content_key(self, name: str, source: Source) -> str | None:
        """A hash of all that a batch of ``source`` is read from; None for a query, which may answer differently.

        What its files are called does not matter, their order does: of rows with one key the newest counts.
        """
        if source.query is not None:
            return None
        parts = [self._digest(name, file) for file in files_of(name, source, self._root)]
        return hashlib.sha256("".join([specification(source), *parts]).encode()).hexdigest()

    def _digest(self, name: str, file: SourceFile) -> str:
        key = (file.path, version_of(name, file))
        if key not in self._digests:
            self._digests[key] = digest_of(name, file)
        return self._digests[key]

    def _queried(
        self, name: str, source: Source, period: Period | None
    ) -> Iterator[tuple[pl.DataFrame, tuple[str, ...]]]:
        for rows, selection in queried(name, source, period, self._root):
            yield _within(rows.lazy(), source, period).collect(), selection.undeclared

    def _filed(
        self, name: str, source: Source, period: Period | None
    ) -> Iterator[tuple[pl.DataFrame, tuple[str, ...]]]:
        """The rows of the period, file by file; what lies wholly outside it is not opened."""
        files = files_of(name, source, self._root)
        for number, file in enumerate(files):
            conversion = self._conversion(name, source, file, len(files) == 1)
            for part, low, high in conversion.parts:
                if period is None or low is None or high is None or not (low >= period.end or high < period.start):
                    rows = _within(pl.scan_parquet(part), source, period).collect()
                    yield rows.with_columns(pl.lit(number).alias(FILE)), conversion.undeclared

    def _conversion(self, name: str, source: Source, file: SourceFile, alone: bool) -> Converted:
        content = self._digest(name, file)
        key = (specification(source), content)
        if key not in self._converted or not all(part.is_file() for part, _, _ in self._converted[key].parts[:1]):
            self._converted[key] = converted(name, source, file, content, self._folder, alone)
        return self._converted[key]


def _newest(
    parts: Sequence[tuple[pl.DataFrame, tuple[str, ...]]], key: Sequence[str]
) -> Iterator[tuple[pl.DataFrame, tuple[str, ...]]]:
    """The parts without rows whose key comes again in a later file: exports overlap, and the newest one counts."""
    if len({rows[FILE][0] for rows, _ in parts}) > 1 and all(c in rows.columns for rows, _ in parts for c in key):
        keys = pl.concat([rows.select(*key, FILE) for rows, _ in parts], how="vertical_relaxed")
        last = keys.group_by(key).agg(pl.col(FILE).max())
        parts = [(rows.join(last, on=[*key, FILE], how="semi", nulls_equal=True), extra) for rows, extra in parts]
    for rows, undeclared in parts:
        if rows.height:
            yield rows.drop(FILE), undeclared


def read_file(name: str, source: Source, path: Path) -> pl.DataFrame:
    """All rows of one local file, as declared and typed.

    Raises:
        DataError: it cannot be read, lacks a column, or a value does not fit its type.
    """
    import fsspec

    if not path.is_file():
        raise DataError(f"{name}: no file {path}; correct the path")
    with tempfile.TemporaryDirectory() as scratch:
        file = SourceFile(fsspec.filesystem("file"), str(path))
        parts = [rows for rows, _ in read_typed(name, source, file, Path(scratch))]
    if not parts:
        raise DataError(f"{name}: {path} has no rows; give the rows of the batch")
    rows = _joined(source, parts, ())
    wrong = unlike(source, rows)
    if wrong is not None:
        raise DataError(f"{name}: {path}: {wrong}; correct it and run again")
    return rows.select(list(source.columns))


def unlike(source: Source, rows: pl.DataFrame) -> str | None:
    """How the rows of a batch differ from what is declared, in words; None where they do not."""
    absent = [c for c in source.columns if c not in rows.columns]
    if absent:
        has = [c for c in rows.columns if c in source.columns or not c.startswith("__")]
        return f"has no column {absent[0]!r} (it has {', '.join(has)})"
    for column in misfitting(rows):
        bad = rows[WRITTEN + column].drop_nulls()
        return f"{not_of(column, bad[0], source.columns[column])} ({len(bad)} such rows in the batch)"
    return None


def ordered(rows: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Rows in their one order: by key, then by all columns."""
    rest = [c for c in source.columns if c not in source.key]
    by = [c for c in (*source.key, *rest) if c in rows.columns]
    more = [c for c in rows.columns if c not in by and not rows.schema[c].is_nested()]
    return rows.sort([*by, *more], nulls_last=True)


def _joined(source: Source, parts: Sequence[pl.DataFrame], undeclared: Sequence[str]) -> pl.DataFrame:
    """The parts of a batch as one; a column that is absent from any of them is absent, unless it is optional."""
    parts = [with_optional(source, part) for part in parts]
    rows = pl.concat(parts, how="diagonal_relaxed")
    there = [c for c in source.columns if all(c in part.columns for part in parts)]
    unfit = [WRITTEN + c for c in there if WRITTEN + c in rows.columns and rows[WRITTEN + c].count()]
    extra = [c for c in undeclared if c in rows.columns] if len(there) < len(source.columns) else []
    return ordered(rows.select(*there, *unfit, *extra), source)


def _within(rows: pl.LazyFrame, source: Source, period: Period | None) -> pl.LazyFrame:
    if period is None or not source.timed:
        return rows
    return rows.filter((pl.col(TIME) >= period.start) & (pl.col(TIME) < period.end))
