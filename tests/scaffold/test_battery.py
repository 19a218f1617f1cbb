"""Each writing of the battery is read as what it means, and what `new` understood is what lands."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from scaffold.battery import COMMA_CASES, COUNTED, NUMBER_CASES, ROWS, TIME_CASES, TIMES, WORD_CASES, Case

from homeostat.data.converted import read_typed
from homeostat.data.source_files import files_at
from homeostat.project.source_scope import Source
from homeostat.scaffold.profile.duration_writing import with_durations
from homeostat.scaffold.profile.event_time import with_number_as_time
from homeostat.scaffold.profile.request import Address
from homeostat.scaffold.profile.sentinels import without_sentinels
from homeostat.scaffold.profile.table import Table, read_table
from homeostat.scaffold.profile.workspace import open_workspace

GROUPS = {
    "times": (TIME_CASES, ","),
    "times with semicolons": (TIME_CASES, ";"),
    "numbers": (NUMBER_CASES, ","),
    "numbers with tabs": (NUMBER_CASES, "\t"),
    "decimal commas": (COMMA_CASES, ";"),
    "words": (WORD_CASES, "|"),
}


def write_columns(columns: dict[str, Sequence[str | None]], delimiter: str, path: Path) -> Path:
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, delimiter=delimiter)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


def landed(table: Table, path: Path, folder: Path) -> pl.DataFrame:
    """The rows as the loop reads them by what a scope would say of the table."""
    source = Source.model_validate({
        "path": str(path), "period": "once", "key": [table.names[0]],
        "columns": {c.name: c.kind for c in table.columns},
        "read": {c.name: c.source_sql for c in table.columns if c.source_sql is not None},
        "written": {c.name: c.reading.writing.model_dump() for c in table.columns},
        "file": table.opened.form.model_dump(),
    })  # fmt: skip
    (file,) = files_at("t", str(path))
    return pl.concat([rows for rows, _ in read_typed("t", source, file, folder)])


def read_group(group: str, folder: Path) -> tuple[Table, pl.DataFrame, pl.DataFrame]:
    """A group's cases in one file: the table that `new` makes of it, its rows, and those that land, in order."""
    cases, delimiter = GROUPS[group]
    columns = {"number": [str(n) for n in range(ROWS)], **{c.name: c.written for c in cases}}
    path = write_columns(columns, delimiter, folder / "t.csv")
    with open_workspace() as work:
        table = without_sentinels(work, read_table(work, "t", Address.of(str(path))))
        table = with_durations(work, table, "number")
        rows = work.frame("SELECT * FROM t ORDER BY number")
    return table, rows, landed(table, path, folder / "scratch").sort("number")


@pytest.mark.parametrize("group", GROUPS)
def test_each_writing_is_read_right_said_and_lands_so(group: str, tmp_path: Path) -> None:
    cases, _ = GROUPS[group]
    table, rows, lands = read_group(group, tmp_path)
    by_raw = {c.raw: c for c in table.columns}
    wrong = [problem for case in cases for problem in problems(case, table, rows)]
    assert wrong == []
    assert lands.select(table.names).equals(rows.select(table.names))
    assert len(by_raw) == len(cases) + 1


def problems(case: Case, table: Table, rows: pl.DataFrame) -> list[str]:
    column = next(c for c in table.columns if c.raw == case.name)
    if column.kind != case.kind:
        return [f"{case.name}: is {column.kind}, not {case.kind} ({column.reading})"]
    values = rows[column.name].to_list()
    right = list(case.right)
    different = [
        (w, v, r) for w, v, r in zip(case.written, values, right, strict=True)
        if v != r and not (isinstance(r, float) and v is not None and abs(v - r) < 1e-9 * max(1, abs(r)))
    ]  # fmt: skip
    if different:
        return [f"{case.name}: {len(different)} wrong, such as {different[0]} ({column.reading})"]
    if case.note not in column.reading.note:
        return [f"{case.name}: nothing said of {case.note!r}, only {column.reading.note!r}"]
    return []


@pytest.mark.parametrize("name", COUNTED)
def test_whole_numbers_that_are_times_are_read_and_said(name: str, tmp_path: Path) -> None:
    write, right = COUNTED[name]
    path = write_columns({"when": [write(t) for t in TIMES]}, ",", tmp_path / "t.csv")
    with open_workspace() as work:
        table = read_table(work, "t", Address.of(str(path)))
        table = with_number_as_time(work, table, table.columns[0], "--time")
        rows = work.frame('SELECT "when" FROM t ORDER BY 1')["when"].to_list()
    assert "numbers from" in table.columns[0].reading.note
    assert all(abs(row - right(t)) < timedelta(microseconds=20) for row, t in zip(rows, TIMES, strict=True))
    lands = landed(table, path, tmp_path / "scratch")["when"].sort().to_list()
    assert lands == rows
