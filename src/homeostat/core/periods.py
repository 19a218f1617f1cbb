"""The grid of time that batches lie on: whole periods of one length, shifted by the rhythm's offset."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

EPOCH = datetime(2001, 1, 1)  # a Monday, so that periods of a week start on one
DAY = timedelta(days=1)
LABEL = re.compile(r"\d{4}-\d\d-\d\d(T\d\d(\d\d)?)?")


@dataclass(frozen=True, order=True)
class Period:
    """Half-open: ``start`` is in it, ``end`` is not. Times are naive UTC."""

    start: datetime
    end: datetime
    label: str


def floor(time: datetime, every: timedelta, offset: timedelta) -> datetime:
    """The start of the period that holds ``time``.

    >>> floor(datetime(2013, 1, 2, 4), timedelta(days=1), timedelta(hours=5)).isoformat()
    '2013-01-01T05:00:00'
    """
    return time - (time - EPOCH - offset) % every


def label_of(start: datetime, every: timedelta, offset: timedelta) -> str:
    """The name of a period: its day where periods are whole days, else its hour or minute.

    >>> label_of(datetime(2013, 1, 1, 5), timedelta(days=1), timedelta(hours=5))
    '2013-01-01'
    >>> label_of(datetime(2013, 1, 1, 5), timedelta(hours=1), timedelta(0))
    '2013-01-01T05'
    >>> label_of(datetime(2013, 1, 1, 5), timedelta(minutes=30), timedelta(0))
    '2013-01-01T0500'
    """
    if every % DAY == timedelta(0):
        return (start - offset).strftime("%Y-%m-%d")
    return start.strftime(
        "%Y-%m-%dT%H%M" if every % timedelta(hours=1) or offset % timedelta(hours=1) else "%Y-%m-%dT%H"
    )


def period_containing(time: datetime, every: timedelta, offset: timedelta) -> Period:
    """The period that holds ``time``."""
    start = floor(time, every, offset)
    return Period(start, start + every, label_of(start, every, offset))


def period_of(label: str, every: timedelta, offset: timedelta) -> Period:
    """The period that a label names.

    Raises:
        ValueError: it is no label.

    >>> period_of("2013-01-01", timedelta(days=1), timedelta(hours=5)).start.isoformat()
    '2013-01-01T05:00:00'
    >>> period_of("2013-01-01T0530", timedelta(minutes=30), timedelta(0)).end.isoformat()
    '2013-01-01T06:00:00'
    """
    if not LABEL.fullmatch(label):
        raise ValueError(f"{label!r} is the label of no period")
    start = datetime.fromisoformat(label)  # a fifth of the time of strptime; every tick asks for all
    start = start if "T" in label else start + offset
    return Period(start, start + every, label)


def periods_between(start: datetime, end: datetime, every: timedelta, offset: timedelta) -> list[Period]:
    """Every whole period that begins at ``start`` or later and is over by ``end``, in order.

    >>> two = periods_between(datetime(2013, 1, 1), datetime(2013, 1, 3, 5), timedelta(days=1), timedelta(hours=5))
    >>> [p.label for p in two]
    ['2013-01-01', '2013-01-02']
    """
    first = floor(start, every, offset)
    if first < start:
        first += every
    periods = []
    while first + every <= end:
        periods.append(Period(first, first + every, label_of(first, every, offset)))
        first += every
    return periods


def labels_overlapping(
    labels: Iterable[str], every: timedelta, offset: timedelta, since: datetime | None, until: datetime | None
) -> list[str]:
    """Of the labels of such periods, those of periods that end after ``since`` and begin before ``until``; in order.

    Labels sort as their periods do, so none has to be parsed.

    >>> days = ["2013-01-03", "2013-01-01", "2013-01-02"]
    >>> labels_overlapping(days, timedelta(days=1), timedelta(0), datetime(2013, 1, 2), None)
    ['2013-01-02', '2013-01-03']
    >>> labels_overlapping(days, timedelta(days=1), timedelta(0), datetime(2013, 1, 1, 23), datetime(2013, 1, 3))
    ['2013-01-01', '2013-01-02']
    """
    first = "" if since is None else period_containing(since, every, offset).label
    last = None if until is None else period_containing(until - timedelta.resolution, every, offset).label
    return sorted(label for label in labels if first <= label and (last is None or label <= last))
