"""Files that are neither text nor Parquet, as Parquet: lines or lists of JSON records, Arrow, ORC and Avro."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeostat.adapters.sql_names import quoted, sql_string
from homeostat.core.errors import DataError
from homeostat.core.text import first_line, listed

if TYPE_CHECKING:
    import duckdb

SUFFIXES = {
    ".json": "json", ".jsonl": "json", ".ndjson": "json",
    ".arrow": "arrow", ".feather": "arrow", ".ipc": "arrow", ".arrows": "arrow", ".orc": "orc", ".avro": "avro",
}  # fmt: skip
OBJECTS = "a file of Python's objects, which could run code"
SQL = "name its address and a query: --from sqlite:///FILE --query 'SELECT ...'"
SQL_DUMP = "load it into a database and name that, or write its table as CSV"
CONVERT = "write its table as CSV or Parquet"
STARTS = {  # the first bytes of files that are no text, and what to do
    b"SQLite format 3\x00": ("a SQLite database", SQL),
    b"PAR1": ("Parquet", "call it .parquet"),
    b"ARROW1": ("Arrow", "call it .arrow"),
    b"Obj\x01": ("Avro", "call it .avro"),
    b"ORC": ("ORC", "call it .orc"),
    b"PK\x03\x04": ("a zip archive or a workbook", "call it .zip, .xlsx or .ods"),
    b"\xd0\xcf\x11\xe0": ("a workbook of an old form", "call it .xls"),
    b"\x1f\x8b": ("packed by gzip", "call it .gz"),
    b"\x28\xb5\x2f\xfd": ("packed by zstd", "call it .zst"),
    b"BZh": ("packed by bzip2", "call it .bz2"),
    b"\x89HDF": ("HDF5", CONVERT),
    b"<stata_dta>": ("a file of Stata", CONVERT),
    b"$FL2": ("a file of SPSS", CONVERT),
    b"RDX": ("a file of R", CONVERT),
    b"@relation": ("Weka's ARFF", CONVERT),
    b"@RELATION": ("Weka's ARFF", CONVERT),
    b"PGDMP": ("a dump of PostgreSQL", SQL_DUMP),
    b"<?xml": ("XML", CONVERT),
    b"<html": ("HTML", CONVERT),
    b"<!DOCTYPE": ("HTML", CONVERT),
    b"<table": ("HTML", CONVERT),
    b"%PDF": ("a PDF", "give the table itself"),
    b"\0" * 12 + b"\xc2\xea\x81\x60": ("a file of SAS", CONVERT),
    b"HEADER RECORD*******": ("a file of SAS", CONVERT),
    b"\x80\x03": (OBJECTS, CONVERT),
    b"\x80\x04": (OBJECTS, CONVERT),
    b"\x80\x05": (OBJECTS, CONVERT),
    b"\x93NUMPY": ("an array of NumPy", CONVERT),
    b"MATLAB 5.0": ("a file of MATLAB", CONVERT),
    b"CDF": ("NetCDF", CONVERT),
    b"GRIB": ("GRIB", CONVERT),
    b"\0\1\0\0Standard": ("a database of Access", CONVERT),
    b"7z\xbc\xaf": ("packed by 7-Zip", "unpack it, or pack it as .zip"),
    b"Rar!": ("packed by RAR", "unpack it, or pack it as .zip"),
    b"\xfd7zXZ": ("packed by xz", "call it .xz"),
    b"\x04\x22\x4d\x18": ("packed by LZ4", "unpack it, or pack it as .gz"),
    b"version https://git-lfs": ("a pointer of Git LFS, not the file", "fetch the file: git lfs pull"),
}
ENDINGS = {  # names of files that do not show in the first bytes what they are
    ".dbf": "a file of dBase", ".rds": "a file of R", ".rdata": "a file of R", ".rda": "a file of R",
    ".dta": "a file of Stata", ".accdb": "a database of Access", ".nc": "NetCDF", ".mat": "a file of MATLAB",
}  # fmt: skip
NO_TEXT = (0, 0x1F)  # bytes that text has only beside others: in UTF-16, and as a delimiter
LOOK = 1 << 12  # bytes that say what a file is
DUCK, DUCK_AT = b"DUCK", 8  # in a database of DuckDB's
SMALL_RECORD, LARGE_RECORD = 1 << 24, 1 << 27  # bytes of a JSON record; twice as many are held in memory
MOST_NAMED = 8  # objects alike within an object, from which they are records
RECORDS_BELOW = re.compile(rb"-\[ RECORD \d+ \]|\*{9,} 1\. row \*{9,}")  # of psql's \x and mysql's \G
LINE_PROTOCOL = re.compile(
    rb'(?:[^\s,=#]+(?:,[^\s,=]+=[^\s,]+)* [^\s=,]+=(?:[^\s,"]+|"[^"\n]*")(?:,[^\s=,]+=(?:[^\s,"]+|"[^"\n]*"))*'
    rb"(?: \d{9,19})?\s+){3}"
)
EXPOSITION = re.compile(rb"(?:#[^\n]*\n)*(?:[A-Za-z_:][\w:]*\{[^}\n]*\} [-+\d.eENaInf]+(?: \d+)?\n){2}")
DUMP = re.compile(
    rb"(?=\s*(?:--|/\*|(?:SET|USE|DROP|BEGIN|PRAGMA|CREATE|INSERT|COPY)\s))(?s:.*?)"
    rb"^(?:INSERT INTO \S+ (?:\(.*\) )?VALUES|CREATE TABLE |COPY \S+ \(.*\) FROM stdin;)",
    re.IGNORECASE | re.MULTILINE,
)
PAIRS = re.compile(rb'(?:(?:[\w.]+=(?:"[^"\n]*"|[^\s"]*)[ \t]+){2,}[\w.]+=(?:"[^"\n]*"|[^\s"]*)\r?\n){2}')
SYSLOG = re.compile(
    rb"(?:(?:<\d+>)?(?:\d )?(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\S+) \S+ "
    rb"[\w./-]+(?:\[\d+\])?: .*\n){3}"
)
YAML = re.compile(rb"(?:---\r?\n)?- [\w ]+: .*\r?\n  [\w ]+: ")
LINES = {
    DUMP: ("a dump of SQL", SQL_DUMP),
    PAIRS: ("lines of names and values (logfmt)", CONVERT),
    YAML: ("YAML", CONVERT),
    SYSLOG: ("lines of syslog, words and no table", "write what they say as CSV"),
    RECORDS_BELOW: ("of records one below the other", "print it as CSV (psql --csv, mysql --batch)"),
    LINE_PROTOCOL: ("InfluxDB's line protocol", "export it as CSV (influx query --raw)"),
    EXPOSITION: ("Prometheus' text format", "export the answers of a query as CSV"),
}
JSON_STARTS = (b'{"', b"[{", b"{ ", b"[ {", b"[\n", b"{\n")


def as_parquet(
    connection: duckdb.DuckDBPyConnection, kind: str, name: str, path: str, file: Path, target: Path
) -> Path:  # fmt: skip
    """The rows of ``file``, which is called ``path`` and of a kind of ``SUFFIXES``, as a Parquet file.

    Raises:
        DataError: it is damaged or holds no table.
    """
    if kind == "json":
        return _json(connection, name, path, file, target)
    import polars as pl
    import pyarrow as pa

    with file.open("rb") as stream:
        if stream.read(4) == b"FEA1":
            raise DataError(f"{name}: {path} is Feather of version 1; write it again in version 2, or as Parquet")
    read = {"arrow": _arrow, "orc": _orc, "avro": _avro}[kind]
    try:
        read(file, target)
    except (pa.ArrowException, pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise DataError(f"{name}: {path} is damaged or cut short ({first_line(error)}); deliver it again") from error
    return target


def refuse_other(name: str, path: str, file: Path) -> None:
    """Refuse a file that is read as text and holds none.

    Raises:
        DataError: it says what the file is, and what to do.
    """
    with file.open("rb") as stream:
        start = stream.read(LOOK)
    suffix = Path(path).suffix.lower()
    if suffix in ENDINGS and any(byte in start for byte in NO_TEXT):
        raise DataError(f"{name}: {path} is {ENDINGS[suffix]}; {CONVERT}")
    for first, (what, hint) in STARTS.items():
        if start.startswith(first):
            raise DataError(f"{name}: {path} is {what}; {hint}")
    if start[DUCK_AT : DUCK_AT + len(DUCK)] == DUCK:
        raise DataError(f"{name}: {path} is a DuckDB database; {SQL.replace('sqlite', 'duckdb')}")
    for form, (what, hint) in LINES.items():
        if form.match(start):
            raise DataError(f"{name}: {path} is {what}; {hint}")
    if start.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(JSON_STARTS):
        raise DataError(f"{name}: {path} holds JSON; call it .json or .jsonl")


# ---- JSON


def _json(connection: duckdb.DuckDBPyConnection, name: str, path: str, file: Path, target: Path) -> Path:
    """Values as text, as in a CSV file; those of an object within a record have both names, joined by a point."""
    import duckdb

    largest = min(max(file.stat().st_size, SMALL_RECORD), LARGE_RECORD)
    source = f"read_json_objects({sql_string(file)}, format = 'auto', maximum_object_size = {largest})"
    try:
        structures = _structures(connection, source)
        alone = len(connection.sql(f"SELECT 1 FROM {source} LIMIT 2").fetchall()) == 1
        if alone and (inside := _the_list_in(name, path, structures)) is not None:
            records = sql_string(_path(inside) + "[*]")
            source = f"(SELECT unnest(json_extract(json, {records})) AS json FROM {source})"
            structures = _structures(connection, source)
        if any(not isinstance(one, dict) for one in structures):
            raise DataError(f"{name}: {path} holds values that are no records; give objects, one a line or in a list")
        if len(structures) == 1:
            _refuse_columns(name, path, structures[0])
            if len(connection.sql(f"SELECT 1 FROM {source} LIMIT 2").fetchall()) == 1:
                _refuse_inner_tables(name, path, {"the file": structures[0]})
        paths = list(dict.fromkeys(p for one in structures for p in _leaves(one)))
        if not paths:
            raise DataError(f"{name}: {path} has no records; give objects, one a line or in a list")
        values = ", ".join(f"json_extract_string(json, {sql_string(_path(p))}) AS {quoted('.'.join(p))}" for p in paths)
        connection.execute(f"COPY (SELECT {values} FROM {source}) TO {sql_string(target)} (FORMAT parquet)")
    except duckdb.Error as error:
        why = first_line(error).replace(str(file), path).removeprefix("Invalid Input Error: ")
        raise DataError(f"{name}: {path} is no whole JSON ({why}); deliver it again") from error
    return target


def _structures(connection: duckdb.DuckDBPyConnection, source: str) -> list[Any]:
    """The structures that records have, in order of the first that has it."""
    numbered = f"SELECT json_structure(json) AS s, row_number() OVER () AS n FROM {source}"
    rows = connection.sql(f"SELECT s FROM ({numbered}) GROUP BY s ORDER BY min(n)").fetchall()
    return [json.loads(s) for (s,) in rows]


def _the_list_in(name: str, path: str, structures: list[Any]) -> tuple[str, ...] | None:
    """The path of the only list of records in the only object, as answers of an interface hold them.

    Raises:
        DataError: several lists may be meant.
    """
    if len(structures) != 1 or not isinstance(structures[0], dict):
        return None
    level: list[tuple[tuple[str, ...], Any]] = [((), structures[0])]
    while level:
        level = [((*keys, key), v) for keys, one in level if isinstance(one, dict) for key, v in one.items()]
        lists = [keys for keys, one in level if isinstance(one, list) and one and isinstance(one[0], dict)]
        if len(lists) > 1:
            names = listed([".".join(keys) for keys in lists], 4)
            raise DataError(f"{name}: {path} holds several lists of records, {names}; give the records of one alone")
        if lists:
            return lists[0]
        if any(isinstance(one, list) and one and isinstance(one[0], list) for _, one in level):
            return None  # the rows, without names
    return None


def _refuse_columns(name: str, path: str, record: dict[str, Any]) -> None:
    """Refuse a record that holds columns, as pandas writes by default, or a heading and lists of values.

    Raises:
        DataError: it says how to write records.
    """
    members = record.values()
    numbered = all(isinstance(m, dict) and len(m) > 1 and all(map(str.isdigit, m)) for m in members)
    lists = all(isinstance(m, list) for m in members)
    parted = {"columns", "fields"} & record.keys() and {"data", "rows", "values"} & record.keys()
    if len(record) > 1 and (numbered or lists or parted):
        raise DataError(
            f"{name}: {path} holds columns, not records; write objects, one a line "
            "(pandas: to_json(orient='records', lines=True))"
        )


def _refuse_inner_tables(name: str, path: str, record: dict[str, Any]) -> None:
    """Refuse a file's only record where an object in it holds the table: as columns, lists, or records by their name.

    Raises:
        DataError: it says where the table stands.
    """
    for key, inner in record.items():
        if isinstance(inner, list) and inner and isinstance(inner[0], list):
            raise DataError(f"{name}: {path} holds rows without names in {key!r}; write objects, one a line")
        if not isinstance(inner, dict):
            continue
        _refuse_columns(name, path, inner)
        named = [m.keys() for m in inner.values() if isinstance(m, dict)]
        if len(named) == len(inner) >= MOST_NAMED and all(keys == named[0] for keys in named):
            first = next(iter(inner))
            raise DataError(
                f"{name}: {path} holds a record for each name in {key!r}, such as {first!r}; write objects, one a "
                "line, each with its name as a value"
            )
        _refuse_inner_tables(name, path, inner)


def _leaves(structure: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of values that are no objects."""
    for key, value in structure.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key)


def _path(keys: tuple[str, ...]) -> str:
    """A path as DuckDB writes it."""
    return "$" + "".join('."' + key.replace("\\", "\\\\").replace('"', '\\"') + '"' for key in keys)


# ---- forms with types of their own


def _arrow(file: Path, target: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pa.memory_map(str(file)) as source:
        try:
            opened = pa.ipc.open_file(source)
            batches = (opened.get_batch(n) for n in range(opened.num_record_batches))
        except pa.ArrowInvalid:  # as a stream
            source.seek(0)
            opened = batches = pa.ipc.open_stream(source)
        plain = pa.schema([field.with_type(_plain(field.type)) for field in opened.schema])
        with pq.ParquetWriter(target, plain) as writer:
            for batch in batches:
                values = [_decoded(column, kind) for column, kind in zip(batch.columns, plain.types, strict=True)]
                writer.write_batch(pa.record_batch(values, schema=plain))


def _plain(kind: Any) -> Any:
    """The type of a dictionary's values, as Parquet's writer takes it; of other columns their own."""
    import pyarrow as pa

    if not pa.types.is_dictionary(kind):
        return kind
    return pa.string() if pa.types.is_string_view(kind.value_type) else kind.value_type


def _decoded(column: Any, kind: Any) -> Any:
    """The values of a dictionary, each for itself."""
    import pyarrow as pa

    return column.dictionary.cast(kind).take(column.indices) if pa.types.is_dictionary(column.type) else column


def _orc(file: Path, target: Path) -> None:
    import pyarrow.parquet as pq
    from pyarrow import orc

    opened = orc.ORCFile(file)
    with pq.ParquetWriter(target, opened.schema) as writer:
        for stripe in range(opened.nstripes):
            writer.write_batch(opened.read_stripe(stripe))


def _avro(file: Path, target: Path) -> None:
    import polars as pl

    pl.read_avro(file).write_parquet(target)
