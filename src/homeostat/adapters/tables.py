"""Parquet files whose bytes follow from their rows alone."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeostat.core.errors import DataError

if TYPE_CHECKING:
    import polars as pl


def write_table(frame: pl.DataFrame, path: Path) -> Path:
    """Write ``frame`` to ``path`` whole or not at all; the same rows give the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        frame.write_parquet(fresh, compression="zstd", compression_level=3, statistics=True, row_group_size=32_768)
        if path.is_file() and path.stat().st_size == fresh.stat().st_size and path.read_bytes() == fresh.read_bytes():
            return path
        os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)
    return path


def write_text(text: str, path: Path) -> Path:
    """Write ``text`` to ``path`` whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_text(text)
        os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)
    return path


def read_table(path: Path) -> pl.DataFrame:
    """Read one Parquet file.

    Raises:
        DataError: the file is missing or damaged.
    """
    import polars as pl  # here, for a rollback reads no table and has a second

    try:
        # From memory: a memory-mapped frame would change under its reader when the file is replaced.
        return pl.read_parquet(path.read_bytes())
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; land the batch again") from error
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{path}: damaged, not a whole Parquet file; remove it and land the batch again") from error


def read_tables(paths: Sequence[Path], where: pl.Expr | None = None) -> pl.DataFrame:
    """The rows of Parquet files with the same columns, one file below the other; ``where`` keeps some of them.

    One scan of many files costs little more than one file, and leaves alone what cannot hold a row of ``where``.

    Raises:
        DataError: a file is missing or damaged.
        polars.exceptions.PolarsError: the files have different columns.
    """
    import polars as pl

    try:
        scan = pl.scan_parquet([path.read_bytes() for path in paths])
        return (scan if where is None else scan.filter(where)).collect().rechunk()
    except (FileNotFoundError, pl.exceptions.PolarsError):
        for path in paths:
            read_table(path)  # says which file is missing or damaged
        raise


def digest(data: bytes) -> str:
    """SHA-256 in hex.

    >>> digest(b"")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(data).hexdigest()


def place_of(key: Sequence[Any]) -> str:
    """Where a row stands among others in an order that follows from the keys alone, and from nothing in them."""
    return digest("\0".join(map(str, key)).encode())


def places_of(keys: pl.DataFrame) -> list[str]:
    """`place_of` each row of ``keys``; a value that many rows share is written as text once."""
    import polars as pl

    joined = pl.select(pl.concat_str([_texts(column) for column in keys], separator="\0")).to_series()
    return [digest(text.encode()) for text in joined]


def _texts(column: pl.Series) -> pl.Series:
    import polars as pl

    if column.dtype.is_float():  # 0.0 and -0.0 are one value with two texts
        return pl.Series(column.name, [str(value) for value in column], dtype=pl.String)
    values = column.unique()
    return column.replace_strict(values, pl.Series([str(v) for v in values], dtype=pl.String), return_dtype=pl.String)
