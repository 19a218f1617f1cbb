"""A table at any address, opened in a database on disk so that it may be larger than memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeostat.core.errors import DataError, UsageError
from homeostat.scaffold.profile.identifiers import always_quoted

if TYPE_CHECKING:
    import duckdb

MEMORY = "1500MB"
PARQUET = (".parquet", ".pq")
CHUNK = 200_000  # rows of a query in memory at a time


@dataclass(frozen=True)
class Address:
    """Where a table is: a path (local, or any fsspec address, or a glob), or a database and a query."""

    path: str | None = None
    url: str | None = None
    query: str | None = None

    @classmethod
    def of(cls, said: str, query: str | None = None) -> Address:
        """What a person typed: local paths become absolute, so that the project finds them from anywhere.

        Raises:
            UsageError: a database without a query.
        """
        if query is not None:
            return cls(url=_rooted(said), query=query)
        scheme = said.split("://")[0].split("+")[0] if "://" in said else ""
        if scheme in ("sqlite", "postgresql", "postgres", "mysql", "mariadb", "mssql", "oracle", "duckdb", "snowflake"):
            raise UsageError(f"--from {said}: is a database; say what to read with --query 'SELECT ...'")
        return cls(path=said if scheme else os.path.abspath(os.path.expanduser(said)))

    @property
    def stem(self) -> str:
        """What the table is called there."""
        if self.path is None:
            return "records"
        name = self.path.rstrip("/").rsplit("/", 1)[-1]
        return name.split(".")[0].replace("*", "").replace("?", "") or "records"


def _rooted(url: str) -> str:
    """A database in a file, by its whole path: the project asks for it from elsewhere."""
    start, slashes, path = url.partition(":///")
    if not start.startswith("sqlite") or not path or path.startswith(("/", ":memory:")):
        return url
    return f"{start}{slashes}{os.path.abspath(path)}"


@contextmanager
def workspace() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database of its own on disk, gone afterwards."""
    import duckdb

    with tempfile.TemporaryDirectory(prefix="homeostat-new-") as folder:
        connection = duckdb.connect(
            str(Path(folder) / "work.duckdb"),
            config={"memory_limit": MEMORY, "temp_directory": folder, "threads": min(2, os.cpu_count() or 1)},
        )
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET preserve_insertion_order = false")
        try:
            yield connection
        finally:
            connection.close()


def open_table(
    connection: duckdb.DuckDBPyConnection, name: str, address: Address
) -> tuple[list[tuple[str, str]], list[str]]:
    """Make ``name`` a relation of what is at the address, as it is written.

    Its columns and their types, and what of them changed between files.

    Raises:
        DataError: it cannot be reached or read, or has no rows.
    """
    import duckdb

    changes: list[str] = []
    folder = Path(connection.sql("SELECT current_setting('temp_directory')").fetchall()[0][0])
    try:
        if address.query is not None:
            _fetch(address, folder / f"{name}.parquet")
            _view_of_parquet(connection, name, [folder / f"{name}.parquet"])
        else:
            changes = _open_files(connection, name, address, folder)
        columns = [(str(r[0]), str(r[1])) for r in connection.sql(f"DESCRIBE {always_quoted(name)}").fetchall()]
        first = connection.sql(f"SELECT 1 FROM {always_quoted(name)} LIMIT 1").fetchall()
    except duckdb.Error as error:
        said = str(error).strip().split("\n")[0]
        raise DataError(f"{address.path or address.url}: cannot be read ({said}); mend the file") from error
    if not first:
        raise DataError(f"{address.path or address.url}: has no rows; give a table with a history")
    return columns, changes


def _open_files(connection: duckdb.DuckDBPyConnection, name: str, address: Address, folder: Path) -> list[str]:
    """Make ``name`` a view of the columns that all files have; what is not in all of them, in words."""
    paths = _local(address, folder, name)
    for path in paths:
        if path.stat().st_size == 0:
            raise DataError(f"{address.path}: is empty; give a table with a header and rows")
    forms: dict[tuple[tuple[str, str], ...], list[Path]] = {}
    for path in paths:
        forms.setdefault(_columns_of(connection, path), []).append(path)
    parts = [_part(connection, f"{name}__{n}", form) for n, form in enumerate(forms.values())]
    every = [dict(form) for form in forms]
    shared = [c for c in every[0] if all(c in form for form in every)]
    if not shared:
        raise DataError(f"{address.path}: its files have no column in common; give files of one table")
    listed = ", ".join(
        always_quoted(c)
        if len({form[c] for form in every}) == 1
        else f"CAST({always_quoted(c)} AS VARCHAR) AS {always_quoted(c)}"
        for c in shared
    )
    union = " UNION ALL ".join(f"SELECT {listed} FROM {always_quoted(part)}" for part in parts)
    connection.execute(f"CREATE VIEW {always_quoted(name)} AS {union}")
    return _changes(list(forms.items()), shared)


def _changes(forms: list[tuple[tuple[tuple[str, str], ...], list[Path]]], shared: list[str]) -> list[str]:
    """What came, went or changed its type between files, and in which."""
    first = dict(forms[0][0])
    found = []
    for form, paths in forms[1:]:
        later, where = dict(form), paths[0].name
        found += [f"{c} is gone from {where} on" for c in first if c not in later]
        found += [f"{c} is new from {where} on" for c in later if c not in first]
        found += [f"{c} is {later[c]} instead of {first[c]} from {where} on" for c in shared if later[c] != first[c]]
    return list(dict.fromkeys(found))


def _columns_of(connection: duckdb.DuckDBPyConnection, path: Path) -> tuple[tuple[str, str], ...]:
    if path.suffix in PARQUET:
        rows = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
        return tuple((str(r[0]), str(r[1])) for r in rows)
    return tuple((c, "VARCHAR") for c in _csv(connection, [path]).columns)


def _csv(connection: duckdb.DuckDBPyConnection, paths: list[Path]) -> duckdb.DuckDBPyRelation:
    """CSV files; a row that has too many or too few values stops here as it would in the loop."""
    from homeostat.adapters.casts import NULLS
    from homeostat.adapters.source_files import delimiter_of

    named: Any = [str(p) for p in paths]
    return connection.read_csv(
        named, delimiter=delimiter_of(paths[0]), header=True, all_varchar=True, quotechar='"', escapechar='"',
        skiprows=0, na_values=NULLS, null_padding=False, strict_mode=True,
    )  # fmt: skip


def _part(connection: duckdb.DuckDBPyConnection, name: str, paths: list[Path]) -> str:
    """Files of one form, as a table of their own."""
    if paths[0].suffix in PARQUET:
        _view_of_parquet(connection, name, paths)
    else:
        _csv(connection, paths).create(name)
    return name


def _view_of_parquet(connection: duckdb.DuckDBPyConnection, name: str, paths: list[Path]) -> None:
    listed = ", ".join("'" + str(p).replace("'", "''") + "'" for p in paths)
    connection.execute(f"CREATE VIEW {always_quoted(name)} AS SELECT * FROM read_parquet([{listed}])")


def _local(address: Address, folder: Path, name: str) -> list[Path]:
    """The files, each where DuckDB can read it: as it lies, or as a copy, unpacked and in UTF-8."""
    import fsspec

    from homeostat.adapters.source_files import make_even, make_utf8

    try:
        fs, path = fsspec.core.url_to_fs(address.path)
        found = sorted(fs.glob(path)) if any(c in path for c in "*?[") else [path] if fs.isfile(path) else []
    except (OSError, ImportError, ValueError) as error:
        said = str(error).strip().split("\n")[0]
        raise DataError(f"{address.path}: cannot be reached ({said}); correct the address or access") from error
    if not found:
        raise DataError(f"{address.path}: no such file; correct --from")
    local = "file" in (fs.protocol if isinstance(fs.protocol, tuple) else (fs.protocol,))
    paths = []
    for number, one in enumerate(found):
        if local and one.endswith(PARQUET):
            paths.append(Path(one))
            continue
        parquet = one.endswith(PARQUET)
        copy = folder / f"{name}-{number}" / f"{Path(one).name.split('.')[0]}{'.parquet' if parquet else '.csv'}"
        copy.parent.mkdir()
        try:
            with fs.open(one, "rb", compression=None if parquet else "infer") as stream, copy.open("wb") as out:
                while block := stream.read(1 << 22):
                    out.write(block)
        except Exception as error:  # zip, gzip and remote stores each have errors of their own
            said = str(error).strip().split("\n")[0]
            raise DataError(f"{one}: is damaged or cannot be read ({said}); give a whole file") from error
        if not parquet:
            make_utf8(copy)
            make_even(copy)
        paths.append(copy)
    return paths


def _fetch(address: Address, target: Path) -> None:
    """What a query answers, as one Parquet file, some rows at a time."""
    import polars as pl
    import pyarrow.parquet as pq
    import sqlalchemy as sa

    from homeostat.adapters.casts import as_series

    try:
        engine = sa.create_engine(os.path.expandvars(address.url or ""))
        statement = sa.text(address.query or "")
        wanted = {"start": "0001-01-01", "end": "9999-12-31"}
        given = {k: v for k, v in wanted.items() if k in statement._bindparams}
        with engine.connect().execution_options(stream_results=True) as connection:
            answer = connection.execute(statement, given)
            names = list(answer.keys())
            writer: Any = None
            while rows := answer.fetchmany(CHUNK):
                part = pl.DataFrame([as_series(n, (row[i] for row in rows)) for i, n in enumerate(names)]).to_arrow()
                writer = writer or pq.ParquetWriter(target, part.schema)
                writer.write_table(part.cast(writer.schema))
            if writer is None:
                raise DataError(f"{address.url}: the query answers no rows; give one with a history")
            writer.close()
        engine.dispose()
    except (sa.exc.SQLAlchemyError, ImportError) as error:
        said = str(error).strip().split("\n")[0]
        raise DataError(f"{address.url}: the query failed ({said}); mend --from or --query") from error
