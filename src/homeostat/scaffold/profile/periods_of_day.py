"""Hours and shorter periods of a day by their number, as energy markets write them, also where clocks change.

Numbered 1 to 24, 48 or 96: a day on which clocks go back has an hour more, one on which they go forward an hour less.
Or named: of an hour that comes twice the second is 3B, 02X or 2*.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from homeostat.scaffold.profile.table import Column, Table
from homeostat.scaffold.profile.workspace import Workspace

LENGTHS = {24: 60, 48: 30, 96: 15}  # minutes of a period, by the number of them in a usual day
ZONES = ("Europe/Berlin", "Europe/London", "Europe/Athens", "America/New_York", "Australia/Sydney", "America/Santiago")
NAMED = r"^\s*[A-Za-z]*[ _]*(\d{1,2})(?::00)?\s*([ABXabx*]?)\s*$"  # 3A, HE07, 02X, 24:00
SECOND = "BX*"


@dataclass(frozen=True)
class DayPeriods:
    """SQL of the text that follows the day, the code that reads it, and the zone whose clocks the days keep to."""

    sql: str
    code: str
    zone: str | None
    note: str


def numbered_periods(work: Workspace, table: Table, day: Column, column: Column, written: str) -> DayPeriods | None:
    """A column of whole numbers as the periods of each day; None where it is not. ``written`` is SQL of the number."""
    rows = work.rows(
        f"SELECT CAST({day.sql} AS DATE), min({column.sql}), max({column.sql}), count(DISTINCT {column.sql}) "
        f"FROM {table.sql} "
        f"WHERE {day.sql} IS NOT NULL AND {column.sql} IS NOT NULL GROUP BY 1"
    )
    last = {of: int(high) for of, _, high, _ in rows}
    usual, whole = Counter((int(high), n) for _, _, high, n in rows).most_common(1)[0][0]
    if usual not in LENGTHS or whole != usual or any(low < 1 for _, low, _, _ in rows):
        return None
    minutes = LENGTHS[usual]
    zones = ("Europe/London", *ZONES) if minutes == 30 else ZONES  # whose market counts half hours
    long = [of for of, high in last.items() if high > usual]
    zone = _zone_of(long, zones=zones) or _zone_of_short([of for of, high in last.items() if high < usual], zones)
    if zone is None and (long or usual == 24):  # hours 1 to 24 alone need no counting
        return None
    if any(last[of] * minutes != _minutes(of, zone) for of in _changes(last, zone)):  # type: ignore[arg-type]
        return None
    sql = f"CAST(({written} - 1) * {minutes} AS VARCHAR)"
    counted = f"{column.raw} counts the periods of {minutes} minutes of each day from its midnight"
    return DayPeriods(sql, "%K", zone, "; ".join(filter(None, [counted, _of_zone(zone)])))


def named_hours(
    work: Workspace, table: Table, day: Column, column: Column, written: str, letter: tuple[str, str]
) -> DayPeriods | None:
    """A column of words as the hours of a day, of which one that comes twice has a letter; None where it is not.

    ``letter``: SQL of the letter where another column says it, of the typed table and of what is written.
    """
    typed, given = letter
    rows = work.rows(
        f"SELECT CAST({day.sql} AS DATE), {column.sql}, regexp_extract({column.sql}, '{NAMED}', 1), "
        f"upper(regexp_extract({column.sql}, '{NAMED}', 2)) || {typed} FROM {table.sql} "
        f"WHERE {day.sql} IS NOT NULL AND {column.sql} IS NOT NULL GROUP BY ALL"
    )
    if not rows or not all(number for *_, number, _ in rows):
        return None
    numbers = {int(number) for *_, number, _ in rows}
    ending = min(numbers) == 1 and max(numbers) == 24
    if not ending and not (min(numbers) == 0 and max(numbers) == 23):
        return None
    again = {(of, int(number) - ending) for of, _, number, own in rows if own and own in SECOND}
    zone = _zone_of([of for of, _ in again], {hour for _, hour in again})
    if again and zone is None:
        return None
    sql = f"regexp_replace({written}, '{NAMED}', '\\1\\2') || {given}"
    notes = ["the hours 1 to 24 end where they are named"] if ending else []
    notes += [f"B, X or * after the hour is its second time; {_of_zone(zone)}"] if again else []
    return DayPeriods(sql, "%k%r" if ending else "%H%r", zone, "; ".join(notes))


def _of_zone(zone: str | None) -> str:
    return f"clocks change as in {zone}, whose time it is taken for: a choice, see zone in params.yaml" if zone else ""


def _zone_of(long: Iterable[date], repeated: Iterable[int] = (), zones: Iterable[str] = ZONES) -> str | None:
    """The first zone whose clocks go back on all these days, and show these hours twice; None without any day."""
    days, hours = list(long), set(repeated)
    fitting = (z for z in zones if all(_minutes(d, z) == 25 * 60 and hours <= _shown_twice(d, z) for d in days))
    return next(fitting, None) if days else None


def _zone_of_short(short: Iterable[date], zones: Iterable[str]) -> str | None:
    """The first zone whose clocks go forward on one of these days."""
    return next((zone for zone in zones if any(_minutes(day, zone) == 23 * 60 for day in short)), None)


def _changes(days: Iterable[date], zone: str | None) -> list[date]:
    """Those of the days on which the zone's clocks change."""
    return [d for d in days if zone is not None and _minutes(d, zone) != 24 * 60]


def _minutes(day: date, zone: str) -> int:
    """The length of a day."""
    start, end = (datetime(d.year, d.month, d.day, tzinfo=ZoneInfo(zone)) for d in (day, day + timedelta(days=1)))
    return int((end.timestamp() - start.timestamp()) / 60)


def _shown_twice(day: date, zone: str) -> set[int]:
    """The hours of a day that the zone's clocks show twice."""
    shown = [datetime(day.year, day.month, day.day, hour, tzinfo=ZoneInfo(zone)) for hour in range(24)]
    return {time.hour for time in shown if time.utcoffset() != time.replace(fold=1).utcoffset()}
