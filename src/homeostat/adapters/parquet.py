"""Files written whole or not at all: Parquet whose bytes follow from its rows alone, and text; their hashes."""

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
    import polars as pl  # here: a rollback reads no table, and importing polars would slow it

    try:
        # From memory: a memory-mapped frame would change under its reader when the file is replaced.
        return pl.read_parquet(path.read_bytes())
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; land the batch again") from error
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{path}: damaged, not a whole Parquet file; remove it and land the batch again") from error


def digest(data: bytes) -> str:
    """SHA-256 in hex.

    >>> digest(b"")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(data).hexdigest()


def place_of(key: Sequence[Any]) -> str:
    """A hash of a row's key, to order rows by: it depends on the key alone and follows no value in it."""
    return digest("\0".join(map(str, key)).encode())
