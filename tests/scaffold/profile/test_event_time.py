"""The time of a row, however a table says it."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from scaffold.odd_tables import START
from steps import read_batch

from homeostat.core.errors import UsageError
from homeostat.data.selection import event_times
from homeostat.project.layout import Project
from homeostat.scaffold.draft import create
from homeostat.scaffold.profile.request import Address, Request

ROWS = 400
DAYS = [date(2020, 1, 1) + timedelta(days=n) for n in range(ROWS)]
HOURS = [START + timedelta(hours=n) for n in range(ROWS)]
MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
          "November", "December"]  # fmt: skip

# what the columns hold, which is named as the time, and when the second row and the last one are
CASES: list[tuple[str, dict[str, list[object]], str, str, str]] = [
    (
        "year, month and day",
        {"year": [d.year for d in DAYS], "month": [d.month for d in DAYS], "day": [d.day for d in DAYS]},
        "year", "2020-01-02 00:00:00", "2021-02-03 00:00:00",
    ),
    (
        "year and the month's name",
        {
            "sale_year": [1985 + n // 12 for n in range(ROWS)],
            "sale_month": [MONTHS[n % 12] for n in range(ROWS)],
            "month": [n % 12 for n in range(ROWS)],
        },
        "sale_year", "1985-02-01 00:00:00", "2018-04-01 00:00:00",
    ),
    (
        "year and quarter, before 1970",
        {"yr": [1900 + n // 4 for n in range(ROWS)], "qtr": [1 + n % 4 for n in range(ROWS)]},
        "yr", "1900-04-01 00:00:00", "1999-10-01 00:00:00",
    ),
    (
        "a day and its hour",
        {"dteday": [t.date().isoformat() for t in HOURS], "hr": [t.hour for t in HOURS]},
        "dteday", "2022-01-03 01:00:00", "2022-01-19 15:00:00",
    ),
    (
        "a day and a clock",
        {"Date": [t.strftime("%d/%m/%Y") for t in HOURS], "Time": [t.strftime("%H.%M.%S") for t in HOURS]},
        "Date", "2022-01-03 01:00:00", "2022-01-19 15:00:00",
    ),
    ("a year alone", {"year": [1600 + n for n in range(200, ROWS + 200)]}, "year", "1801-01-01 00:00:00",
     "2199-01-01 00:00:00"),
    ("a spreadsheet's days", {"day": [44000 + n / 4 for n in range(ROWS)]}, "day", "2020-06-18 06:00:00",
     "2020-09-25 18:00:00"),
    ("days of the era", {"d": [736389 + n for n in range(ROWS)]}, "d", "2017-03-02 00:00:00", "2018-04-04 00:00:00"),
    ("a year's weeks as numbers", {"week": [int(f"{(START + timedelta(weeks=n)):%G%V}") for n in range(ROWS)]}, "week",
     "2022-01-10 00:00:00", "2029-08-27 00:00:00"),
    ("the hour of something else",
     {"at": [d.isoformat() for d in DAYS], "hour_of_birth": [n % 24 for n in range(ROWS)]},
     "at", "2020-01-02 00:00:00", "2021-02-03 00:00:00"),
]  # fmt: skip


def request_of(columns: dict[str, list[object]], folder: Path, **options: str) -> Request:
    label = [(n * 7 % 11) / 2 for n in range(ROWS)]
    pl.DataFrame(columns | {"y": label}, strict=False).write_csv(folder / "t.csv")
    return Request(Address.of(str(folder / "t.csv")), label="y", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("columns", "time", "second", "last"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_the_time_is_read_alike_here_and_by_the_loop(
    columns: dict[str, list[object]], time: str, second: str, last: str, tmp_path: Path
) -> None:
    made = create.draft("tried", request_of(columns, tmp_path, time=time))
    assert str(made.profile.time.last) == last
    create.write(made, tmp_path / "here")
    source = Project.find(tmp_path / "here").scope.sources["t"]
    rows = read_batch("t", source, None, tmp_path)
    assert rows is not None
    times = event_times("t", source, rows).sort()
    assert (str(times[1]), str(times[-1]), len(times)) == (second, last, ROWS)


def test_where_no_column_is_a_time_large_numbers_that_may_be_one_are_named(tmp_path: Path) -> None:
    columns: dict[str, list[object]] = {
        "n": list(range(ROWS)), "sent": [1_700_000_000_000 + 60_000 * n for n in range(ROWS)],
    }  # fmt: skip
    with pytest.raises(UsageError, match=r"are n, sent, y; it may be sent: numbers .* from 2023-11-14 .*epoch ms"):
        create.draft("t", request_of(columns, tmp_path))


def test_an_unnamed_time_is_guessed_and_the_others_are_named(tmp_path: Path) -> None:
    columns: dict[str, list[object]] = {
        "paid": [None if n % 3 else d.isoformat() for n, d in enumerate(DAYS)],
        "ordered": [d.isoformat() for d in DAYS],
    }
    made = create.draft("tried", request_of(columns, tmp_path))
    assert made.profile.time.column == "ordered"
    assert "a guess among paid and it; --time says it" in made.files["issues.html"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"time": "whem"}, "--time whem: no such column; perhaps when; there are when, note, y"),
        ({"time": "note"}, "--time note: some of its values are no times, such as 'soon'; .* there is when"),
        ({"time": "when", "label": "z"}, "--label z: no such column; there are"),
    ],
)
def test_a_wrong_name_is_reported_with_the_right_one(options: dict[str, str], message: str, tmp_path: Path) -> None:
    columns: dict[str, list[object]] = {"when": [d.isoformat() for d in DAYS], "note": ["soon"] * ROWS}
    source = request_of(columns, tmp_path).source
    with pytest.raises(UsageError, match=message):
        create.draft("tried", Request(source, **({"label": "y"} | options)))  # type: ignore[arg-type]
