"""The files of a source: at any address, by their content, each where DuckDB can read it out of core."""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeostat.core.errors import DataError
from homeostat.data.casts import NULLS
from homeostat.project.whole_files import scratch_folder

if TYPE_CHECKING:
    import duckdb

    from homeostat.project.scope import Source

DELIMITERS = (",", ";", "\t", "|")
PARQUET = (".parquet", ".pq")


def files_of(name: str, source: Source, root: Path) -> list[tuple[Any, str]]:
    """(file system, path) of every file of the source, in order of path.

    Raises:
        DataError: they cannot be reached, or there are none.
    """
    import fsspec

    if source.package is not None:
        try:
            address = str(metadata.distribution(source.package).locate_file(source.path or ""))
        except metadata.PackageNotFoundError as error:
            raise DataError(
                f"{name}: the package {source.package} is not installed; install it, then run again"
            ) from error
    else:
        address = source.path or ""
        if "://" not in address:
            address = str(root / address)
    try:
        fs, path = fsspec.core.url_to_fs(address)
        found = sorted(fs.glob(path)) if any(c in path for c in "*?[") else [path] if fs.isfile(path) else []
    except (OSError, ImportError, ValueError) as error:
        raise DataError(
            f"{name}: {address} cannot be reached: {first_line(error)}; correct its path or access"
        ) from error
    if not found:
        raise DataError(f"{name}: no file {address}; put it there or correct sources.{name}.path in params.yaml")
    return [(fs, p) for p in found]


def digest_of(fs: Any, path: str) -> str:
    """The hash of a file's content."""
    total = hashlib.sha256()
    with fs.open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            total.update(block)
    return total.hexdigest()


@contextmanager
def opened(
    connection: duckdb.DuckDBPyConnection, name: str, fs: Any, path: str, scratch: Path
) -> Iterator[duckdb.DuckDBPyRelation]:
    """The rows of one file as they are written, CSV values as text; nothing of it is in memory yet.

    Raises:
        DataError: it is empty, damaged or cut short; also while the rows are read.
    """
    import duckdb

    if fs.size(path) == 0:
        raise DataError(f"{name}: {path} is empty; deliver it again")
    parquet = path.endswith(PARQUET)
    with _local(name, fs, path, parquet, scratch) as file:
        if file.stat().st_size == 0:
            raise DataError(f"{name}: {path} is empty; deliver it again")
        if not parquet:
            make_utf8(file)
            make_even(file)
        try:
            yield connection.read_parquet(str(file)) if parquet else csv_relation(connection, file)
        except duckdb.Error as error:
            what = "is damaged or cut short" if parquet else "is not a whole CSV file"
            raise DataError(f"{name}: {path} {what} ({first_line(error)}); deliver it again") from error


@contextmanager
def _local(name: str, fs: Any, path: str, parquet: bool, scratch: Path) -> Iterator[Path]:
    """The file where it lies, or a copy, unpacked: text may have to be rewritten, and a store is read once."""
    protocol = fs.protocol if isinstance(fs.protocol, tuple) else (fs.protocol,)
    if parquet and "file" in protocol:
        yield Path(path)
        return
    with scratch_folder(scratch) as folder:
        copy = folder / ("copy.parquet" if parquet else "copy.csv")
        try:
            with copy.open("wb") as out, fs.open(path, "rb", compression=None if parquet else "infer") as stream:
                while block := stream.read(1 << 20):
                    out.write(block)
        except Exception as error:  # zip, gzip, zlib and remote stores each have errors of their own
            said = first_line(error)
            raise DataError(f"{name}: {path} is damaged or cut short ({said}); deliver it again") from error
        yield copy


def csv_relation(connection: duckdb.DuckDBPyConnection, path: Path) -> duckdb.DuckDBPyRelation:
    """A CSV file with a header, every row complete."""
    listed: Any = [str(path)]  # given by itself, DuckDB 2.0 reads no row of a file whose lines end as Windows' do
    return connection.read_csv(
        listed, delimiter=delimiter_of(path), header=True, all_varchar=True, quotechar='"', escapechar='"',
        skiprows=0, na_values=NULLS, null_padding=False, strict_mode=True,
    )  # fmt: skip


def delimiter_of(path: Path) -> str:
    """What separates the values of a CSV file, by its first line."""
    with path.open("rb") as stream:
        names = re.sub(rb'"[^"]*"', b"", stream.readline()).decode("latin-1")
    return max(DELIMITERS, key=names.count)


def make_even(path: Path) -> None:
    """End all lines of a text file alike: of one that mixes the ends of Windows and Unix, DuckDB reads none."""
    windows = unix = 0
    with path.open("rb") as stream:
        for line in stream:
            windows, unix = windows + line.endswith(b"\r\n"), unix + (not line.endswith(b"\r\n"))
            if windows and unix:
                break
    if not (windows and unix):
        return
    fresh = path.with_name(path.name + ".even")
    with path.open("rb") as old, fresh.open("wb") as new:
        for line in old:
            new.write(line.removesuffix(b"\n").removesuffix(b"\r") + b"\n")
    fresh.replace(path)


def make_utf8(path: Path) -> None:
    """Rewrite a text file that is in another encoding: UTF-16 by its mark, or else Windows' Latin-1."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as stream:
        marked = stream.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        stream.seek(0)
        try:
            while block := stream.read(1 << 22):
                decoder.decode(block)
            decoder.decode(b"", final=True)
            return
        except UnicodeDecodeError:
            pass
    fresh = path.with_name(path.name + ".utf8")
    encoding = "utf-16" if marked else "cp1252"
    with path.open(encoding=encoding, errors="replace", newline="") as old, fresh.open("wb") as new:
        while text := old.read(1 << 20):
            new.write(text.encode())
    fresh.replace(path)


def first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0] or type(error).__name__
