"""What a column is, from a few of its values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from homeostat.core.errors import UsageError
from homeostat.data.casts import typed
from homeostat.scaffold.draft import create
from homeostat.scaffold.profile.column_types import readings_of
from homeostat.scaffold.profile.request import Address, Request
from homeostat.scaffold.profile.table import read_table
from homeostat.scaffold.profile.workspace import open_workspace

# values as written, the kind of their column, and the values as they are read
CASES: list[tuple[list[str | None], str, list[str | None]]] = [
    (["13/02/2020", "01/03/2020"], "time", ["2020-02-13 00:00:00", "2020-03-01 00:00:00"]),
    (["13/02/2020", "2020-05-06"], "time", ["2020-02-13 00:00:00", "2020-05-06 00:00:00"]),
    (["12/31/2019 10:30 PM", "01/02/2020 1:05 AM", None], "time", ["2019-12-31 22:30:00", "2020-01-02 01:05:00", None]),
    (["1/1/11", "2/13/11"], "time", ["2011-01-01 00:00:00", "2011-02-13 00:00:00"]),
    (["13/02/2020 10:00 +0200", "14/02/2020 10:00 +0100"], "time", ["2020-02-13 08:00:00", "2020-02-14 09:00:00"]),
    (["1,234", "12", "?"], "integer", ["1234", "12", None]),
    (["1.234,50", "7,5", "3"], "float", ["1234.5", "7.5", "3.0"]),
    (["$1,200.50", "$3", "n/a"], "float", ["1200.5", "3.0", None]),
    (["12 %", "7.5 %"], "float", ["12.0", "7.5"]),
    (["Ja", "nein"], "boolean", ["True", "False"]),
    (["yes", "No"], "boolean", ["True", "False"]),
    (["007", "012"], "string", ["007", "012"]),
    (["1.5", "2"], "float", ["1.5", "2.0"]),
    (["2020-01-01T10:00:00+02:00", "2020-01-01 10:00"], "time", ["2020-01-01 08:00:00", "2020-01-01 10:00:00"]),
    (["1990Q1", "1990-Q4"], "time", ["1990-01-01 00:00:00", "1990-10-01 00:00:00"]),
    (["2015-W02", "2015W53"], "time", ["2015-01-05 00:00:00", "2015-12-28 00:00:00"]),
    (["Jan-1-1995", "Feb-1-1995"], "time", ["1995-01-01 00:00:00", "1995-02-01 00:00:00"]),
    (["2021-03-01T01:00:00Z", "13/02/2020 10:00"], "time", ["2021-03-01 01:00:00", "2020-02-13 10:00:00"]),
    (["(1,200.50)", "3.25"], "float", ["-1200.5", "3.25"]),
    (["1’200", "₽ 7"], "integer", ["1200", "7"]),
    (["12.5 kg", "7 kg"], "float", ["12.5", "7.0"]),
    (["12 kg", "7 lb"], "string", ["12 kg", "7 lb"]),
    (["A1", "B2"], "string", ["A1", "B2"]),
    (["1", "2", "three"], "string", ["1", "2", "three"]),
    (["25.00", "25.00 CR"], "float", ["25.0", "-25.0"]),
    (["0,250", "1,250"], "float", ["0.25", "1.25"]),
]  # fmt: skip


def read(values: Sequence[object], sql_type: str) -> tuple[str | None, list[object]]:
    given = pl.DataFrame({'a "b"': values})
    with open_workspace() as work:
        work.connection.register("given", given.to_arrow())
        reading = readings_of(work, "given", [('a "b"', sql_type)], ",")['a "b"']
        if reading is None:
            return None, []
        sql = reading.sql or '"a ""b"""'
        rows = work.frame(f"SELECT {sql} AS a FROM given")
    return reading.kind, typed(rows, {"a": reading.kind}, {"a": reading.writing})["a"].to_list()


@pytest.mark.parametrize(("values", "kind", "right"), CASES, ids=lambda c: str(c)[:30])
def test_text_is_read_as_what_it_means(values: list[str | None], kind: str, right: list[str | None]) -> None:
    got, rows = read(values, "VARCHAR")
    assert got == kind
    assert [None if v is None else str(v) for v in rows] == right


@pytest.mark.parametrize(
    ("values", "sql_type", "kind"),
    [
        ([b"x"], "BLOB", None),
        ([[1]], "BIGINT[]", None),
        ([1], "BIGINT", "integer"),
        ([1.5], "DOUBLE", "float"),
        ([2**63 + 5], "UBIGINT", "string"),
        ([7], "UBIGINT", "integer"),
    ],
)
def test_other_types_are_what_they_are(values: list[object], sql_type: str, kind: str | None) -> None:
    assert read(values, sql_type)[0] == kind


def test_wide_names_keep_every_digit() -> None:
    assert read([2**63 + 5], "UBIGINT") == ("string", [str(2**63 + 5)])


def test_a_label_of_several_currencies_is_refused_with_the_reason(tmp_path: Path) -> None:
    days = [f"2024-{1 + n // 28:02d}-{1 + n % 28:02d}" for n in range(120)]
    rows = "".join(f"a{n},{day},{'$€'[n % 2]}{n}.50\n" for n, day in enumerate(days))
    (tmp_path / "t.csv").write_text(f"id,at,price\n{rows}")
    with pytest.raises(UsageError, match="--label price: has numbers of several units or currencies"):
        create.draft("tried", Request(Address.of(str(tmp_path / "t.csv")), time="at", label="price"))


def test_hundreds_of_columns_are_measured_in_the_memory_that_there_is(tmp_path: Path) -> None:
    names = [f"x{n}" for n in range(400)]
    lines = [",".join(str((row * 7919 + n) % 997 / 10) for n in range(400)) for row in range(300)]
    (tmp_path / "t.csv").write_text("\n".join([",".join(names), *lines]) + "\n")
    with open_workspace() as work:
        table = read_table(work, "t", Address.of(str(tmp_path / "t.csv")))
    assert {c.distinct for c in table.columns} == {300}
