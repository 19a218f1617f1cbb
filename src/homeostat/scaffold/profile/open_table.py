"""A table at any address, opened in a database on disk so that it may be larger than memory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from homeostat.core.errors import DataError
from homeostat.scaffold.profile.identifiers import always_quoted
from homeostat.scaffold.profile.request import Address
from homeostat.scaffold.profile.workspace import Workspace

PARQUET = (".parquet", ".pq")
CHUNK = 200_000  # rows of a query in memory at a time

Form = tuple[tuple[str, str], ...]  # name and type of each column of a file


def open_table(work: Workspace, name: str, address: Address) -> tuple[Form, list[str]]:
    """Make ``name`` a relation of the table as it is written.

    Returns:
        Its columns with their SQL types, and a sentence for each schema change between its files.

    Raises:
        DataError: it cannot be reached or read, or has no rows.
    """
    changes: list[str] = []
    try:
        if address.query is not None:
            fetched = work.folder / f"{name}.parquet"
            _fetch(address, fetched)
            _view_parquet(work, name, [fetched])
        else:
            changes = _open_files(work, name, address)
        columns = tuple((str(r[0]), str(r[1])) for r in work.rows(f"DESCRIBE {always_quoted(name)}"))
        filled = work.has_rows(f"SELECT 1 FROM {always_quoted(name)}")
    except duckdb.Error as error:
        raise DataError(f"{address}: cannot be read ({_first_line(error)}); fix the file") from error
    if not filled:
        raise DataError(f"{address}: has no rows; give a table with a history")
    return columns, changes


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]


def _open_files(work: Workspace, name: str, address: Address) -> list[str]:
    """Make ``name`` a view of the columns that all files have; returns the schema changes between files."""
    paths = _local_files(address, work.folder, name)
    for path in paths:
        if path.stat().st_size == 0:
            raise DataError(f"{address}: is empty; give a table with a header and rows")
    by_form: dict[Form, list[Path]] = {}
    for path in paths:
        by_form.setdefault(_form_of(work, path), []).append(path)
    parts = [_load_part(work, f"{name}__{n}", same) for n, same in enumerate(by_form.values())]
    types = [dict(form) for form in by_form]
    shared = [c for c in types[0] if all(c in one for one in types)]
    if not shared:
        raise DataError(f"{address}: its files have no column in common; give files of one table")
    selected = ", ".join(
        always_quoted(c)
        if len({one[c] for one in types}) == 1
        else f"CAST({always_quoted(c)} AS VARCHAR) AS {always_quoted(c)}"
        for c in shared
    )
    union = " UNION ALL ".join(f"SELECT {selected} FROM {always_quoted(part)}" for part in parts)
    work.execute(f"CREATE VIEW {always_quoted(name)} AS {union}")
    return _schema_changes(list(by_form.items()), shared)


def _schema_changes(by_form: list[tuple[Form, list[Path]]], shared: list[str]) -> list[str]:
    """Columns that were added, dropped or changed their type between files, and in which file first."""
    first = dict(by_form[0][0])
    changes = []
    for form, paths in by_form[1:]:
        later, where = dict(form), paths[0].name
        changes += [f"{c} is missing from {where} on" for c in first if c not in later]
        changes += [f"{c} is new from {where} on" for c in later if c not in first]
        changes += [f"{c} is {later[c]} instead of {first[c]} from {where} on" for c in shared if later[c] != first[c]]
    return list(dict.fromkeys(changes))


def _form_of(work: Workspace, path: Path) -> Form:
    if path.suffix in PARQUET:
        rows = work.rows("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)])
        return tuple((str(r[0]), str(r[1])) for r in rows)
    return tuple((c, "VARCHAR") for c in _read_csv(work, [path]).columns)


def _read_csv(work: Workspace, paths: list[Path]) -> duckdb.DuckDBPyRelation:
    """CSV files; a row with too many or too few values stops here as it would in the loop."""
    from homeostat.data.casts import NULLS
    from homeostat.data.source_files import delimiter_of

    names: Any = [str(p) for p in paths]
    return work.connection.read_csv(
        names, delimiter=delimiter_of(paths[0]), header=True, all_varchar=True, quotechar='"', escapechar='"',
        skiprows=0, na_values=NULLS, null_padding=False, strict_mode=True,
    )  # fmt: skip


def _load_part(work: Workspace, name: str, paths: list[Path]) -> str:
    """Files of one form, as one relation."""
    if paths[0].suffix in PARQUET:
        _view_parquet(work, name, paths)
    else:
        _read_csv(work, paths).create(name)
    return name


def _view_parquet(work: Workspace, name: str, paths: list[Path]) -> None:
    files = ", ".join("'" + str(p).replace("'", "''") + "'" for p in paths)
    work.execute(f"CREATE VIEW {always_quoted(name)} AS SELECT * FROM read_parquet([{files}])")


def _local_files(address: Address, folder: Path, name: str) -> list[Path]:
    """The files where DuckDB can read them: in place, or as a copy, unpacked and in UTF-8."""
    import fsspec

    try:
        fs, path = fsspec.core.url_to_fs(address.path)
        matches = sorted(fs.glob(path)) if any(c in path for c in "*?[") else [path] if fs.isfile(path) else []
    except (OSError, ImportError, ValueError) as error:
        raise DataError(f"{address}: cannot be reached ({_first_line(error)}); fix the address or access") from error
    if not matches:
        raise DataError(f"{address}: no such file; correct --from")
    local = "file" in (fs.protocol if isinstance(fs.protocol, tuple) else (fs.protocol,))
    return [
        Path(one) if local and one.endswith(PARQUET) else _copied(fs, one, folder / f"{name}-{number}")
        for number, one in enumerate(matches)
    ]


def _copied(fs: Any, path: str, folder: Path) -> Path:
    from homeostat.data.source_files import make_even, make_utf8

    parquet = path.endswith(PARQUET)
    copy = folder / f"{Path(path).name.split('.')[0]}{'.parquet' if parquet else '.csv'}"
    folder.mkdir()
    try:
        with fs.open(path, "rb", compression=None if parquet else "infer") as stream, copy.open("wb") as out:
            while block := stream.read(1 << 22):
                out.write(block)
    except Exception as error:  # zip, gzip and remote stores each have errors of their own
        raise DataError(f"{path}: is damaged or cannot be read ({_first_line(error)}); give a whole file") from error
    if not parquet:
        make_utf8(copy)
        make_even(copy)
    return copy


def _fetch(address: Address, target: Path) -> None:
    """Write the rows of a query to one Parquet file, some at a time."""
    import pyarrow.parquet as pq
    import sqlalchemy as sa

    from homeostat.data.casts import as_series

    try:
        engine = sa.create_engine(os.path.expandvars(address.url or ""))
        statement = sa.text(address.query or "")
        bounds = {"start": "0001-01-01", "end": "9999-12-31"}
        used = {k: v for k, v in bounds.items() if k in statement._bindparams}
        with engine.connect().execution_options(stream_results=True) as connection:
            answer = connection.execute(statement, used)
            names = list(answer.keys())
            writer: Any = None
            while rows := answer.fetchmany(CHUNK):
                part = pl.DataFrame([as_series(n, (row[i] for row in rows)) for i, n in enumerate(names)]).to_arrow()
                writer = writer or pq.ParquetWriter(target, part.schema)
                writer.write_table(part.cast(writer.schema))
            if writer is None:
                raise DataError(f"{address}: the query returns no rows; give one with a history")
            writer.close()
        engine.dispose()
    except (sa.exc.SQLAlchemyError, ImportError) as error:
        raise DataError(f"{address}: the query failed ({_first_line(error)}); fix --from or --query") from error
