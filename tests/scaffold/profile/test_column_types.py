"""The type of a column of text."""

from __future__ import annotations

import polars as pl
import pytest

from homeostat.scaffold.profile.column_types import reading_of
from homeostat.scaffold.profile.workspace import open_workspace

CASES = [
    (["13/02/2020", "01/03/2020"], "time", ["2020-02-13 00:00:00", "2020-03-01 00:00:00"]),
    (["13/02/2020", "2020-05-06"], "time", ["2020-02-13 00:00:00", "2020-05-06 00:00:00"]),
    (["12/31/2019 10:30 PM", "01/02/2020 1:05 AM", None], "time", ["2019-12-31 22:30:00", "2020-01-02 01:05:00", None]),
    (["1/1/11", "2/13/11"], "time", ["2011-01-01 00:00:00", "2011-02-13 00:00:00"]),
    (["3 Jan 2021", "14 Feb 2021"], "time", ["2021-01-03 00:00:00", "2021-02-14 00:00:00"]),
    (["13/02/2020 10:00 +0200", "14/02/2020 10:00 +0100"], "time", ["2020-02-13 08:00:00", "2020-02-14 09:00:00"]),
    (["1,234", "12", "?"], "integer", ["1234", "12", None]),
    (["1.234,50", "7,5", "3"], "float", ["1234.50", "7.5", "3"]),
    (["$1,200.50", "$3", "n/a"], "float", ["1200.50", "3", None]),
    (["12 %", "7.5 %"], "float", ["12", "7.5"]),
    (["Ja", "nein"], "boolean", ["true", "false"]),
    (["yes", "No"], "boolean", ["yes", "No"]),
    (["007", "012"], "string", ["007", "012"]),
    (["1.5", "2"], "float", ["1.5", "2"]),
    (["2020-01-01T10:00:00+02:00", "2020-01-01 10:00"], "time", ["2020-01-01T10:00:00+02:00", "2020-01-01 10:00"]),
    (["1990Q1", "1990-Q4"], "time", ["1990-01-01 00:00:00", "1990-10-01 00:00:00"]),
    (["Q2 2003", "Q3 2003"], "time", ["2003-04-01 00:00:00", "2003-07-01 00:00:00"]),
    (["2015-W02", "2015W53"], "time", ["2015-01-05 00:00:00", "2015-12-28 00:00:00"]),
    (["01-2010", "12-2011"], "time", ["2010-01-01 00:00:00", "2011-12-01 00:00:00"]),
    (["Jan-1-1995", "Feb-1-1995"], "time", ["1995-01-01 00:00:00", "1995-02-01 00:00:00"]),
    (["2021-03-01T01:00:00Z", "13/02/2020 10:00"], "time", ["2021-03-01T01:00:00Z", "2020-02-13 10:00:00"]),
    (["Mon Mar 1 08:00:00 2021", "Tue Mar 2 09:30:00 2021"], "time", ["2021-03-01 08:00:00", "2021-03-02 09:30:00"]),
    (["(1,200.50)", "3.25"], "float", ["-1200.50", "3.25"]),
    (["1’200", "₽ 7"], "integer", ["1200", "7"]),
    (["12.5 kg", "7 kg"], "float", ["12.5", "7"]),
    (["12 kg", "7 lb"], "string", ["12 kg", "7 lb"]),
    (["A1", "B2"], "string", ["A1", "B2"]),
    (["red", "green"], "string", ["red", "green"]),
    (["1", "2", "three"], "string", ["1", "2", "three"]),
]  # fmt: skip


@pytest.mark.parametrize(("values", "kind", "read"), CASES, ids=lambda c: str(c)[:30])
def test_text_is_read_as_what_it_means(values: list[str | None], kind: str, read: list[str | None]) -> None:
    with open_workspace() as work:
        work.connection.register("given", pl.DataFrame({'a "b"': values}).to_arrow())
        reading = reading_of(work, "given", 'a "b"', "VARCHAR")
        assert reading is not None
        assert reading.kind == kind
        sql = reading.sql or '"a ""b"""'
        assert [row[0] for row in work.rows(f"SELECT {sql} FROM given")] == read


@pytest.mark.parametrize(("values", "kind"), [([b"x"], None), ([[1]], None), ([1], "integer"), ([1.5], "float")])
def test_other_types_are_what_they_are(values: list[object], kind: str | None) -> None:
    table = pl.DataFrame({"a": values})
    with open_workspace() as work:
        work.connection.register("given", table.to_arrow())
        (sql_type,) = work.row("SELECT column_type FROM (DESCRIBE given)")
        reading = reading_of(work, "given", "a", sql_type)
        assert (reading.kind if reading else None) == kind
