"""Where tables come from: a package's files, files at any address, or a SQL query, as typed batches."""

from __future__ import annotations

import codecs
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from functools import cache as once
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from homeostat.adapters.tables import write_table
from homeostat.core.errors import DataError, ScopeError

if TYPE_CHECKING:
    import duckdb

    from homeostat.core.periods import Period
    from homeostat.scope import Source

NULLS = ["NA", ""]
TYPES: dict[str, pl.DataType] = {
    "string": pl.String(),
    "integer": pl.Int64(),
    "float": pl.Float64(),
    "boolean": pl.Boolean(),
    "time": pl.Datetime("us"),
}
YES, NO = ("true", "t", "1", "yes", "y", "on"), ("false", "f", "0", "no", "n", "off")
TRUTH = dict.fromkeys(YES, True) | dict.fromkeys(NO, False)
DELIMITERS = (",", ";", "\t", "|")
TIME = "__event_time"
PROBLEM = "__problem"
FORMAT = "2"  # of the converted files; a new number converts anew
_digests: dict[tuple[str, str], str] = {}
_spans: dict[Path, tuple[Any, Any]] = {}


def read_batch(name: str, source: Source, period: Period | None, root: Path, cache: Path) -> pl.DataFrame | None:
    """The source's rows whose event time lies in ``period`` (all rows when the source has no time).

    The declared columns only, in their declared types, sorted by key and then by every column.
    ``root`` is where relative paths start, ``cache`` where converted files are kept.
    None when the source has no row for the period: the batch has not come.

    Raises:
        DataError: the source cannot be read, lacks a column, or a value of the batch does not fit its type.
        ScopeError: the time expression of the source is wrong.
    """
    if source.query is not None:
        rows = _typed_rows(name, source, _query(name, source, period, root), "its query")
    else:
        parts = [_span_of(path, period) for path in _converted(name, source, root, cache)]
        rows = pl.concat(parts)
    if source.timed and period is not None:
        rows = rows.filter((pl.col(TIME) >= period.start) & (pl.col(TIME) < period.end))
    if rows.is_empty():
        return None
    problems = rows[PROBLEM].drop_nulls()
    if len(problems):
        raise DataError(f"{name}: {problems[0]} ({len(problems)} such rows in the batch); mend the source or its type")
    return ordered(rows.select(list(source.columns)), source)


def content_key(source: Source, root: Path, name: str = "source") -> str | None:
    """A hash of everything a batch of ``source`` is read from; None for a query, which may answer anew each time."""
    if source.query is not None:
        return None
    parts = [_digest(fs, path) for fs, path in _files(name, source, root)]
    return hashlib.sha256("".join([_spec(source), *parts]).encode()).hexdigest()


def ordered(rows: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Rows in their one order: by key, then by all columns."""
    rest = [c for c in source.columns if c not in source.key]
    return rows.sort([*source.key, *rest], nulls_last=True)


def event_times(name: str, source: Source, rows: pl.DataFrame) -> pl.Series:
    """The event time of each row: naive UTC, null where the expression is."""
    if source.time is None:
        return pl.Series(TIME, [None] * len(rows), dtype=TYPES["time"])
    import duckdb

    connection = _connection().cursor()
    try:
        connection.register("rows", rows.to_arrow())
        # Row order is DuckDB's default for a plain projection (preserve_insertion_order).
        found = connection.sql(f'SELECT CAST(({source.time}) AS TIMESTAMP) AS "{TIME}" FROM rows').pl()
    except duckdb.Error as error:
        raise ScopeError(f"params.yaml: sources.{name}.time: {_first_line(error)}; mend the expression") from error
    finally:
        connection.close()
    return found[TIME].cast(TYPES["time"])


@once
def _connection() -> duckdb.DuckDBPyConnection:
    import duckdb

    return duckdb.connect(config={"threads": 1})


def typed(rows: pl.DataFrame, columns: dict[str, str]) -> pl.DataFrame:
    """Rows in the declared types, with a column that names the first value of each row that does not fit."""
    cast = rows.select(_cast(rows[c], kind).alias(c) for c, kind in columns.items())
    problem = pl.lit(None, dtype=pl.String)
    for column, kind in reversed(columns.items()):
        given = rows[column]
        if given.dtype == TYPES[kind]:
            continue
        bad = cast[column].is_null() & _given(given)
        if bad.any():
            text = pl.Series([f"{column} is {value!r}, which is not {kind}" for value in given])
            problem = pl.when(bad).then(text).otherwise(problem)
    return cast.with_columns(problem.alias(PROBLEM))


def _given(values: pl.Series) -> pl.Series:
    if values.dtype == pl.String:
        return values.is_not_null() & ~values.is_in(NULLS)
    if values.dtype.is_float():
        return values.is_not_null() & values.is_not_nan()
    return values.is_not_null()


def _cast(values: pl.Series, kind: str) -> pl.Series:
    """The values as ``kind``; null where one does not fit."""
    wanted = TYPES[kind]
    if values.dtype == wanted and kind != "float":
        return values
    text = values.dtype == pl.String
    if kind == "integer" and (text or values.dtype.is_float()):
        real = values.cast(pl.Float64, strict=False)
        whole = real.is_finite() & (real == real.floor()) & (real.abs() < 2**53)
        from_real = real.set(~whole.fill_null(False), None).cast(pl.Int64, strict=False)
        return values.cast(pl.Int64, strict=False).fill_null(from_real) if text else from_real
    if kind == "boolean":
        return values.cast(pl.String).str.to_lowercase().replace_strict(TRUTH, default=None, return_dtype=pl.Boolean)
    if kind == "time" and text:
        return _time(values)
    if kind == "time" and getattr(values.dtype, "time_zone", None):
        return values.dt.convert_time_zone("UTC").dt.replace_time_zone(None).cast(wanted)
    if kind == "time" and not values.dtype.is_temporal() and values.dtype != pl.Null:
        return pl.Series(values.name, [None] * len(values), dtype=wanted)
    cast = values.cast(wanted, strict=False)
    return cast.fill_nan(None) if kind == "float" else cast


def _time(values: pl.Series) -> pl.Series:
    """Times from ISO text; one without an offset is in UTC."""
    plain = values.str.strip_suffix("Z").str.replace(" ", "T", literal=True)
    dated = plain.str.contains(r"^\d{4}-\d\d-\d\d$")
    plain = (plain + pl.select(pl.when(dated).then(pl.lit("T00:00:00")).otherwise(pl.lit("")))[:, 0]).alias(values.name)
    naive = plain.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False)
    if naive.null_count() > values.null_count():
        naive = naive.fill_null(plain.str.to_datetime("%Y-%m-%dT%H:%M", time_unit="us", strict=False))
    if naive.null_count() > values.null_count():
        offset = plain.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%:z", time_unit="us", strict=False)
        naive = naive.fill_null(offset.dt.replace_time_zone(None))
    return naive


def _typed_rows(name: str, source: Source, rows: pl.DataFrame, where: str) -> pl.DataFrame:
    """Typed rows with their event time, in the order of event time."""
    rows = _as_declared(name, source, rows, where)
    result = typed(rows, dict(source.columns))
    result = result.with_columns(event_times(name, source, result).alias(TIME))
    if source.timed and result[TIME].null_count():
        row = result.filter(pl.col(TIME).is_null()).row(0, named=True)
        why = row[PROBLEM] or ", ".join(f"{k}={row[k]}" for k in source.key)
        raise DataError(f"{name}: {where}: a row has no event time ({why}); no batch can hold it: mend the source")
    return result.sort(TIME) if source.timed else result


def _as_declared(name: str, source: Source, rows: pl.DataFrame, where: str) -> pl.DataFrame:
    """The declared columns, by their own names, each as it is written or as ``read`` says."""
    plain = [c for c in source.columns if c not in source.read]
    _need_columns(name, plain, rows, where)
    if not source.read:
        return rows
    import duckdb

    connection = _connection().cursor()
    try:
        connection.register("written", rows.to_arrow())
        return connection.sql(f"SELECT {read_columns(source.columns, source.read)} FROM written").pl()
    except duckdb.BinderException as error:
        raise DataError(
            f"{name}: {where} cannot be read as sources.{name}.read says: {_first_line(error)}; rename the column "
            "there or mend params.yaml"
        ) from error
    except duckdb.Error as error:
        raise ScopeError(f"params.yaml: sources.{name}.read: {_first_line(error)}; mend the expression") from error
    finally:
        connection.close()


def read_columns(columns: Iterable[str], read: Mapping[str, str]) -> str:
    """The SQL list that makes the declared columns of what is written."""
    names = [(read.get(c), '"' + c.replace('"', '""') + '"') for c in columns]
    return ", ".join(f"({sql}\n) AS {name}" if sql is not None else name for sql, name in names)


def _need_columns(name: str, columns: Iterable[str], rows: pl.DataFrame, where: str) -> None:
    absent = [c for c in columns if c not in rows.columns]
    if absent:
        has = ", ".join(rows.columns)
        raise DataError(
            f"{name}: {where} has no column {absent[0]!r} (it has {has}); rename it there or in params.yaml"
        )


# ---- files


def _files(name: str, source: Source, root: Path) -> list[tuple[Any, str]]:
    """(file system, path) of every file of the source, in order of path."""
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
            f"{name}: {address} cannot be reached: {_first_line(error)}; correct its path or access"
        ) from error
    if not found:
        raise DataError(f"{name}: no file {address}; put it there or correct sources.{name}.path in params.yaml")
    return [(fs, p) for p in found]


def read_file(name: str, source: Source, path: Path) -> pl.DataFrame:
    """All rows of one local file as they are written, with every declared column.

    Raises:
        DataError: it cannot be read or lacks a column.
    """
    import fsspec

    if not path.is_file():
        raise DataError(f"{name}: no file {path}; correct the path")
    return _as_declared(name, source, _load(name, fsspec.filesystem("file"), str(path)), str(path))


def _digest(fs: Any, path: str) -> str:
    """The hash of a file's content, asked once a process while its size and time stay."""
    key = (path, fs.ukey(path))
    if key not in _digests:
        total = hashlib.sha256()
        with fs.open(path, "rb") as stream:
            while block := stream.read(1 << 20):
                total.update(block)
        _digests[key] = total.hexdigest()
    return _digests[key]


def _spec(source: Source) -> str:
    return json.dumps([FORMAT, source.time, dict(source.columns), list(source.key), dict(source.read)])


def _converted(name: str, source: Source, root: Path, cache: Path) -> list[Path]:
    """Each file of the source as typed Parquet in order of event time, converted once for each content."""
    found = []
    for fs, path in _files(name, source, root):
        key = hashlib.sha256((_spec(source) + _digest(fs, path)).encode()).hexdigest()[:32]
        kept = cache / "sources" / f"{key}.parquet"
        if not kept.is_file():
            write_table(_typed_rows(name, source, _load(name, fs, path), path), kept)
        found.append(kept)
    return found


def _span_of(path: Path, period: Period | None) -> pl.DataFrame:
    """The rows of a converted file that may lie in the period; a file wholly outside it is not opened."""
    table = pl.scan_parquet(path)
    if period is None:
        return table.collect()
    if path not in _spans:
        _spans[path] = table.select(pl.col(TIME).min().alias("low"), pl.col(TIME).max().alias("high")).collect().row(0)
    low, high = _spans[path]
    if low is not None and (low >= period.end or high < period.start):
        return table.head(0).collect()
    if low is None:
        return table.collect()
    return table.filter((pl.col(TIME) >= period.start) & (pl.col(TIME) < period.end)).collect()


def _load(name: str, fs: Any, path: str) -> pl.DataFrame:
    """All rows of one file; CSV values stay text."""
    if fs.size(path) == 0:
        raise DataError(f"{name}: {path} is empty; deliver it again")
    parquet = path.endswith((".parquet", ".pq"))
    handle, copy = tempfile.mkstemp(suffix=".parquet" if parquet else ".csv")
    try:
        with os.fdopen(handle, "wb") as out, fs.open(path, "rb", compression=None if parquet else "infer") as stream:
            while block := stream.read(1 << 20):
                out.write(block)
        rows = pl.read_parquet(Path(copy).read_bytes()) if parquet else _csv(name, path, Path(copy))
    except DataError:
        raise
    except Exception as error:  # zip, gzip, zlib, Parquet and remote stores each have errors of their own
        raise DataError(f"{name}: {path} is damaged or cut short ({_first_line(error)}); deliver it again") from error
    finally:
        os.unlink(copy)
    if rows.is_empty():
        raise DataError(f"{name}: {path} has no rows; deliver it again")
    return rows


def _csv(name: str, path: str, copy: Path) -> pl.DataFrame:
    """A CSV file with a header, every row complete."""
    import duckdb

    if copy.stat().st_size == 0:
        raise DataError(f"{name}: {path} is empty; deliver it again")
    make_utf8(copy)
    connection = duckdb.connect(config={"threads": 1})
    listed: Any = [str(copy)]  # given by itself, DuckDB 2.0 reads no row of a file whose lines end as Windows' do
    try:
        rows = connection.read_csv(
            listed, delimiter=delimiter_of(copy), header=True, all_varchar=True, quotechar='"', escapechar='"',
            skiprows=0, na_values=NULLS, null_padding=False, strict_mode=True,
        )  # fmt: skip
        return rows.pl()
    except duckdb.Error as error:
        raise DataError(f"{name}: {path} is not a whole CSV file ({_first_line(error)}); deliver it again") from error
    finally:
        connection.close()


def delimiter_of(path: Path) -> str:
    """What separates the values of a CSV file, by its first line."""
    with path.open("rb") as stream:
        names = re.sub(rb'"[^"]*"', b"", stream.readline()).decode("latin-1")
    return max(DELIMITERS, key=names.count)


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


# ---- queries


def _query(name: str, source: Source, period: Period | None, root: Path) -> pl.DataFrame:
    """What the source's query answers; ``:start`` and ``:end`` in it are the period's."""
    import sqlalchemy as sa

    try:
        url = sa.engine.make_url(os.path.expandvars(source.url or ""))
        lite = url.get_backend_name() == "sqlite"
        if lite and url.database and url.database != ":memory:":
            url = url.set(database=str(root / url.database))
            if not Path(str(url.database)).is_file():  # SQLite would make an empty one
                raise DataError(f"{name}: no database {url.database}; put it there or correct sources.{name}.url")
        statement = sa.text(source.query or "")
        wanted = {"start": period.start, "end": period.end} if period is not None else {}
        given = {k: str(v) if lite else v for k, v in wanted.items() if k in statement._bindparams}
        engine = sa.create_engine(url)
        try:
            with engine.connect() as connection:
                answer = connection.execute(statement, given)
                names, rows = list(answer.keys()), answer.fetchall()
        finally:
            engine.dispose()
    except (sa.exc.SQLAlchemyError, ImportError) as error:
        raise DataError(
            f"{name}: the query failed: {_first_line(error)}; mend sources.{name} or the database"
        ) from error
    return pl.DataFrame([_values(n, [row[i] for row in rows]) for i, n in enumerate(names)])


def _values(name: str, values: list[Any]) -> pl.Series:
    try:
        return pl.Series(name, values, strict=True)
    except (TypeError, pl.exceptions.PolarsError):  # SQLite may mix types in one column
        return pl.Series(name, [None if v is None else str(v) for v in values], dtype=pl.String)


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0] or type(error).__name__
