"""Parquet files whose bytes follow from their rows alone."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeostat.core.errors import DataError

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


def write_text(text: str, path: Path) -> Path:
    """Write ``text`` to ``path`` whole or not at all."""
    return write_bytes(text.encode(), path)


def write_bytes(data: bytes, path: Path) -> Path:
    """Write ``data`` to ``path`` whole or not at all; a file that holds just that is left alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data:
        return path
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_bytes(data)
        os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)
    return path


def read_table(path: Path) -> pl.DataFrame:
    """Read one Parquet file.

    Raises:
        DataError: the file is missing or damaged.
    """
    # From memory: a memory-mapped frame would change under its reader when the file is replaced.
    return parse_table(path.read_bytes() if path.is_file() else None, path)


def parse_table(data: bytes | None, path: Path) -> pl.DataFrame:
    """The table in the content of a Parquet file, None where there is no file; ``path`` is where it was read.

    Raises:
        DataError: there is no file, or it is damaged.
    """
    import polars as pl  # here, for a rollback reads no table and has a second

    if data is None:
        raise DataError(f"{path}: no such file; land the batch again")
    try:
        return pl.read_parquet(data)
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{path}: damaged, not a whole Parquet file; remove it and land the batch again") from error


def digest(data: bytes) -> str:
    """SHA-256 in hex.

    >>> digest(b"")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(data).hexdigest()


def place_of(key: Sequence[Any]) -> str:
    """Where a row stands among others in an order that follows from the keys alone, and from nothing in them."""
    return digest("\0".join(map(str, key)).encode())
