"""A time that is spread over columns is read whole, and lands so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from scaffold.test_battery import landed, write_columns

from homeostat.scaffold.profile.composite_time import compose_time
from homeostat.scaffold.profile.duration_writing import with_durations
from homeostat.scaffold.profile.event_time import with_number_as_time
from homeostat.scaffold.profile.request import Address
from homeostat.scaffold.profile.table import Table, read_table
from homeostat.scaffold.profile.workspace import open_workspace

TIMES = [datetime(2024, 1, 1, 0, 5) + timedelta(minutes=77 * n) for n in range(240)]
Write = Callable[[datetime], str]


def _service(t: datetime) -> str:
    """The clock of a timetable, whose day ends at four."""
    return f"{t.hour + 24 * (t.hour < 4)}:{t:%M}:00"


def _day_of_service(t: datetime) -> str:
    return f"{t - timedelta(hours=4):%Y%m%d}"


# names and writings of two columns, and what the note says
PAIRS: list[tuple[str, Write, str, Write, str]] = [
    ("date", lambda t: f"{t:%Y-%m-%d}", "dep_time", lambda t: str(t.hour * 100 + t.minute), "read as %H%M"),
    ("date", lambda t: f"{t:%Y%m%d}", "time", lambda t: str(t.hour * 10000 + t.minute * 100), "read as %H%M%S"),
    ("date", lambda t: f"{t:%Y%m%d}", "time", lambda t: f"{t:%H%M%S}", "together"),
    ("Datum", lambda t: f"{t:%d.%m.%Y}", "Zeit", lambda t: f"{t:%H:%M} - {t + timedelta(hours=1):%H:%M}", "together"),
    ("Datum", lambda t: f"{t:%d.%m.%Y}", "Von", lambda t: f"{t:%H:%M}", "together"),
    ("Datum", lambda t: f"{t - timedelta(days=t.hour + t.minute == 0):%d.%m.%Y}", "Bis",
     lambda t: "24:00" if t.hour + t.minute == 0 else f"{t:%H:%M}", "Bis is the end of an interval"),
    ("Start Date", lambda t: f"{t.month}/{t.day}/{t.year}", "Start Time",
     lambda t: f"{t.hour % 12 or 12}:{t:%M:%S} {'AM' if t.hour < 12 else 'PM'}", "together"),
    ("date", _day_of_service, "arrival_time", _service, "beyond 24:00, on the next day"),
    ("stamp", lambda t: f"{t + timedelta(hours=-5 + t.day % 2):%m/%d/%Y %H:%M:%S}", "Time Zone",
     lambda t: ("EST", "EDT")[t.day % 2], "Time Zone is the zone of each row"),
    ("stamp", lambda t: f"{t + timedelta(hours=1 + t.day % 2):%Y-%m-%d %H:%M}", "utc offset",
     lambda t: ("+01:00", "+02:00")[t.day % 2], "the zone of each row"),
]  # fmt: skip


def _composed(path: Path) -> tuple[Table, list[datetime]]:
    with open_workspace() as work:
        table = read_table(work, "t", Address.of(str(path)))
        table = with_number_as_time(work, table, table.columns[0], "--time")
        table = compose_time(work, table, table.columns[0], "load")
        name = table.columns[0].name
        return table, work.frame(f'SELECT "{name}" FROM t ORDER BY load')[name].to_list()


@pytest.mark.parametrize(("day", "write_day", "clock", "write_clock", "note"), PAIRS)
def test_two_columns_are_one_time(
    day: str, write_day: Write, clock: str, write_clock: Write, note: str, tmp_path: Path
) -> None:
    columns = {day: [write_day(t) for t in TIMES], clock: [write_clock(t) for t in TIMES]}
    path = write_columns(columns | {"load": [str(n) for n in range(len(TIMES))]}, ",", tmp_path / "t.csv")
    table, times = _composed(path)
    assert times == TIMES
    assert note in table.columns[0].reading.note
    lands = landed(table, path, tmp_path / "scratch").sort("load")[table.columns[0].name].to_list()
    assert lands == TIMES


def test_a_day_its_clock_and_its_zone_are_one_time(tmp_path: Path) -> None:
    zones = [("CET", 1), ("CEST", 2)]
    local = [t + timedelta(hours=zones[n % 2][1]) for n, t in enumerate(TIMES)]
    columns = {
        "Date": [f"{t:%d/%m/%Y}" for t in local], "Time": [f"{t:%H:%M:%S}" for t in local],
        "TimeZone": [zones[n % 2][0] for n in range(len(TIMES))], "load": [str(n) for n in range(len(TIMES))],
    }  # fmt: skip
    path = write_columns(columns, ",", tmp_path / "t.csv")
    table, times = _composed(path)
    assert times == TIMES
    assert "Date and Time and TimeZone together; TimeZone is the zone" in table.columns[0].reading.note
    assert landed(table, path, tmp_path / "scratch").sort("load")["Date"].to_list() == TIMES


@pytest.mark.parametrize(
    "names", [("Año", "Mes", "Día", "Hora"), ("annee", "mois", "jour", "heure"), ("anno", "mese", "giorno", "ora")]
)
def test_year_month_day_and_hour_in_other_languages(names: tuple[str, ...], tmp_path: Path) -> None:
    right = [datetime(2022, 1, 1) + timedelta(hours=77 * n) for n in range(200)]
    values = [[str(getattr(t, part)) for t in right] for part in ("year", "month", "day", "hour")]
    columns = dict(zip(names, values, strict=True)) | {"load": [str(n) for n in range(len(right))]}
    path = write_columns(columns, ",", tmp_path / "t.csv")
    with open_workspace() as work:
        table = read_table(work, "t", Address.of(str(path)))
        table = compose_time(work, table, table.columns[0], "load")
        name = table.columns[0].name
        times = work.frame(f'SELECT "{name}" FROM t ORDER BY load')[name].to_list()
    assert times == right


@pytest.mark.parametrize(
    ("clock", "write"),
    [("air_time", lambda t: str(int(t.timestamp()) % 1400)), ("arrival_time", lambda t: f"{t.hour + 10}:{t:%M}:07")],
)
def test_what_is_no_clock_is_not_taken_for_one(clock: str, write: Write, tmp_path: Path) -> None:
    columns = {"date": [f"{t:%Y-%m-%d}" for t in TIMES], clock: [write(t) for t in TIMES]}
    path = write_columns(columns | {"load": [str(n) for n in range(len(TIMES))]}, ",", tmp_path / "t.csv")
    table, times = _composed(path)
    assert times == [datetime(t.year, t.month, t.day) for t in TIMES]
    assert ("arrival_time, such as" in table.columns[0].reading.note) == (clock == "arrival_time")


@pytest.mark.parametrize(
    ("hour", "write"),
    [
        ("Hr", lambda t: str(t.hour % 12 or 12)),
        ("Hour", lambda t: str(t.hour % 12)),
        ("Time", lambda t: f"{t.hour % 12 or 12}:00"),
    ],
)
@pytest.mark.parametrize(("morning", "afternoon"), [("AM", "PM"), ("a.m.", "p.m.")])
def test_the_half_of_the_day_in_a_column_of_its_own(
    hour: str, write: Write, morning: str, afternoon: str, tmp_path: Path
) -> None:
    times = [datetime(2024, 1, 1) + timedelta(hours=n) for n in range(240)]
    columns = {
        "Date": [f"{t:%m/%d/%Y}" for t in times], hour: [write(t) for t in times],
        "AM/PM": [morning if t.hour < 12 else afternoon for t in times], "load": [str(n) for n in range(240)],
    }  # fmt: skip
    path = write_columns(columns, ",", tmp_path / "t.csv")
    table, rows = _composed(path)
    assert rows == times
    assert landed(table, path, tmp_path / "scratch").sort("load")[table.columns[0].name].to_list() == times
    assert "AM/PM is the half of the day" in table.columns[0].reading.note


def test_a_clock_that_belongs_to_a_day_is_no_duration(tmp_path: Path) -> None:
    columns = {
        "date": [f"{t:%d.%m.%Y}" for t in TIMES], "time": [f"{t:%H:%M}" for t in TIMES],
        "wait": [f"{n % 50}:{n % 60:02d}" for n in range(240)], "load": [str(n) for n in range(240)],
    }  # fmt: skip
    path = write_columns(columns, ",", tmp_path / "t.csv")
    with open_workspace() as work:
        table = read_table(work, "t", Address.of(str(path)))
        table = with_durations(work, compose_time(work, table, table.columns[0], "load"), "date")
    assert {c.name: c.kind for c in table.columns} == {
        "date": "time", "time": "string", "wait": "integer", "load": "integer"
    }  # fmt: skip
