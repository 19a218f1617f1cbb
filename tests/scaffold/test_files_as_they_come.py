"""Files as programs and people leave them: what `new` reads of them is right, and is what lands."""

from __future__ import annotations

import gzip
import io
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
from homeostat.project.scope import Source
from homeostat.scaffold.profile.request import Address
from homeostat.scaffold.profile.table import read_table
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


def zstd(text: str) -> bytes:
    return pa.Codec("zstd").compress(text.encode(), asbytes=True)


def parquet(rows: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    rows.write_parquet(out)
    return out.getvalue()


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
    ("gz", {"t.csv.gz": gzip.compress(csv().encode())}, "t.csv.gz", ""),
    ("zip", {"t.zip": zipped(csv())}, "t.zip", ""),
    ("zst", {"t.csv.zst": zstd(csv())}, "t.csv.zst", ""),
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


def write_workbook(path: Path, before: Sequence[tuple[object, ...]] = ()) -> None:
    """The smallest workbook: a sheet with the lines ``before``, and one with the rows as text and numbers."""
    letters = "ABCD"

    def cell(column: int, row: int, value: object) -> str:
        place = f'r="{letters[column]}{row}"'
        if isinstance(value, float):
            return f"<c {place}><v>{value}</v></c>"
        return f'<c {place} t="inlineStr"><is><t>{value}</t></is></c>'

    def body(lines: Sequence[tuple[object, ...]]) -> str:
        cells = ("".join(cell(c, n, v) for c, v in enumerate(line)) for n, line in enumerate(lines, 1))
        return "".join(f'<row r="{n}">{row}</row>' for n, row in enumerate(cells, 1))

    lines = [("A report of loads",), HEAD, *ROWS]
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


def test_an_error_names_the_file_the_line_and_what_stands_there(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(csv().replace("a7,", "a7,more,"))
    with pytest.raises(DataError) as caught:
        read_both("t.csv", tmp_path)
    assert "t.csv" in str(caught.value) and "line 9 has 5 values where the heading has 4" in str(caught.value)
    assert "a7,more" in str(caught.value) and "copy" not in str(caught.value)
    (tmp_path / "t.xlsx").write_text("no workbook")
    with pytest.raises(DataError, match="t.xlsx is no whole workbook"):
        read_both("t.xlsx", tmp_path)
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("1.csv", csv())
        archive.writestr("2.csv", csv())
    with pytest.raises(DataError, match="holds 2 files"):
        read_both("t.zip", tmp_path)


def test_where_files_overlap_the_newest_row_counts(tmp_path: Path) -> None:
    old, new = table()[:40], table()[20:].with_columns(load=pl.col("load") + 100)
    put({"e/1.csv": old.write_csv(), "e/2.csv": new.write_csv()}, tmp_path)
    _, lands, _ = read_both("e/*.csv", tmp_path)
    assert lands is not None and len(lands) == 60
    by_id = dict(lands.select("id", "load").iter_rows())
    assert by_id == {i: v + (100 if n >= 20 else 0) for n, (i, _, v, _) in enumerate(ROWS)}
