"""The files of a source: at any address, by their content, each where DuckDB can read it out of core."""

from __future__ import annotations

import hashlib
import logging
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from homeostat.adapters.sql_names import quoted, sql_string
from homeostat.core.errors import DataError
from homeostat.core.text import first_line
from homeostat.data import other_files, workbooks
from homeostat.data.csv_files import csv_fault, csv_relation, prepare
from homeostat.data.file_listing import archive_of, is_part, parted
from homeostat.project.file_form import FileForm
from homeostat.project.whole_files import scratch_folder

if TYPE_CHECKING:
    import duckdb

    from homeostat.project.source_scope import Source

log = logging.getLogger(__name__)

PARQUET = (".parquet", ".pq", ".parq")
NO_PARTITION = "__HIVE_DEFAULT_PARTITION__"
ZSTD = (".zst", ".zstd")
NOT_PACKED = ("parquet", "workbook")  # by themselves
PACKED = (*ZSTD, ".zip", ".gz", ".bz2", ".xz")


@dataclass(frozen=True)
class SourceFile:
    """A file of a source; ``partition`` are the columns that stand in its path, as ``region=north``.

    ``archive``: the path of the zip or tar file that holds it, and ``fs`` what reads it.
    """

    fs: Any
    path: str
    partition: tuple[tuple[str, str | None], ...] = ()
    archive: str = ""

    @property
    def called(self) -> str:
        """Its path as a message names it."""
        return f"{self.archive}/{self.path}" if self.archive else self.path

    @property
    def kind(self) -> str:
        """By its name, without that of how it is packed: parquet, workbook, one of ``other_files``, or else text."""
        low = self.path.lower()
        if low.endswith(PARQUET):
            return "parquet"
        if low.endswith(workbooks.SUFFIXES):
            return "workbook"
        plain = next((low.removesuffix(packed) for packed in PACKED if low.endswith(packed)), low)
        return other_files.SUFFIXES.get(Path(plain).suffix, "text")

    @property
    def is_local(self) -> bool:
        protocol = self.fs.protocol if isinstance(self.fs.protocol, tuple) else (self.fs.protocol,)
        return "file" in protocol


def files_of(name: str, source: Source, root: Path) -> list[SourceFile]:
    """Every file of the source, in order of path.

    Raises:
        DataError: they cannot be reached, or there are none.
    """
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
    files = files_at(name, address)
    if not files:
        raise DataError(f"{name}: no file {address}; put it there or correct sources.{name}.path in params.yaml")
    return files


def files_at(name: str, address: str) -> list[SourceFile]:
    """The files at an address, in order of path: a file of just that name, a folder's, or those that a glob matches.

    Raises:
        DataError: the address cannot be reached.
    """
    return listed_at(name, address)[0]


def listed_at(name: str, address: str) -> tuple[list[SourceFile], list[str]]:
    """The files at an address, and the paths of those that only are about them: of a folder, or of an archive.

    Raises:
        DataError: the address cannot be reached.
    """
    import fsspec

    with _reached(name, address):
        if "://" in address:
            fs, path = fsspec.core.url_to_fs(address)
        else:  # a name may hold what means something in an address
            fs, path = fsspec.filesystem("file"), address
        if fs.isfile(path):
            return _in_archive(fs, path) or ([SourceFile(fs, path, _partition(path, path))], [])
        about: list[str] = []
        if fs.isdir(path):
            inside = [p for p in sorted(fs.find(path)) if is_part(p[len(path.rstrip("/")) :])]
            paths, about = parted(inside)
        else:
            paths = sorted(p for p in fs.glob(path) if fs.isfile(p)) if any(c in path for c in "*?[") else []
    return [SourceFile(fs, p, _partition(p, path)) for p in paths], about


@contextmanager
def _reached(name: str, address: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # each kind of store raises its own
        why = first_line(error) or type(error).__name__
        raise DataError(f"{name}: {address} cannot be reached: {why}; correct its path or access") from error


def _in_archive(fs: Any, path: str) -> tuple[list[SourceFile], list[str]] | None:
    """The files in a zip of several tables or in a tar file, as those of a folder; None for any other file."""
    try:
        archive = archive_of(fs, path)
        members = [] if archive is None else [p for p in sorted(archive.find("")) if is_part(p)]
    except (OSError, ValueError, zipfile.BadZipFile, tarfile.TarError):
        return None  # damaged, which its reader will say
    rows, about = parted(members)
    packed_alone = len(rows) == 1 and path.lower().endswith(".zip") and SourceFile(archive, rows[0]).kind == "text"
    if not rows or packed_alone and not about:
        return None
    return [SourceFile(archive, p, _partition(p, p), path) for p in rows], about


def _partition(path: str, address: str) -> tuple[tuple[str, str | None], ...]:
    """The columns that stand in the path."""
    steps = [step.partition("=") for step in path.split("/")[:-1]]
    pairs = {key: unquote(value) for key, equals, value in steps if equals and key.isidentifier()}
    return tuple((key, None if value == NO_PARTITION else value) for key, value in pairs.items())


def version_of(name: str, file: SourceFile) -> str:
    """What changes when the file does, without reading it.

    Raises:
        DataError: it cannot be reached.
    """
    with _reached(name, file.called):
        return str(file.fs.ukey(file.path))


def digest_of(name: str, file: SourceFile) -> str:
    """The hash of a file's content, and of what stands in its path.

    Raises:
        DataError: it cannot be read whole.
    """
    total = hashlib.sha256(repr(file.partition).encode() if file.partition else b"")
    with _reached(name, file.called), file.fs.open(file.path, "rb") as stream:
        while block := stream.read(1 << 20):
            total.update(block)
    return total.hexdigest()


@contextmanager
def opened(
    connection: duckdb.DuckDBPyConnection, name: str, file: SourceFile, form: FileForm, scratch: Path,
    say: Callable[[str], None] | None = None,
) -> Iterator[duckdb.DuckDBPyRelation]:  # fmt: skip
    """The rows of one file as they are written, CSV values as text; nothing of it is in memory yet.

    ``say`` takes what was done to uneven rows; by default the log does.

    Raises:
        DataError: it is empty, damaged or cut short; also while the rows are read.
    """
    import duckdb

    if is_empty(name, file):
        raise DataError(f"{name}: {file.called} is empty; deliver it again")
    with local_copy(name, file, scratch) as local:
        if local.stat().st_size == 0:
            raise DataError(f"{name}: {file.called} is empty; deliver it again")
        parquet = file.kind != "text"
        try:
            if file.kind == "workbook":
                local = workbooks.as_parquet(name, file.called, local, form.sheet, local.with_name("sheet.parquet"))
            elif file.kind in other_files.SUFFIXES.values():
                made = local.with_name("rows.parquet")
                local = other_files.as_parquet(connection, file.kind, name, file.called, local, made)
            elif not parquet:
                other_files.refuse_other(name, file.called, local)
            left = form if parquet else prepare(local, form, f"{name}: {file.called}", say or _logged(name, file))
            if parquet:
                rows = parquet_relation(connection, local)
            else:
                rows = csv_relation(connection, local, left, form.nulls)
            yield _with_partition(rows, file)
        except duckdb.Error as error:
            if not parquet:
                raise csv_fault(name, file.called, error, form, local) from error
            raise DataError(
                f"{name}: {file.called} is damaged or cut short ({first_line(error)}); deliver it again"
            ) from error


def _logged(name: str, file: SourceFile) -> Callable[[str], None]:
    return lambda sentence: log.warning("%s: %s: %s", name, file.path, sentence)


def is_empty(name: str, file: SourceFile) -> bool:
    """Whether a file has no byte.

    Raises:
        DataError: it cannot be reached.
    """
    with _reached(name, file.called):
        return bool(file.fs.size(file.path) == 0)


def parquet_relation(connection: duckdb.DuckDBPyConnection, path: Path) -> duckdb.DuckDBPyRelation:
    return connection.read_parquet(str(path), hive_partitioning=False)


def _with_partition(rows: duckdb.DuckDBPyRelation, file: SourceFile) -> duckdb.DuckDBPyRelation:
    there = {c.lower() for c in rows.columns}
    more = [
        f"CAST({'NULL' if value is None else sql_string(value)} AS VARCHAR) "
        f"AS {quoted(key)}"
        for key, value in file.partition
        if key.lower() not in there
    ]
    return rows.project(", ".join(["*", *more])) if more else rows


@contextmanager
def local_copy(name: str, file: SourceFile, scratch: Path) -> Iterator[Path]:
    """The file where it lies, or a copy, unpacked: text may have to be rewritten, and a store is read once."""
    if file.kind == "parquet" and file.is_local and not any(c in file.path for c in "*?["):
        yield Path(file.path)
        return
    with scratch_folder(scratch) as folder:
        copy = folder / ("copy.parquet" if file.kind in NOT_PACKED else "copy")
        try:
            with copy.open("wb") as out, unpacked(file) as stream:
                while block := stream.read(1 << 20):
                    out.write(block)
        except DataError as error:
            raise DataError(f"{name}: {error}") from error
        except Exception as error:  # zip, gzip, zlib and remote stores each have errors of their own
            cause = first_line(error)
            raise DataError(f"{name}: {file.called} is damaged or cut short ({cause}); deliver it again") from error
        yield copy


@contextmanager
def unpacked(file: SourceFile) -> Iterator[Any]:
    """The bytes of a file, unpacked where its name says that it is packed.

    Raises:
        DataError: an archive holds several files.
    """
    low = file.path.lower()
    if low.endswith(ZSTD):
        import pyarrow as pa

        with file.fs.open(file.path, "rb") as packed, pa.CompressedInputStream(pa.PythonFile(packed), "zstd") as plain:
            yield plain
        return
    if low.endswith(".zip"):
        with file.fs.open(file.path, "rb") as packed, zipfile.ZipFile(packed) as archive:
            inside = [n for n in archive.namelist() if not n.endswith("/") and is_part(n)]
            if len(inside) != 1:
                raise DataError(f"{file.called} holds {len(inside)} files; unpack it and name its folder")
            with archive.open(inside[0]) as plain:
                yield plain
        return
    packing = None if file.kind in NOT_PACKED else "infer"
    with file.fs.open(file.path, "rb", compression=packing) as plain:
        yield plain
