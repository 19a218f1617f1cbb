"""Workbooks of spreadsheets as tables."""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path
from typing import Any

from homeostat.core.errors import DataError
from homeostat.core.text import first_line
from homeostat.data.other_files import LOOK

UNNAMED = "__UNNAMED__"  # what a column without a heading is called
FIRST_DAYS = datetime(1900, 1, 2)  # those before are what a spreadsheet has for a clock alone
MOST_SKIPPED = 30  # lines before the heading
SUFFIXES = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")


def _opened(file: Path) -> Any:
    """The workbook. Its reader logs each column without a value, which the issues of a table name already."""
    import fastexcel

    logging.getLogger("fastexcel").setLevel(logging.ERROR)
    return fastexcel.read_excel(file.read_bytes())


def _rows(book: Any, sheet: str) -> tuple[int, Any] | None:
    """The lines above the heading, the first in which most columns have a name, and the rows below it.

    None for an empty sheet.
    """
    for line in range(MOST_SKIPPED):
        table = book.load_sheet(sheet, header_row=line, schema_sample_rows=None)  # types by all of the rows
        if not table.height:
            return None
        names = [c.name for c in table.available_columns()]
        if sum(name.startswith(UNNAMED) for name in names) <= len(names) / 2:
            return line, table
    return None


def sheets_with_rows(name: str, path: str, file: Path) -> dict[str, int]:
    """The rows of each sheet of the workbook ``file``, which is called ``path``, where it has any; no hidden ones.

    Raises:
        DataError: it is no workbook.
    """
    import fastexcel

    try:
        book = _opened(file)
        tables = {sheet: _rows(book, sheet) for sheet in book.sheet_names}
    except fastexcel.FastExcelError as error:
        raise _damaged(name, path, file, error) from error
    rows = {sheet: (int(read[1].height), read[1].visible) for sheet, read in tables.items() if read is not None}
    shown = {sheet: height for sheet, (height, visible) in rows.items() if visible == "visible"}
    return shown or {sheet: height for sheet, (height, _) in rows.items()}


def _plain(table: Any) -> Any:
    """The rows without blank ones, durations in seconds, and clocks alone, which are times of a first day, as text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for place, field in enumerate(table.schema):
        if pa.types.is_duration(field.type):
            milliseconds = table[place].cast(pa.duration("ms")).cast(pa.int64())
            table = table.set_column(place, field.name, pc.divide(pc.cast(milliseconds, pa.float64()), 1000.0))
        elif pa.types.is_timestamp(field.type) and _are_clocks(table[place]):
            clocks = pc.strftime(table[place].cast(pa.timestamp("s"), safe=False), "%H:%M:%S")
            table = table.set_column(place, field.name, clocks)
    blank = pa.array([True] * table.num_rows)
    for column in table.columns:
        blank = pc.and_(blank, column.is_null())
    return table.filter(pc.invert(blank))


def _are_clocks(times: Any) -> bool:
    """Whether all times are of the day from which a spreadsheet counts, so that only their clocks mean something."""
    import pyarrow.compute as pc

    latest = pc.max(times).as_py()
    return latest is not None and latest < FIRST_DAYS and pc.min(times).as_py() != latest


def heading_of(file: Path, sheet: str) -> list[str]:
    """The names of the columns of a sheet that has rows, as they are written."""
    book = _opened(file)
    line, _ = _rows(book, sheet) or (0, None)
    above = line or None  # which leaves blank lines out
    names = book.load_sheet(sheet, header_row=None, skip_rows=above, n_rows=1, dtypes="string").to_arrow().to_pydict()
    return [value or "" for (value,) in names.values()]


def _damaged(name: str, path: str, file: Path, error: Exception) -> DataError:
    with file.open("rb") as stream:
        start = stream.read(LOOK)
    if start.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
        return DataError(
            f"{name}: {path} is HTML or XML under the name of a workbook; open it in a spreadsheet and save it as .xlsx"
        )
    if b"\0" not in start.removeprefix(b"\xff\xfe")[::2] and any(sign in start for sign in (b",", b";", b"\t")):
        return DataError(f"{name}: {path} is text under the name of a workbook; call it .csv")
    return DataError(f"{name}: {path} is no whole workbook ({first_line(error)}); save it again, or as CSV")


def as_parquet(name: str, path: str, file: Path, sheet: str | None, target: Path) -> Path:
    """A sheet of the workbook ``file``, which is called ``path``, as a Parquet file.

    Raises:
        DataError: it is no workbook, has no such sheet, or none with rows.
    """
    import fastexcel
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        book = _opened(file)
        names = book.sheet_names
        if sheet is not None and sheet not in names:
            raise DataError(f"{name}: {path} has no sheet {sheet!r}; there {'are' if len(names) > 1 else 'is'} "
                            f"{', '.join(names)}")  # fmt: skip
        filled = [read for one in ([sheet] if sheet is not None else names) if (read := _rows(book, one)) is not None]
        shown = [table for _, table in filled if table.visible == "visible"] or [table for _, table in filled]
        if shown:
            pq.write_table(_plain(pa.table(shown[0].to_arrow())), target)
            return target
    except fastexcel.FastExcelError as error:
        raise _damaged(name, path, file, error) from error
    raise DataError(f"{name}: {path} has no sheet with rows; give the rows")
