"""CSV files that were written carelessly: read as a choice that is told, or refused by line; never short of a row."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from scaffold.test_files_as_they_come import HEAD, csv, read_both

from homeostat.core.errors import DataError
from homeostat.data.csv_files import MIXED, decoded, encoding_of

POSITIONS = ("column1", "column2", "column3", "column4")
A1 = ("a1", "1.5", "south, east")
YEARS = "id,2019,2020,2021\n" + "".join(f"a{n},{n},{n}.5,2\n" for n in range(60))
WINDOWS = csv().replace("north", "nörd").replace("south, east", "süd")

# a name, the file, its columns, values that one of its rows has, and what is said of it
FILES: list[tuple[str, str | bytes, tuple[str, ...], tuple[str, ...], str]] = [
    ("no heading", csv().split("\n", 1)[1], POSITIONS, A1, "there is no heading"),
    ("units below the heading", csv().replace("\n", "\n,,kWh,\n", 1), ("id", "at", "load_kWh", "region"), A1,
     "the heading goes over 2 lines"),
    ("years as names", YEARS, ("id", "c_2019", "c_2020", "c_2021"), ("a1", "1", "1.5"), ""),
    ("a name too many, a blank one", csv().replace("id,at,", "id,,at,", 1), HEAD, A1, ""),
    ("a name too few", csv().replace("id,at,", "id,", 1), POSITIONS, A1, "there is no heading"),
    ("blank cells before the heading", "Report,,,\n,,,\n" + csv(), HEAD, A1, "first 2 lines are no part"),
    ("the heading again, in quotes", csv() + '"id","at","load","region"\n', HEAD, A1, ""),
    ("ends of lines of old Macs", csv(end="\r"), HEAD, A1, ""),
    ("a blank after each delimiter", csv().replace("south, ", "south,").replace(",", ", "), HEAD, A1, "', '"),
    ("values missing at the end", re.sub(r"(\na[12],[^,]*,[^,]*),[^\n]*", r"\1", csv()), HEAD, ("a1", "1.5", "None"),
     "2 lines with too few values, read as if those at the end were blank (the first is line 3)"),
    ("a delimiter too many", csv().replace('"south, east"\na8,', '"south, east",,\na8,'), HEAD, A1,
     "1 line with more values than the others, blank ones, left out (the first is line 9)"),
    ("another delimiter in a line", re.sub(r"\na8,(.*),(.*),", r"\na8;\1;\2;", csv()), HEAD, ("a8", "12.0", "north"),
     "1 line with another sign between values"),
    ("no delimiter between quotes", re.sub(r'\na9,([^,]*),', r'\n"a9"\1,', csv()), HEAD,
     ("a9", "13.5", "south, east"), "1 line with another sign between values, or none (the first is line 11)"),
    ("a stray quote", csv().replace("\na1,", '\n"a1,'), HEAD, ('"a1', "1.5", "south, east"),
     "1 line with a quote that is part of a value (the first is line 3)"),
    ("quotes that are not escaped", csv().replace("south, east", 'south 8" east'), HEAD, ("a1", "1.5", 'south 8" east'),
     "with a quote that is part of a value"),
    ("another table below", csv() + "name,load\n" + "".join(f"m{n},{n}\n" for n in range(9)), HEAD, A1,
     "another table begins at line 62: its 10 lines are left out"),
    ("Latin-1", WINDOWS.encode("cp1252"), HEAD, ("a1", "1.5", "süd"),
     "the file is no UTF-8: read as Windows' Latin-1 ('nörd', 'süd')"),
    ("UTF-8 with a byte of Latin-1", WINDOWS.encode() + "a99,2024-01-01 06:00:00,1,öst\n".encode("cp1252"), HEAD,
     ("a99", "1.0", "öst"), "some bytes of it no UTF-8"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "columns", "row", "note"), [c[1:] for c in FILES], ids=[c[0] for c in FILES])
def test_what_was_written_carelessly_is_read_and_told(
    content: str | bytes, columns: tuple[str, ...], row: tuple[str, ...], note: str, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    rows, lands, notes = read_both("t.csv", tmp_path, columns[0])
    assert tuple(rows.columns) == columns
    assert rows.height == 60 + ("a99" in row)
    values = [tuple(map(str, one)) for one in rows.iter_rows()]
    assert any(set(row) <= set(one) for one in values), values[:3]
    assert lands is not None and sorted(map(repr, lands.iter_rows())) == sorted(map(repr, rows.iter_rows()))
    assert note in " ".join(notes)


# a name, the file, and why it is refused
REFUSED: list[tuple[str, str, str]] = [
    ("a value too many", csv().replace("a7,", "a7,more,"), "line 9 has 5 values where the heading has 4"),
    ("cut short within a row", csv()[:-30], "line 61"),
    ("lines of no table", "\n".join(f"word {'word, ' * (n % 5)}" for n in range(40)) + "\n", "not a whole CSV file"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "why"), [c[1:] for c in REFUSED], ids=[c[0] for c in REFUSED])
def test_what_cannot_be_read_is_refused_by_line(content: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(DataError, match=f"t.csv.*{why}"):
        read_both("t.csv", tmp_path)


def test_a_value_over_several_lines_is_one_also_beside_uneven_lines(tmp_path: Path) -> None:
    text = csv().replace("south, east", "south,\neast", 1)
    (tmp_path / "t.csv").write_text(re.sub(r"(\na2,[^,]*,[^,]*),[^\n]*", r"\1", text))
    rows, _, notes = read_both("t.csv", tmp_path)
    assert rows.height == 60 and "south,\neast" in rows["region"].to_list()
    assert "the first is line 5" in " ".join(notes)


def test_mixed_bytes_are_read_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("für Öl, größer".encode() + b" \xfc")
    assert encoding_of(tmp_path / "t.csv") == MIXED
    assert decoded((tmp_path / "t.csv").read_bytes(), MIXED) == "für Öl, größer ü"
