"""Files that are neither text nor Parquet: read as what they are, or refused by what they are."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from homeostat.core.errors import DataError
from homeostat.data.source_files import files_at, opened
from homeostat.project.file_form import FileForm

RECORDS: list[dict[str, Any]] = [
    {"id": 12345678901234567890, "at": "2024-03-01T00:00:00", "x": 1.5, "ok": True,
     "who": {"name": "Ann", "tags": [1, 2]}},
    {"at": "2024-03-01T01:00:00", "id": 2, "x": None, "who": {"name": 'B "b"'}, "late": "ja"},
]  # fmt: skip
ROWS = [
    ("12345678901234567890", "2024-03-01T00:00:00", "1.5", "true", "Ann", "[1,2]", None),
    ("2", "2024-03-01T01:00:00", None, None, 'B "b"', None, "ja"),
]
COLUMNS = ["id", "at", "x", "ok", "who.name", "who.tags", "late"]


def lines(records: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def rows_of(path: Path, scratch: Path) -> pl.DataFrame:
    (file,) = files_at("s", str(path))
    scratch.mkdir(exist_ok=True)
    with duckdb.connect() as connection, opened(connection, "s", file, FileForm(), scratch) as rows:
        return pl.DataFrame(rows.to_arrow_table())


WRITE: dict[str, Callable[[Path], object]] = {
    "a.jsonl": lambda path: path.write_text(lines(RECORDS)),
    "a.NDJSON": lambda path: path.write_text(lines(RECORDS)),
    "a.json": lambda path: path.write_text(json.dumps(RECORDS, indent=1)),
    "b.json": lambda path: path.write_text(json.dumps({"rows": RECORDS, "next": None, "count": 2})),
    "c.json": lambda path: path.write_text(json.dumps({"took": 3, "hits": {"total": {"n": 2}, "hits": RECORDS}})),
    "a.jsonl.gz": lambda path: path.write_bytes(gzip.compress(lines(RECORDS).encode())),
}


@pytest.mark.parametrize("name", WRITE)
def test_records_of_json_are_rows_of_text_in_the_order_of_their_names(name: str, tmp_path: Path) -> None:
    WRITE[name](tmp_path / name)
    table = rows_of(tmp_path / name, tmp_path / "scratch")
    assert (sorted(table.columns), table.select(COLUMNS).rows()) == (sorted(COLUMNS), ROWS)
    assert table.columns[:2] == ["id", "at"]


@pytest.mark.parametrize("name", ["a.feather", "a.arrow", "a.avro", "a.orc"])
def test_tables_with_types_keep_them(name: str, tmp_path: Path) -> None:
    from pyarrow import orc

    table = pl.DataFrame({"n": [1, None, 3], "x": [0.5, 1.5, None], "word": ["a", "ä", None]})
    write: dict[str, Callable[[Path], object]] = {
        "a.feather": table.write_ipc, "a.arrow": table.write_ipc_stream, "a.avro": table.write_avro,
        "a.orc": lambda path: orc.write_table(table.to_arrow(compat_level=pl.CompatLevel.oldest()), path),
    }  # fmt: skip
    write[name](tmp_path / name)
    assert rows_of(tmp_path / name, tmp_path / "scratch").equals(table)


@pytest.mark.parametrize("name", ["a.arrow", "a.arrows"])
def test_categories_of_arrow_are_their_words(name: str, tmp_path: Path) -> None:
    words = ["red", None, "blue", "red"]
    table = pl.DataFrame({"n": [1, 2, 3, 4], "c": pl.Series(words, dtype=pl.Categorical),
                          "e": pl.Series(words, dtype=pl.Enum(["blue", "red"]))})  # fmt: skip
    (table.write_ipc if name == "a.arrow" else table.write_ipc_stream)(tmp_path / name)
    wanted = table.with_columns(pl.col("c", "e").cast(pl.String))
    assert rows_of(tmp_path / name, tmp_path / "scratch").equals(wanted)


def test_one_record_alone_is_a_row(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"at": "2024-03-01", "tags": ["a", "b"]}\n')
    assert rows_of(tmp_path / "a.jsonl", tmp_path / "scratch").rows() == [("2024-03-01", '["a","b"]')]


def cut(name: str, by: int) -> Callable[[Path], object]:
    def write(path: Path) -> None:
        WRITE[name](path)
        path.write_bytes(path.read_bytes()[:-by])

    return write


def holding(content: object) -> Callable[[Path], object]:
    return lambda path: path.write_text(json.dumps(content))


def database(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (a INTEGER)")


@pytest.mark.parametrize(
    ("name", "write", "words"),
    [
        ("a.jsonl", cut("a.jsonl", 20), "a.jsonl is no whole JSON .*line 3"),
        ("a.json", cut("a.json", 20), "a.json is no whole JSON"),
        ("a.json", lambda path: path.write_text("[1, 2]"), "values that are no records; give objects"),
        ("a.json", lambda path: path.write_text("[]"), "has no records"),
        ("a.json", lambda path: path.write_text('{"at": {"0": 1, "1": 2}, "x": {"0": 5, "1": 6}}'), "holds columns"),
        ("a.json", lambda path: path.write_text('{"at": ["a", "b"], "x": [5, 6]}'), "columns, not records; write"),
        ("a.json", lambda path: path.write_text('{"columns": ["at"], "index": [0], "data": [["a"]]}'), "holds columns"),
        ("a.json", holding({"a": RECORDS, "b": RECORDS}), "several lists of records, a, b; give the records of one"),
        ("a.json", holding({"x": {"a": RECORDS, "b": RECORDS}}), "several lists of records, x.a, x.b"),
        ("a.json", holding({"units": {"t": "C"}, "hourly": {"at": ["a"], "t": [1]}}), "holds columns, not records"),
        ("a.json", holding({"meta": {"columns": [{"id": 1}]}, "data": [["a", 1]]}), "rows without names in 'data'"),
        ("a.json", holding({"of": {f"2024-01-{n:02d}": {"open": n} for n in range(1, 20)}}),
         "a record for each name in 'of', such as '2024-01-01'"),
        ("a.csv", lambda path: path.write_text(lines(RECORDS)), "a.csv holds JSON; call it .json or .jsonl"),
        ("a.db", database, "a.db is a SQLite database; name its address and a query: --from sqlite:///"),
        ("a.csv", lambda path: pl.DataFrame({"n": [1]}).write_parquet(path), "a.csv is Parquet; call it .parquet"),
        ("a.csv", lambda path: path.write_bytes(gzip.compress(b"a,b\n1,2\n")), "a.csv is packed by gzip; call it .gz"),
        ("a.arrow", lambda path: path.write_bytes(b"ARROW1\x00\x00 and no more"), "a.arrow is damaged or cut short"),
    ],
)
def test_what_is_no_table_is_refused_by_what_it_is(
    name: str, write: Callable[[Path], object], words: str, tmp_path: Path
) -> None:
    write(tmp_path / name)
    with pytest.raises(DataError, match=words):
        rows_of(tmp_path / name, tmp_path / "scratch")


def test_a_list_of_objects_in_each_record_is_a_value_and_not_the_table(tmp_path: Path) -> None:
    readings = [{"id": f"a{n}", "at": "2024-03-01", "readings": [{"name": "t", "value": n}]} for n in range(5)]
    (tmp_path / "t.jsonl").write_text(lines(readings))
    table = rows_of(tmp_path / "t.jsonl", tmp_path / "scratch")
    assert table["id"].to_list() == [f"a{n}" for n in range(5)]
    assert table.columns == ["id", "at", "readings"]
