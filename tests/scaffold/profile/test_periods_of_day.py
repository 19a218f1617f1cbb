"""Hours and shorter periods of a day by their number are times in UTC, also on days of 23 and 25 hours."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from scaffold.test_battery import landed

from homeostat.scaffold.profile.composite_time import compose_time
from homeostat.scaffold.profile.request import Address
from homeostat.scaffold.profile.table import Table, read_table
from homeostat.scaffold.profile.workspace import open_workspace

START, DAYS = date(2023, 3, 1), 270  # with both changes of clocks in Europe and America


def _twice(shown: datetime) -> bool:
    return shown.replace(fold=0).utcoffset() != shown.replace(fold=1).utcoffset()


def _letter(shown: datetime) -> str:
    return "AB"[shown.fold] if _twice(shown) else ""


# a name of the column, its zone, the minutes of a period, and its text by number and what clocks show
WRITINGS: list[tuple[str, str, int, Callable[[int, datetime], str]]] = [
    ("hour", "Europe/Berlin", 60, lambda n, shown: str(n)),
    ("HE", "America/New_York", 60, lambda n, shown: str(n)),
    ("Stunde", "Europe/Berlin", 60, lambda n, shown: f"{shown.hour + 1}{_letter(shown)}"),
    ("hour", "Europe/Berlin", 60, lambda n, shown: f"{shown.hour}{_letter(shown)}"),
    ("Hr_End", "America/New_York", 60, lambda n, shown: f"{shown.hour + 1:02d}{'X' * shown.fold}"),
    ("Hour Ending", "America/New_York", 60, lambda n, shown: f"HE{shown.hour + 1:02d}{'*' * shown.fold}"),
    ("SETTLEMENT_PERIOD", "Europe/London", 30, lambda n, shown: str(n)),
    ("Viertelstunde", "Europe/Berlin", 15, lambda n, shown: str(n)),
]


def _table(
    zone: str, minutes: int, write: Callable[[int, datetime], str]
) -> tuple[list[tuple[str, str]], list[datetime]]:
    """Rows of day and period, and their times in UTC."""
    place, rows, times = ZoneInfo(zone), [], []
    for day in (START + timedelta(days=n) for n in range(DAYS)):
        start, end = (datetime(d.year, d.month, d.day, tzinfo=place) for d in (day, day + timedelta(days=1)))
        for n in range(int((end.timestamp() - start.timestamp()) / 60 / minutes)):
            time = datetime.fromtimestamp(start.timestamp() + n * minutes * 60, UTC)
            rows.append((str(day), write(n + 1, time.astimezone(place))))
            times.append(time.replace(tzinfo=None))
    return rows, times


def _composed(path: Path) -> tuple[Table, list[datetime]]:
    with open_workspace() as work:
        table = read_table(work, "t", Address.of(str(path)))
        table = compose_time(work, table, table.columns[0], "load")
        return table, work.frame("SELECT day FROM t")["day"].to_list()


def _write(rows: list[tuple[str, str]], column: str, path: Path) -> Path:
    table = pl.DataFrame(rows, schema=["day", column], orient="row").with_row_index("load")
    table.select("day", column, "load").write_csv(path)
    return path


@pytest.mark.parametrize(("column", "zone", "minutes", "write"), WRITINGS)
def test_periods_of_days_are_times_and_land_so(
    column: str, zone: str, minutes: int, write: Callable[[int, datetime], str], tmp_path: Path
) -> None:
    rows, right = _table(zone, minutes, write)
    path = _write(rows, column, tmp_path / "t.csv")
    table, times = _composed(path)
    assert times == right
    assert f"clocks change as in {zone}, whose time it is taken for: a choice" in table.columns[0].reading.note
    assert landed(table, path, tmp_path / "scratch")["day"].to_list() == right


def test_a_flag_may_say_which_hour_is_the_second(tmp_path: Path) -> None:
    rows, right = _table("America/New_York", 60, lambda n, shown: f"{shown.hour + 1:02d}:00,{'NY'[shown.fold]}")
    lines = [f"{day},{hour},{n}" for n, (day, hour) in enumerate(rows)]
    (tmp_path / "t.csv").write_text("\n".join(["day,HourEnding,DSTFlag,load", *lines]) + "\n")
    table, times = _composed(tmp_path / "t.csv")
    assert times == right
    assert landed(table, tmp_path / "t.csv", tmp_path / "scratch")["day"].to_list() == right


def test_a_day_of_23_hours_alone_tells_the_zone(tmp_path: Path) -> None:
    rows, right = _table("Europe/Berlin", 60, lambda n, shown: str(n))
    many = next(n for n, (day, _) in enumerate(rows) if day == "2023-06-01")
    table, times = _composed(_write(rows[:many], "hour", tmp_path / "t.csv"))
    assert times == right[:many]
    assert "Europe/Berlin" in table.columns[0].reading.note


def test_half_hours_without_a_change_of_clocks_are_counted_from_midnight(tmp_path: Path) -> None:
    rows = [(str(START + timedelta(days=d)), str(n)) for d in range(20) for n in range(1, 49)]
    _, times = _composed(_write(rows, "period", tmp_path / "t.csv"))
    assert times == [datetime(2023, 3, 1) + timedelta(minutes=30 * n) for n in range(20 * 48)]


def test_hours_that_no_zone_has_are_named_and_not_read(tmp_path: Path) -> None:
    rows = [(str(START + timedelta(days=d)), str(n)) for d in range(60) for n in range(1, 26 if d == 7 else 25)]
    table, times = _composed(_write(rows, "hour", tmp_path / "t.csv"))
    note = table.columns[0].reading.note
    assert note.startswith("every row at midnight: hour, up to 25,")
    assert note.endswith("is not read as the hour; bring both to UTC")
    assert len(set(times)) == 60
