"""Every form of the table reads back what was written by it, at any time and in any zone."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat.data.time_forms import COUNTS, check_form, read_times
from homeostat.scaffold.profile import time_table
from homeostat.scaffold.profile.time_writing import forms_of

ABBREVIATED = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
SMALLEST = {"S": timedelta(seconds=1), "M": timedelta(minutes=1), "H": timedelta(hours=1), "I": timedelta(hours=1)}
MILLISECOND = timedelta(milliseconds=1)
FORMS = [
    *(d + c + z for d in time_table.DAYS for c in ("", " %H:%M:%S", " %I:%M %p", "T%H:%M:%S") for z in ("", "%z", " %z")
      if (c or not z) and not (d.endswith("%a") and c.startswith("T"))),
    *("%Y-%m-%d %H:%M:%S" + z for z in time_table.ZONES),
    *("%Y-%m-%d" + c for c in time_table.CLOCKS), *time_table.MONTHS, *time_table.WEEKS, *time_table.QUARTERS,
    *(w + d for w in time_table.WEEKDAYS[1:] for d in time_table.DAYS[:6]), *time_table.HALVES, *time_table.WHOLE,
]  # fmt: skip


def write(t: datetime, form: str, hours: float) -> str:
    """A time in a form; ``hours`` is the offset that stands for its zone."""
    minutes = round(abs(hours) * 60)
    year, week, day = t.isocalendar()
    parts = {
        "Y": f"{t.year:04d}", "y": f"{t.year % 100:02d}", "m": f"{t.month:02d}", "d": f"{t.day:02d}",
        "b": ABBREVIATED[t.month - 1], "a": "Mon", "H": f"{t.hour:02d}", "I": f"{t.hour % 12 or 12:02d}",
        "M": f"{t.minute:02d}", "S": f"{t.second:02d}", "f": "0", "p": "AM" if t.hour < 12 else "PM",
        "j": f"{t.timetuple().tm_yday:03d}", "G": f"{year:04d}", "V": f"{week:02d}", "u": str(day),
        "q": str((t.month + 2) // 3), "h": str((t.month + 5) // 6), "e": " - 31.12.2068 23:59",
        "E": str((t - datetime(1970, 1, 1)) // MILLISECOND),
        "z": f"{'-' if hours < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}",
    }  # fmt: skip
    return re.sub(r"%(.)", lambda m: parts[m[1]], form)


def cut(t: datetime, form: str) -> datetime:
    """A time as far as a form says it."""
    codes = set(re.findall(r"%(.)", form))
    if "E" in codes:
        return t
    if "h" in codes:
        return datetime(t.year, (t.month - 1) // 6 * 6 + 1, 1)
    if "q" in codes:
        return datetime(t.year, (t.month - 1) // 3 * 3 + 1, 1)
    midnight = datetime(t.year, t.month, t.day)
    if "G" in codes:
        return midnight if "u" in codes else midnight - timedelta(days=t.weekday())
    if not {"d", "j"} & codes:
        return midnight.replace(day=1)
    unit = next((SMALLEST[c] for c in "SMHI" if c in codes), None)
    return midnight if unit is None else t - (t - midnight) % unit


@settings(max_examples=6, deadline=None)
@given(
    t=st.datetimes(datetime(1970, 1, 1), datetime(2068, 12, 31)).map(lambda t: t.replace(microsecond=0)),
    hours=st.sampled_from([0.0, 1.0, -8.0, 5.5, 5.75, -3.5]),
)
def test_every_form_reads_what_was_written_by_it(t: datetime, hours: float) -> None:
    wrong = []
    for form in FORMS:
        right = cut(t, form) - timedelta(hours=hours if "%z" in form else 0)
        if read_times(pl.Series([write(t, form, hours)]), (form,)).to_list() != [right]:
            wrong.append((form, write(t, form, hours)))
    assert wrong == []


def test_every_form_of_the_table_is_found_in_what_it_writes() -> None:
    t = datetime(2024, 2, 28, 17, 41, 9)
    missing = []
    for form in FORMS:
        readings = {read_times(pl.Series([write(t, form, 1.0)]), (f,))[0] for f in forms_of(write(t, form, 1.0))}
        if cut(t, form) - timedelta(hours="%z" in form) not in readings:
            missing.append(form)
    assert missing == []


@pytest.mark.parametrize("form", COUNTS)
@settings(max_examples=30, deadline=None)
@given(t=st.datetimes(datetime(1973, 1, 1), datetime(2060, 1, 1)).map(lambda t: t.replace(microsecond=0)))
def test_counts_from_an_epoch_keep_the_second(form: str, t: datetime) -> None:
    unit, zero = COUNTS[form]
    days = (t - datetime(1970, 1, 1)) / timedelta(days=1)
    value = (days - zero) * 86_400_000_000 / unit
    number = pl.Series([round(value)]) if unit <= 1e6 else pl.Series([value])
    (got,) = read_times(number, (form,)).to_list()
    assert abs(got - t) < timedelta(milliseconds=1)


# text, and when it is; None where there is no such time
EDGES = [
    ("2024-02-29 24:00", ("%Y-%m-%d %H:%M",), datetime(2024, 3, 1)),
    ("2024-02-29 24:01", ("%Y-%m-%d %H:%M",), None),
    ("2023-02-29", ("%Y-%m-%d",), None),
    ("2024-13-01", ("%Y-%m-%d",), None),
    ("12/31/2024 12:00 AM", ("%m/%d/%Y %I:%M %p",), datetime(2024, 12, 31)),
    ("12/31/2024 12:00 PM", ("%m/%d/%Y %I:%M %p",), datetime(2024, 12, 31, 12)),
    ("2024-01-05 24", ("%Y-%m-%d %k",), datetime(2024, 1, 5, 23)),
    ("2024-01-05 1", ("%Y-%m-%d %k",), datetime(2024, 1, 5)),
    ("2024-03-31 1380", ("%Y-%m-%d %K",), datetime(2024, 3, 31, 23)),
    ("1st May 2024", ("%d %b %Y",), datetime(2024, 5, 1)),
    ("1. Mai 2024, 6:00 - 7:00", ("%d. %b %Y, %H:%M%e",), datetime(2024, 5, 1, 6)),
    ("/Date(1704088805000+0100)/", ("/Date(%E)/",), datetime(2024, 1, 1, 6, 0, 5)),
    ("2020-W53", ("%G-W%V",), datetime(2020, 12, 28)),
    ("2021-W53", ("%G-W%V",), None),
    ("01/01/69", ("%d/%m/%y",), datetime(1969, 1, 1)),
    ("01/01/68", ("%d/%m/%y",), datetime(2068, 1, 1)),
    ("2024-01-01 06:00:00 XYZ", ("%Y-%m-%d %H:%M:%S %z",), None),
    ("2024-01-01 06:00:00.1234567+01", (), datetime(2024, 1, 1, 5, 0, 0, 123456)),
    ("infinity", (), None),
    ("2024010106.0", ("%Y%m%d%H",), datetime(2024, 1, 1, 6)),
    ("1.704088805E9", ("epoch s",), datetime(2024, 1, 1, 6, 0, 5)),
]


@pytest.mark.parametrize(("text", "forms", "right"), EDGES, ids=[e[0] for e in EDGES])
def test_edges_of_day_year_and_week(text: str, forms: tuple[str, ...], right: datetime | None) -> None:
    assert read_times(pl.Series([text]), forms).to_list() == [right]


def test_hours_that_come_twice_or_not_at_all() -> None:
    local = pl.Series(["2024-03-31 02:30", "2024-10-27 02:30", "2024-07-01 12:00"])
    utc = read_times(local, ("%Y-%m-%d %H:%M",), "Europe/Berlin").to_list()
    assert utc == [None, datetime(2024, 10, 27, 0, 30), datetime(2024, 7, 1, 10)]


def test_a_form_that_is_none_is_refused() -> None:
    for form, problem in (("%Q", "no code"), ("%H:%M", "says no year")):
        with pytest.raises(ValueError, match=problem):
            check_form(form)
