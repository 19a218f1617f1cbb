"""Files as programs and people leave them: what `new` reads of them is right, and is what lands."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import fastexcel
import polars as pl
import pyarrow as pa
import pytest

from homeostat.core.errors import DataError
from homeostat.core.periods import Period
from homeostat.data.sources import SourceReader
from homeostat.project.source_scope import Source
from homeostat.scaffold.profile.request import Address
from homeostat.scaffold.profile.table import find_column, read_table
from homeostat.scaffold.profile.workspace import open_workspace

ROWS = [(f"a{n}", f"2024-01-{n % 28 + 1:02d} 06:00:00", n * 1.5, ["north", "south, east"][n % 2]) for n in range(60)]
HEAD = ("id", "at", "load", "region")
MOMENT = datetime(2024, 1, 1)


def csv(delimiter: str = ",", quote: str = '"', end: str = "\n", blank: str = "") -> str:
    body = [delimiter.join((i, t, str(v), f"{quote}{r}{quote}")) for i, t, v, r in ROWS]
    return end.join([(delimiter + blank).join(HEAD), *body]) + end


def table() -> pl.DataFrame:
    return pl.DataFrame(ROWS, schema=list(HEAD), orient="row")


def zipped(text: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("__MACOSX/._t.csv", "x")
        archive.writestr("t.csv", text)
    return out.getvalue()


def packed(files: dict[str, str]) -> bytes:
    """A zip archive of several files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return out.getvalue()


def tarred(files: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, text in files.items():
            (info := tarfile.TarInfo(name)).size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


def part(start: int, end: int) -> str:
    return table()[start:end].write_csv()


def zstd(text: str) -> bytes:
    return pa.Codec("zstd").compress(text.encode(), asbytes=True)


def parquet(rows: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    rows.write_parquet(out)
    return out.getvalue()


def drawn(bar: str, rule: str, closed: bool = False, count: str = "") -> str:
    """The rows as a program prints them, each column as wide as its widest value; ``rule`` crosses ``bar``."""
    rows = [HEAD, *((i, t, str(v), r) for i, t, v, r in ROWS)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(HEAD))]
    lines = [bar.join(value.ljust(width) for value, width in zip(row, widths, strict=True)) for row in rows]
    dashes = rule.join("-" * width for width in widths)
    if closed:
        lines = [f"{bar.strip()} {line} {bar.strip()}" for line in lines]
        dashes = f"+-{dashes}-+"
    body = [*([dashes] if closed else []), lines[0], dashes, *lines[1:], *([dashes] if closed else []), count]
    return "\n".join(body) + "\n"


def of_r(delimiter: str, names: bool) -> str:
    """As R's write.table writes it: a name of each row, for which the heading has none, or a blank one."""
    head = delimiter.join(f'"{name}"' for name in (("", *HEAD) if names else HEAD))
    body = (delimiter.join((f'"{n}"', f'"{i}"', f'"{t}"', str(v), f'"{r}"')) for n, (i, t, v, r) in enumerate(ROWS, 1))
    return "\n".join([head, *body]) + "\n"


# a name, the files by path, what is given as the address, and what is said of it
FILES: list[tuple[str, dict[str, str | bytes], str, str]] = [
    ("plain", {"t.csv": csv()}, "t.csv", ""),
    ("semicolons", {"t.csv": csv(";")}, "t.csv", ""),
    ("tabs in a .txt", {"t.txt": csv("\t")}, "t.txt", ""),
    ("carets", {"t.csv": csv("^")}, "t.csv", "'^'"),
    ("Windows' ends of lines", {"t.csv": csv(end="\r\n")}, "t.csv", ""),
    ("a mark of UTF-8", {"t.csv": "\ufeff" + csv()}, "t.csv", ""),
    ("UTF-16", {"t.csv": csv().encode("utf-16")}, "t.csv", ""),
    ("UTF-16 without a mark", {"t.csv": csv().encode("utf-16-le")}, "t.csv", ""),
    ("sep=", {"t.csv": "sep=;\n" + csv(";")}, "t.csv", ""),
    ("lines before the heading", {"t.csv": "Report: loads\nmade on 2024-02-01\n\n" + csv()}, "t.csv", "first 3 lines"),
    ("comments before the heading", {"t.csv": "# a note, with a comma\n# another\n" + csv()}, "t.csv", "first 2 lines"),
    ("a total after the last row", {"t.csv": csv() + "Total;60\n"}, "t.csv", "last 1 line"),
    ("a count of rows after a blank line", {"t.csv": csv() + "\n(60 rows)\n"}, "t.csv", "last 2 lines"),
    ("a heading that comes again", {"t.csv": csv() + ",".join(HEAD) + "\n"}, "t.csv", ""),
    ("single quotes", {"t.csv": csv(quote="'")}, "t.csv", "'"),
    ("blanks after commas in the heading", {"t.csv": csv(blank=" ")}, "t.csv", ""),
    ("brackets in its name", {"t [2024].csv": csv()}, "t [2024].csv", ""),
    ("a star in the name of its folder", {"a*b/t.csv": csv()}, "a*b/t.csv", ""),
    ("blanks and other letters in its path", {"my dätä/t é.csv": csv()}, "my dätä/t é.csv", ""),
    ("a capital ending", {"T.CSV": csv()}, "T.CSV", ""),
    ("psql", {"t.txt": drawn(" | ", "-+-", count="(60 rows)")}, "t.txt", "a rule of dashes"),
    ("mysql", {"t.txt": drawn(" | ", "-+-", closed=True, count="60 rows in set (0.01 sec)")}, "t.txt", "a rule"),
    ("SQL*Plus", {"t.lst": "SQL> SELECT * FROM t;\n\n" + drawn(" ", " ", count="\n60 rows selected.")}, "t.lst",
     "a rule of dashes"),
    ("SQL*Plus in pages", {"t.lst": drawn(" ", " ") + "\n".join(drawn(" ", " ").split("\n")[:2]) + "\n"}, "t.lst",
     "a rule of dashes"),
    ("sqlite3's columns", {"t.txt": drawn("  ", "  ")}, "t.txt", "a rule of dashes"),
    ("Markdown", {"t.md": drawn(" | ", "-|-", closed=True).split("\n", 1)[1]}, "t.md", "a rule of dashes"),
    ("DuckDB's box", {"t.txt": drawn(" │ ", "─┼─", closed=True).replace("-", "─").replace("2024─01─", "2024-01-")},
     "t.txt", "a rule of dashes"),
    ("R's tables", {"t.txt": of_r(" ", names=False)}, "t.txt", "blanks stand between"),
    ("R's CSV", {"t.csv": of_r(",", names=True)}, "t.csv", "without a name in the heading: called column0"),
    ("R's CSV without a name for those of rows", {"t.csv": of_r(",", names=False)}, "t.csv", "one name less"),
    ("formulas of a spreadsheet that keep text", {"t.csv": csv().replace("\na", '\n="a').replace(",2024", '",2024')},
     "t.csv", ""),
    ("full-width commas", {"t.csv": csv("，")}, "t.csv", "'，'"),
    ("types above the heading", {"t.csv": "#group,false,true,false\n#datatype,string,double,string\n" + csv()}, "t.csv",
     "first 2 lines"),
    ("gz", {"t.csv.gz": gzip.compress(csv().encode())}, "t.csv.gz", ""),
    ("zip", {"t.zip": zipped(csv())}, "t.zip", ""),
    ("a zip of several parts", {"t.zip": packed({"d/1.csv": part(0, 30), "d/2.csv": part(30, 60), "README.md": "# A"})},
     "t.zip", "README.md"),
    ("a zip of a table and its licence", {"t.zip": packed({"LICENSE": "free", "t.tsv": csv("\t")})}, "t.zip",
     "LICENSE"),
    ("a zip of columns in the path", {"t.zip": packed({f"region={r}/p.csv": table().filter(pl.col("region") == r)
     .drop("region").write_csv() for r in ("north", "south, east")})}, "t.zip", ""),
    ("a tar file", {"t.tar.gz": tarred({"./1.csv": part(0, 30), "./2.csv": part(30, 60)})}, "t.tar.gz", ""),
    ("a folder with files about it", {"d/1.csv": part(0, 30), "d/2.csv": part(30, 60), "d/README.md": "# A, b\nc",
     "d/schema.json": "{}", "d/~$1.xlsx": "x"}, "d", "left aside, as they only are about the table: README.md, schema"),
    ("zst", {"t.csv.zst": zstd(csv())}, "t.csv.zst", ""),
    ("values over lines at the end", {"t.csv": csv().replace("load,region", "note,load,region").replace(
        " 06:00:00,", ' 06:00:00,"<p>said\n""yes""</p>\n\nend",')}, "t.csv", ""),
    ("sqlcmd", {"t.txt": drawn(" ", " ", count="\n(60 rows affected)\n\nCompletion time: 2024-03-01T10")}, "t.txt",
     "a rule of dashes"),
    ("SAP's lists below a title", {"t.txt": "01.03.2024  List Display    1\n----------\n\n" + "\n".join(
        "-" * 40 if line.startswith("+") else line for line in drawn(" | ", "-+-", closed=True).split("\n"))}, "t.txt",
     "a rule"),
    ("a sign after each row's last value", {"t.csv": "\n".join(
        line + "," * (n > 0) for n, line in enumerate(csv().splitlines())) + "\n"}, "t.csv", ""),
    ("two bars", {"t.txt": csv("||")}, "t.txt", "'||'"),
    ("two colons", {"t.dat": csv("::")}, "t.dat", "'::'"),
    ("UTF-16 of the other order, without a mark", {"t.csv": csv().encode("utf-16-be")}, "t.csv", ""),
    ("UTF-32", {"t.csv": csv().encode("utf-32")}, "t.csv", ""),
    ("the mark of DOS at the end", {"t.csv": csv() + "\x1a"}, "t.csv", ""),
    ("times with a blank between blanks", {"t.txt": csv(" ")}, "t.txt",
     "blanks stand between"),
    ("Parquet with a capital ending", {"T.PARQUET": parquet(table())}, "T.PARQUET", ""),
    ("a folder of parts", {"t.parquet/_SUCCESS": "", "t.parquet/part-0.snappy.parquet": parquet(table()[:30]),
                           "t.parquet/part-1.snappy.parquet": parquet(table()[30:])}, "t.parquet", ""),
    ("columns in the path", {f"t/region={r}/p.parquet": parquet(table().filter(pl.col("region") == r).drop("region"))
                             for r in ("north", "south, east")}, "t/*/*.parquet", ""),
    ("an empty file among others", {"d/1.csv": csv(), "d/2.csv": "", "d/3.csv": ",".join(HEAD) + "\n"}, "d/*.csv",
     "no rows in"),
]  # fmt: skip


def put(files: dict[str, str | bytes], folder: Path) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def read_both(address: str, folder: Path, key: str = "id") -> tuple[pl.DataFrame, pl.DataFrame | None, tuple[str, ...]]:
    """The rows as `new` has them, as the loop lands them, and the notes."""
    with open_workspace() as work:
        made = read_table(work, "t", Address.of(str(folder / address)))
        rows = work.frame(f"SELECT * FROM t ORDER BY {key}").select(made.names)
    source = Source.model_validate({
        "path": str(folder / address), "period": "once", "key": [key],
        "columns": {c.name: c.kind for c in made.columns},
        "read": {c.name: c.source_sql for c in made.columns if c.source_sql is not None},
        "written": {c.name: c.reading.writing.model_dump() for c in made.columns},
        "file": made.opened.form.model_dump(),
    })  # fmt: skip
    delivery = SourceReader(folder, folder / "cache").delivery("t", source, Period(MOMENT, MOMENT, "once"))
    return rows, None if delivery is None else delivery.rows.select(made.names), made.opened.notes


@pytest.mark.parametrize(("files", "address", "note"), [c[1:] for c in FILES], ids=[c[0] for c in FILES])
def test_a_file_is_read_whatever_its_layout(
    files: dict[str, str | bytes], address: str, note: str, tmp_path: Path
) -> None:
    put(files, tmp_path)
    rows, lands, notes = read_both(address, tmp_path)
    wanted = table().with_columns(pl.col("at").str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us")).sort("id")
    assert rows.select(HEAD).equals(wanted)
    assert lands is not None and lands.sort("id").select(HEAD).equals(wanted)
    assert note in " ".join(notes)


def test_backslashes_and_line_breaks_within_quotes(tmp_path: Path) -> None:
    text = '"id";"load\n[kWh]";"note"\n' + "".join(f'"a{n}";"{n}";"said \\"{n}\\" aloud"\n' for n in range(40))
    put({"t.csv": text}, tmp_path)
    rows, lands, _ = read_both("t.csv", tmp_path)
    assert rows.columns == ["id", "load_kWh", "note"]
    assert rows["note"].sort()[0] == 'said "0" aloud'
    assert lands is not None and lands.sort("id").equals(rows)


NOTE = 'a tab\t, a "quote", a \\ and\ntwo lines'
ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n"}  # of PostgreSQL's COPY and MySQL's --batch
BEFORE = {"\\": "\\\\", "\t": "\\\t", "\n": "\\\n"}  # of MySQL's --tab, where the sign itself follows


def _dumped(escapes: dict[str, str], delimiter: str = "\t", heading: bool = True) -> str:
    """The rows as a database writes them, a third of the notes none."""
    note = "".join(escapes.get(sign, sign) for sign in NOTE)
    lines = [delimiter.join((i, t, "\\N" if n % 3 == 0 else note, str(v))) for n, (i, t, v, _) in enumerate(ROWS)]
    return "\n".join([*([delimiter.join(("id", "at", "note", "load"))] if heading else []), *lines]) + "\n"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (_dumped(ESCAPES), ("id", "note", "load")),
        (_dumped(ESCAPES) + "\\.\n", ("id", "note", "load")),
        (_dumped(ESCAPES, heading=False), ("column1", "column3", "column4")),
        (_dumped(BEFORE), ("id", "note", "load")),
        (_dumped(ESCAPES | {"|": "\\|"}, "|").replace("quote", "pipe \\| within"), ("id", "note", "load")),
        (_dumped({"\\": "\\\\", "\n": "\\n"}, "\x01"), ("id", "note", "load")),
    ],
    ids=["COPY with a heading", "COPY up to its end", "COPY", "--tab", "COPY with bars", "Hive"],
)
def test_backslashes_of_databases_stand_for_what_they_mean(text: str, names: tuple[str, ...], tmp_path: Path) -> None:
    put({"t.txt": text}, tmp_path)
    rows, lands, notes = read_both("t.txt", tmp_path, names[0])
    note = NOTE.replace("quote", "pipe | within") if "pipe" in text else NOTE
    assert rows[names[1]].to_list() == [None if n % 3 == 0 else note for n in _order(rows[names[0]])]
    assert rows[names[2]].to_list() == [ROWS[n][2] for n in _order(rows[names[0]])]
    assert lands is not None and lands.sort(names[0]).equals(rows)
    assert "a backslash stands before signs within values" in str(notes)


def _order(identifiers: pl.Series) -> list[int]:
    return [int(one[1:]) for one in identifiers]


def test_paths_of_windows_are_no_backslashes_of_a_database(tmp_path: Path) -> None:
    text = "id\tpath\tload\n" + "".join(f"a{n}\tC:\\temp\\new{n}\t{n}\n" for n in range(40))
    put({"t.tsv": text}, tmp_path)
    rows, lands, notes = read_both("t.tsv", tmp_path)
    assert rows["path"].to_list() == [f"C:\\temp\\new{n}" for n in _order(rows["id"])]
    assert lands is not None and lands.sort("id").equals(rows)
    assert notes == ()


def test_names_that_a_heading_has_twice_or_leaves_blank_are_named_with_what_they_became(tmp_path: Path) -> None:
    put({"t.csv": "id,load,load,Load,\n" + "".join(f"a{n},{n},{n + 1},{n + 2},x{n}\n" for n in range(40))}, tmp_path)
    rows, lands, notes = read_both("t.csv", tmp_path)
    assert rows.columns == ["id", "load", "load_1", "Load_2", "column4"]
    assert lands is not None and lands.sort("id").equals(rows)
    assert "the heading has 'load' 3 times: the later ones are called load_1, Load_2" in notes
    assert "without a name in the heading: called column4" in notes


def test_a_name_that_a_sheet_has_twice_is_named_too(tmp_path: Path) -> None:
    write_workbook(tmp_path / "t.xlsx", names=("id", "at", "load", "load"))
    rows, lands, notes = read_both("t.xlsx", tmp_path)
    assert rows.columns == ["id", "at", "load", "load_1"]
    assert lands is not None and lands.sort("id").equals(rows)
    assert notes == ("the heading has 'load' 2 times: the later ones are called load_1",)


def test_numbers_of_files_that_differ_in_the_decimal_sign_are_left_as_words(tmp_path: Path) -> None:
    comma = "id;load;share;count\n" + "".join(f"a{n};{n + 1}.{n + 100};{n},5;{n}\n" for n in range(40))
    point = "id,load,share,count\n" + "".join(f"b{n},{n + 1}.{n + 100},{n}.5,{n}\n" for n in range(40))
    put({"d/1.csv": comma, "d/2.csv": point}, tmp_path)
    with open_workspace() as work:
        made = read_table(work, "t", Address.of(str(tmp_path / "d")))
    kinds = {c.raw: (c.kind, c.reading.mostly) for c in made.columns}
    assert kinds["load"] == kinds["share"] == ("string", "number")
    assert kinds["count"] == ("integer", "")
    note = made.column("load").reading.note
    assert "a decimal comma in some files and a decimal point in others: left as words" in note


def test_lists_within_records_are_no_columns(tmp_path: Path) -> None:
    records = [{"id": f"a{n}", "who": {"name": {"first": "Ann"}}, "tags": ["x"] * (n % 3)} for n in range(40)]
    put({"t.json": json.dumps({"answer": {"hits": {"rows": records}}})}, tmp_path)
    with open_workspace() as work:
        made = read_table(work, "t", Address.of(str(tmp_path / "t.json")))
    assert [c.raw for c in made.columns] == ["id", "who.name.first"]
    assert made.unusable == ("tags",)


def test_columns_that_are_called_by_months_have_their_names(tmp_path: Path) -> None:
    months = [f"{2020 + n // 12}-{n % 12 + 1:02d}" for n in range(24)]
    lines = [",".join([f"a{n}", *(str(n + m / 10) for m in range(24))]) for n in range(40)]
    put({"t.csv": "\n".join([",".join(["id", *months]), *lines]) + "\n"}, tmp_path)
    with open_workspace() as work:
        made = read_table(work, "t", Address.of(str(tmp_path / "t.csv")))
    assert [c.raw for c in made.columns] == ["id", *months]
    assert {c.kind for c in made.columns[1:]} == {"float"}


def test_logs_of_web_servers_are_read(tmp_path: Path) -> None:
    agent = '"-" "Mozilla/5.0 (X11; Linux)"'
    combined = "".join(
        f'10.0.0.{n} - - [{n % 28 + 1:02d}/Jan/2024:06:00:00 +0000] "GET /a?b={n} HTTP/1.1" 200 {n * 9} {agent}\n'
        for n in range(60)
    )
    extended = "#Software: a server\n#Fields: date time s-ip sc-status time-taken\n" + "".join(
        f"2024-01-{n % 28 + 1:02d} 06:00:00 10.0.0.{n} 200 {n * 9}\n" for n in range(60)
    )
    put({"access.log": combined, "u_ex.log": extended}, tmp_path)
    rows, lands, _ = read_both("access.log", tmp_path, "column7")
    assert rows["column4"].to_list() == [datetime(2024, 1, n % 28 + 1, 6) for n in range(60)]
    assert rows["column5"][1] == "GET /a?b=1 HTTP/1.1" and rows["column9"][0] == "Mozilla/5.0 (X11; Linux)"
    assert lands is not None and lands.sort("column7").equals(rows)
    rows, _, _ = read_both("u_ex.log", tmp_path, "time_taken")
    assert rows.columns == ["date", "time", "s_ip", "sc_status", "time_taken"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\n".join(f"load,region=north value={n} 170000000000000000{n}" for n in range(9)), "line protocol; export"),
        ("# HELP a b\n" + "\n".join(f'load{{region="n"}} {n} 1700000000' for n in range(9)), "Prometheus"),
        ("\n".join(f"-[ RECORD {n} ]---\nid | {n}\nat | 2024-01-01" for n in range(1, 9)), "one below the other"),
        ("\n".join(f'time="2024-01-01" level=info load={n}' for n in range(9)), "logfmt"),
        ("\n".join(f"- at: 2024-01-01\n  load: {n}" for n in range(9)), "YAML"),
        ("-- a dump\n" + "\n".join(f"INSERT INTO t VALUES ({n}, 'a');" for n in range(9)), "a dump of SQL; load it"),
        ("".join(f"Jan  {n} 06:00:05 host app[12]: took {n} ms, ok\n" for n in range(1, 9)), "syslog"),
        ("id,at,load\n" + f"a,2024-01-01,{'7' * 2_000_001}\n", "line 2 has more than 2,000,000 bytes"),
        ("<?xml version='1.0'?>\n<rows>\n" + "\n".join(f"<row>{n}</row>" for n in range(9)), "is XML; write"),
        ("    id                  at  load\n" + "\n".join(f"{n}  a{n}  2024-01-01 06:00:00  {n}" for n in range(30)),
         "only blanks between its values, and blanks within them; write it as CSV"),
    ],
)  # fmt: skip
def test_text_that_is_no_table_is_refused_by_what_it_is(text: str, words: str, tmp_path: Path) -> None:
    put({"t.txt": text}, tmp_path)
    with pytest.raises(DataError, match=words):
        read_both("t.txt", tmp_path)


@pytest.mark.parametrize(
    ("name", "start", "words"),
    [
        ("t.sas7bdat", b"\0" * 12 + b"\xc2\xea\x81\x60", "a file of SAS; write"),
        ("t.rds", gzip.compress(b"X\n\0\0"), "a file of R; write"),
        ("t.dbf", b"\x03\x7c\x01\x01\0\0", "a file of dBase; write"),
        ("t.pkl", b"\x80\x04\x95\0", "Python's objects, which could run code; write"),
        ("t.7z", b"7z\xbc\xaf\x27\x1c\0", "packed by 7-Zip; unpack"),
        ("t.nc", b"CDF\x01\0", "NetCDF; write"),
        ("t.feather", b"FEA1\0\0", "Feather of version 1; write it again"),
        ("t.csv", b"version https://git-lfs.github.com/spec/v1\noid sha256:aa\n", "a pointer of Git LFS"),
        ("t.xls", b"<html><table><tr><td>id</td></tr></table></html>", "HTML or XML under the name of a workbook"),
        ("t.xlsx", b"id\tat\n1\t2024-01-01\n", "text under the name of a workbook; call it .csv"),
    ],
)
def test_files_of_other_programs_are_refused_by_name(name: str, start: bytes, words: str, tmp_path: Path) -> None:
    put({name: start}, tmp_path)
    with pytest.raises(DataError, match=words):
        read_both(name, tmp_path)


def test_cells_that_are_words_far_down_a_sheet_are_kept_and_blank_lines_are_no_rows(tmp_path: Path) -> None:
    lines = [(f"a{n}", "2024-01-01", float(n) if n < 1500 else f"X{n}", "r") for n in range(1600)]
    write_workbook(tmp_path / "t.xlsx", rows=[*lines[:800], ("", "", "", ""), *lines[800:]])
    rows, lands, _ = read_both("t.xlsx", tmp_path)
    assert len(rows) == 1600 and set(rows["load"].to_list()) >= {"0", "X1599"}
    assert lands is not None and lands.sort("id").equals(rows)


def test_clocks_alone_in_cells_are_clocks(tmp_path: Path) -> None:
    lines = [(f"a{n}", datetime(2024, 1, 1 + n % 28), datetime(1899, 12, 31, n % 24, 30), "r") for n in range(60)]
    write_workbook(tmp_path / "t.xlsx", rows=lines)
    rows, lands, _ = read_both("t.xlsx", tmp_path)
    assert rows.filter(pl.col("id") == "a7").rows() == [("a7", datetime(2024, 1, 8), "07:30:00", "r")]
    assert lands is not None and lands.sort("id").equals(rows)


def test_a_heading_whose_last_line_names_the_index_alone(tmp_path: Path) -> None:
    text = ",load,load\n,mean,max\nid,,\n" + "".join(f"a{n},{n}.5,{n}.75\n" for n in range(30))
    put({"t.csv": text}, tmp_path)
    rows, lands, _ = read_both("t.csv", tmp_path)
    assert rows.columns == ["id", "load_mean", "load_max"] and len(rows) == 30
    assert lands is not None and lands.sort("id").equals(rows)


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("cp932", ("東京", "大阪", "さいたま")), ("gb18030", ("北京", "上海", "重庆")),
        ("big5", ("臺北", "高雄", "臺中")),
        ("euc-kr", ("서울", "부산", "대구")), ("cp1251", ("Москва", "Казань", "Уфа")),
        ("koi8-r", ("Москва", "Казань", "Уфа")), ("cp1253", ("Αθήνα", "Θεσσαλονίκη", "Πάτρα")),
        ("cp1252", ("Zürich", "Genève", "Bern")), ("cp1252", ("ÖÄÜ", "ÄÖÜ", "ÜÖÄ")),
    ],
)  # fmt: skip
def test_encodings_from_before_utf_8(encoding: str, words: tuple[str, ...], tmp_path: Path) -> None:
    text = "id,city\n" + "".join(f"a{n},{words[n % 3]}\n" for n in range(60))
    put({"t.csv": text.encode(encoding)}, tmp_path)
    rows, lands, notes = read_both("t.csv", tmp_path)
    assert set(rows["city"]) == set(words)
    assert lands is not None and lands.sort("id").equals(rows)
    assert words[0] in " ".join(notes)


def test_text_in_a_column_divides_no_file_that_a_usual_sign_divides(tmp_path: Path) -> None:
    text = "id,2023,2024,note\n" + "".join(f"a{n},{n},{n}.5,status; ok: {n}\n" for n in range(40))
    put({"t.csv": text}, tmp_path)
    rows, lands, _ = read_both("t.csv", tmp_path)
    assert len(rows) == 40 and rows["note"][0] == "status; ok: 0"
    assert lands is not None and lands.sort("id").equals(rows)


def test_a_workbook_is_read(tmp_path: Path) -> None:
    write_workbook(tmp_path / "t.xlsx")
    assert fastexcel.read_excel(tmp_path / "t.xlsx").sheet_names == ["notes", "data"]
    rows, lands, _ = read_both("t.xlsx", tmp_path)
    assert rows["load"].sort().to_list() == [v for _, _, v, _ in ROWS]
    assert lands is not None and lands.sort("id").equals(rows)


def test_of_several_sheets_the_one_with_the_most_rows_is_read_and_named(tmp_path: Path) -> None:
    write_workbook(tmp_path / "t.xlsx", before=[("about",), ("loads of the north",)])
    rows, lands, notes = read_both("t.xlsx", tmp_path)
    assert rows["load"].sort().to_list() == [v for _, _, v, _ in ROWS]
    assert lands is not None and lands.sort("id").equals(rows)
    assert "'data' is read, which has the most rows; another: sources.file.sheet: 'notes' (1 row)" in str(notes)


def write_workbook(
    path: Path, before: Sequence[tuple[object, ...]] = (), names: Sequence[str] = HEAD,
    rows: Sequence[tuple[object, ...]] = ROWS,
) -> None:  # fmt: skip
    """The smallest workbook: a sheet with the lines ``before``, and one with the rows as text and numbers."""
    letters = "ABCD"

    def cell(column: int, row: int, value: object) -> str:
        place = f'r="{letters[column]}{row}"'
        if value == "":
            return ""
        if isinstance(value, datetime):
            return f'<c {place} t="d"><v>{value.isoformat()}</v></c>'
        if isinstance(value, float):
            return f"<c {place}><v>{value}</v></c>"
        return f'<c {place} t="inlineStr"><is><t>{value}</t></is></c>'

    def body(lines: Sequence[tuple[object, ...]]) -> str:
        cells = ("".join(cell(c, n, v) for c, v in enumerate(line)) for n, line in enumerate(lines, 1))
        return "".join(f'<row r="{n}">{row}</row>' for n, row in enumerate(cells, 1))

    lines = [("A report of loads",), names, *rows]
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    sheets = (1, 2)
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        + "".join(
            f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{kind}.worksheet+xml"/>' for n in sheets
        )
        + "</Types>",
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook {space} xmlns:r="{office}"><sheets><sheet name="notes" sheetId="1" r:id="r1"/>'
        '<sheet name="data" sheetId="2" r:id="r2"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        + "".join(
            f'<Relationship Id="r{n}" Type="{office}/worksheet" Target="worksheets/sheet{n}.xml"/>' for n in sheets
        )
        + "</Relationships>",
        "xl/worksheets/sheet1.xml": f"<worksheet {space}><sheetData>{body(before)}</sheetData></worksheet>",
        "xl/worksheets/sheet2.xml": f"<worksheet {space}><sheetData>{body(lines)}</sheetData></worksheet>",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)


def test_files_without_a_column_in_common_are_refused_with_their_columns(tmp_path: Path) -> None:
    put({"d/1.csv": csv(), "d/2.csv": "ID,At,Load,Region\n" + csv().split("\n", 1)[1]}, tmp_path)
    with pytest.raises(DataError, match="1.csv: id, at, load, region; 2.csv: ID, At, Load, Region"):
        read_both("d", tmp_path)


def test_an_error_names_the_file_the_line_and_what_stands_there(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(csv().replace("a7,", "a7,more,"))
    with pytest.raises(DataError) as caught:
        read_both("t.csv", tmp_path)
    assert "t.csv" in str(caught.value) and "line 9 has 5 values where the heading has 4" in str(caught.value)
    assert "a7,more" in str(caught.value) and "copy" not in str(caught.value)
    (tmp_path / "t.xlsx").write_text("no workbook")
    with pytest.raises(DataError, match="t.xlsx is no whole workbook"):
        read_both("t.xlsx", tmp_path)
    (tmp_path / "t.zip").write_bytes(packed({"1.csv": csv(), "2.csv": csv().replace("a7,", "a7,more,")}))
    with pytest.raises(DataError, match="t.zip/2.csv is not a whole CSV file .line 9 has 5 values"):
        read_both("t.zip", tmp_path)


def test_where_files_overlap_the_newest_row_counts(tmp_path: Path) -> None:
    old, new = table()[:40], table()[20:].with_columns(load=pl.col("load") + 100)
    put({"e/1.csv": old.write_csv(), "e/2.csv": new.write_csv()}, tmp_path)
    _, lands, _ = read_both("e/*.csv", tmp_path)
    assert lands is not None and len(lands) == 60
    by_id = dict(lands.select("id", "load").iter_rows())
    assert by_id == {i: v + (100 if n >= 20 else 0) for n, (i, _, v, _) in enumerate(ROWS)}


def test_a_name_over_two_lines_is_named_on_one(tmp_path: Path) -> None:
    put({"t.csv": '"id";"load\n[kWh]"\n' + "".join(f"a{n};{n}\n" for n in range(40))}, tmp_path)
    with open_workspace() as work:
        made = read_table(work, "t", Address.of(str(tmp_path / "t.csv")))
    assert find_column(made, "Load [kWh]", "--label").raw == "load\n[kWh]"
    assert find_column(made, "\u200bid", "--key").raw == "id"


@pytest.mark.parametrize("numbers", ["NA", "7"])
def test_na_is_a_code_only_where_it_is_none_nowhere_else(numbers: str, tmp_path: Path) -> None:
    lines = [f"a{n},{('DE', 'NA', 'FR')[n % 3]},{numbers if n % 5 == 0 else n}" for n in range(60)]
    put({"t.csv": "\n".join(["id,country,load", *lines]) + "\n"}, tmp_path)
    rows, lands, _ = read_both("t.csv", tmp_path)
    assert lands is not None and lands.sort("id").equals(rows)
    assert rows["country"].null_count() == (20 if numbers == "NA" else 0)
    assert rows["load"].null_count() == (12 if numbers == "NA" else 0)
