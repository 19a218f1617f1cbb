"""Types of the single values in ``params.yaml``: durations, times, numbers and names."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, Strict

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
Kind = Literal["string", "integer", "float", "boolean", "time"]


def parse_duration(text: object) -> timedelta:
    """Read ``45m``, ``2h`` or ``1d``.

    >>> parse_duration("2h")
    datetime.timedelta(seconds=7200)
    """
    match = re.fullmatch(r"(\d{1,6})([smhd])", str(text))
    if match is None:
        raise ValueError(f"{text!r} is not a duration; write a whole number and a unit, such as 45m, 2h or 1d")
    return timedelta(seconds=int(match[1]) * UNITS[match[2]])


def format_duration(value: timedelta) -> str:
    """Write a duration in its largest whole unit.

    >>> format_duration(timedelta(hours=48))
    '2d'
    """
    seconds = int(value.total_seconds())
    unit = next(u for u in "dhms" if seconds % UNITS[u] == 0)
    return f"{seconds // UNITS[unit]}{unit}"


def _utc(value: object) -> object:
    fix = 'write it in quotes, in UTC, like "2013-01-01T05:00:00"'
    if isinstance(value, date):
        raise ValueError(f"is a bare time, which DVC cannot read; {fix}")
    try:
        time = datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"{value!r} is not a time; {fix}") from None
    if time.tzinfo is not None:
        raise ValueError("has an offset; write the time in UTC, without one")
    return time


def _positive(length: timedelta) -> timedelta:
    if length == timedelta(0):
        raise ValueError("must be longer than zero; write a length such as 1d")
    return length


def _length_or(word: str) -> Callable[[object], object]:
    def read(text: object) -> object:
        if text == word:
            return text
        try:
            return _positive(parse_duration(text))
        except ValueError as error:
            raise ValueError(f"{error}, or {word}") from error

    return read


def _written(value: timedelta | str) -> str:
    return value if isinstance(value, str) else format_duration(value)


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name!r} is not a time zone; write a name such as Europe/Berlin or UTC")
    return name


def _variable(name: str) -> str:
    if re.fullmatch(r"[A-Z][A-Z0-9_]*", name) is None:  # the value is not shown: it may be the secret itself
        raise ValueError("is no name of an environment variable; write one such as HOMEOSTAT_NOTIFY, which holds it")
    return name


Duration = Annotated[timedelta, BeforeValidator(parse_duration), PlainSerializer(format_duration)]
Length = Annotated[Duration, AfterValidator(_positive)]
LengthOrOnce = Annotated[timedelta | Literal["once"], BeforeValidator(_length_or("once")), PlainSerializer(_written)]
LengthOrAll = Annotated[timedelta | Literal["all"], BeforeValidator(_length_or("all")), PlainSerializer(_written)]
Moment = Annotated[datetime, BeforeValidator(_utc)]
Number = Annotated[float, Strict()]
Share = Annotated[Number, Field(gt=0, le=1)]
Positive = Annotated[Number, Field(gt=0)]
Whole = Annotated[int, Strict()]
Count = Annotated[Whole, Field(gt=0)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]
Variable = Annotated[str, AfterValidator(_variable)]
Text = Annotated[str, Field(min_length=1)]
Names = Annotated[tuple[Text, ...], Field(min_length=1)]
Zone = Annotated[str, AfterValidator(_zone)]
