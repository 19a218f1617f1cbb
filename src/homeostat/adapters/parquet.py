"""Parquet files whose bytes follow from their rows alone, and their hashes."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeostat.core.errors import DataError
from homeostat.project.whole_files import write_bytes

if TYPE_CHECKING:
    import polars as pl


def table_bytes(frame: pl.DataFrame) -> bytes:
    """A frame as the bytes of a Parquet file; the same rows give the same bytes."""
    out = io.BytesIO()
    frame.write_parquet(out, compression="zstd", compression_level=3, statistics=True, row_group_size=32_768)
    return out.getvalue()


def write_table(frame: pl.DataFrame, path: Path) -> Path:
    """Write ``frame`` to ``path`` whole or not at all; the same rows give the same bytes."""
    return write_bytes(table_bytes(frame), path)


def read_table(path: Path) -> pl.DataFrame:
    """Read one Parquet file.

    Raises:
        DataError: the file is missing or damaged.
    """
    # From memory: a memory-mapped frame would change under its reader when the file is replaced.
    return parse_table(path.read_bytes() if path.is_file() else None, path)


def read_or_none(path: Path) -> pl.DataFrame | None:
    """Read one Parquet file of what can be measured again; None where it is missing or damaged."""
    try:
        return read_table(path)
    except DataError:
        return None


def parse_table(data: bytes | None, path: Path) -> pl.DataFrame:
    """The table in the content of a Parquet file, None where there is no file; ``path`` is where it was read.

    Raises:
        DataError: there is no file, or it is damaged.
    """
    import polars as pl  # here: a rollback reads no table, and importing polars would slow it

    if data is None:
        raise DataError(f"{path}: no such file; land the batch again")
    try:
        return pl.read_parquet(data)
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
    """A hash of a row's key, to order rows by: it depends on the key alone and follows no value in it."""
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
