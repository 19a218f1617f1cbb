"""How the times of a column are written: the few forms of the table that fit nearly all values."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from itertools import accumulate

import polars as pl

from homeostat.data.time_forms import BLANK, pattern_of, read_times
from homeostat.project.writing import PLAIN, Writing
from homeostat.scaffold.profile import time_table as table
from homeostat.scaffold.profile.shapes import Shape

MOSTLY = 0.95  # share of the rows that are times, from which the others are strays
FORMS = 5  # that one column may mix
YEARS = (1500, 2300)
EARLIEST = {
    "%Y": 1500,
    "excel days": 1954,
    **dict.fromkeys(("epoch s", "epoch ms", "epoch us", "epoch ns"), 1973),
    "epoch days": 1976,  # smaller ones are years with a fraction
    **dict.fromkeys(("windows ticks", ".net ticks", "windows us", "sas days", "sas s", "spss s", "matlab days"), 1995),
    "excel days from 1904": 1995,
}
Sample = Callable[[], Sequence[str]]  # more values of the column


@dataclass(frozen=True)
class TimeWriting:
    """``notes``: what a person should know of it; ``ambiguous``: day and month, or unit, may be another."""

    writing: Writing
    notes: tuple[str, ...] = ()
    ambiguous: bool = False


def time_writing(shapes: Sequence[Shape], sample: Sample) -> TimeWriting | None:
    """How times are written, where nearly all values are; ``sample`` tells two orders of day and month apart."""
    sound = [s for s in shapes if any(re.search(r"\d", e) for e in s.examples)]
    total = sum(s.rows for s in shapes)
    if not total or sum(s.rows for s in sound) < MOSTLY * total:
        return None
    left, forms, doubt = _without(sound, ()), list[str](), ""
    if sum(s.rows for s in left) < 0.5 * total:
        forms.append("")  # most are ISO, which needs no form
    else:
        left = list(sound)
    while left and len(forms) < FORMS:
        chosen = _best(left, [f for f in forms if f], sample)
        if chosen is None:
            break
        form, doubtful = chosen
        forms.append(form)
        doubt = doubt or doubtful
        left = _without(left, (form,))
    strays = sum(s.rows for s in left) + total - sum(s.rows for s in sound)
    if not forms or strays > (1 - MOSTLY) * total:
        return None
    return _described(forms, doubt, sound)


def _described(forms: list[str], doubt: str, shapes: Sequence[Shape]) -> TimeWriting:
    stated = [f for f in forms if f]
    notes = [f"written as {' or '.join(stated[:3])}"] if stated else []
    notes += dict.fromkeys(table.SPANS[f] for f in stated if f in table.SPANS)
    notes += ["an interval, as its start"] if any("%e" in f for f in stated) else []
    if "" in forms and stated:
        stated += [
            "%Y-%m-%d %H:%M:%S",
            "%Y-%m-%dT%H:%M:%S",
            "%Y-%m-%d %H:%M",
            "%Y-%m-%d",
            "%Y-%m-%d %H:%M:%S%z",
            "%Y-%m-%dT%H:%M:%S%z",
        ]
    if len(forms) > 1:
        notes.append(f"in {len(forms)} forms")
    examples = [e for s in shapes for e in s.examples]
    zoned = [
        bool(re.search(r"(?i)\d ?(Z|UTC|GMT)?([+-]\d\d(:?\d\d)?)$|\d ?(Z|UTC|GMT)$", e) and len(e) > 12)
        for e in examples
    ]
    if any(zoned) and not all(zoned) and any("%z" in f or not f for f in forms):
        notes.append("times with and without an offset: those without are taken as UTC")
    if any(re.search(r"(?<![\d:])24:00|(?<=\d{4}:)24:00", e) for e in examples):
        notes.append("24:00 is the next midnight")
    for zone in ("IST", "CST", "BST", "AST"):
        if any(re.search(rf"\b{zone}\b", e) for e in examples):
            notes.append(f"{zone} is taken as {ZONES[zone]}: a choice")
    if doubt:
        notes.insert(0, doubt)
    writing = Writing(times=tuple(stated)) if stated else PLAIN
    return TimeWriting(writing, tuple(notes), bool(doubt))


INTERVAL = re.compile(r"(\d\d?):(\d\d)(?::00)? ?[-–] ?(\d\d?):(\d\d)(?::00)?\Z")
AFTER_DAYS = {  # what may follow a day without a clock: an offset, or the last day of an interval
    "%z": re.compile(r"(Z|[+-]\d\d:\d\d)\Z"),
    "%e": re.compile(r"(?: - | – | — |/| to | bis )\d{1,4}[./-]\d\d?[./-]\d{2,4}\Z"),
}
ZONES = {
    "IST": "India's time",
    "CST": "that of Chicago in winter",
    "BST": "British summer time",
    "AST": "Atlantic time",
}


def _without(shapes: Sequence[Shape], forms: tuple[str, ...]) -> list[Shape]:
    """The shapes that have an example which the forms do not read; without forms, ISO does not."""
    return [s for s, read in zip(shapes, _read(shapes, forms), strict=True) if not read]


def _read(shapes: Sequence[Shape], forms: tuple[str, ...]) -> list[bool]:
    """Whether the forms read every example of each shape, as times of years that tables have, or that mean none."""
    years = read_times(pl.Series([e for s in shapes for e in s.examples], dtype=pl.String), forms).dt.year()
    sound = ((years >= YEARS[0]) & (years < YEARS[1]) | (years >= 9998) | years.is_in([1, 2999])).to_list()
    ends = list(accumulate(len(s.examples) for s in shapes))
    return [all(sound[start:end]) for start, end in zip([0, *ends], ends, strict=False)]


def _best(shapes: Sequence[Shape], taken: Sequence[str], sample: Sample) -> tuple[str, str] | None:
    """The form that reads the most rows, and what is doubtful about it; none that swaps day and month of another."""
    candidates = list(dict.fromkeys(f for s in shapes[:40] for e in s.examples[:2] for f in forms_of(e)))
    candidates = [f for f in candidates if _swapped(f) not in taken]
    weights = {
        f: sum(s.rows for s, read in zip(shapes, _read(shapes, (f,)), strict=True) if read) for f in candidates
    }
    if not weights or not max(weights.values()):
        return None
    most = max(weights.values())
    best = [f for f in candidates if weights[f] == most]
    best = [f for f in best if "0%m" in f] or best  # periods of SAP, which days of a year would not end at
    if _are_intervals(shapes):
        best = [f for f in best if "%e" in f] or best
    orders: dict[tuple[str, ...], str] = {}  # of day, month and year, with the first form that has them so
    for form in best:
        codes = tuple(re.findall("%[a-zA-Z]", form))
        if {"%d", "%m"} <= set(codes) and sorted(codes) == sorted(re.findall("%[a-zA-Z]", best[0])):
            orders.setdefault(codes, form)
    if len(orders) > 1:
        return _order_of(tuple(orders.values()), sample)
    return best[0], ""


def _are_intervals(shapes: Sequence[Shape]) -> bool:
    """Whether what follows a clock is the end of an interval, as of 06:00-07:00, and no offset from UTC.

    >>> _are_intervals([Shape(2, ("1.5.2024 06:00-07:00", "1.5.2024 23:00-00:00"))])
    True
    >>> _are_intervals([Shape(2, ("1.5.2024 06:00-07:00", "1.5.2024 09:00-07:00"))])
    False
    """
    spans = [INTERVAL.search(e) for s in shapes for e in s.examples]
    clocks = [[60 * int(m[n]) + int(m[n + 1]) for n in (1, 3)] for m in spans if m is not None]
    lengths = {(end - start) % 1440 for start, end in clocks}
    return len(clocks) == len(spans) and len(lengths) == 1 and len({end for _, end in clocks}) > 1


def _swapped(form: str) -> str:
    """The form with day and month in the other order."""
    if "%m" not in form or "%d" not in form:
        return ""
    return re.sub("%[md]", lambda code: "%d" if code[0] == "%m" else "%m", form)


def _order_of(forms: Sequence[str], sample: Sample) -> tuple[str, str]:
    """Which order of day, month and year gives the closest history: wrong days scatter over months and years."""
    values = pl.Series(sample(), dtype=pl.String)
    spans = {f: _span(read_times(values, (f,))) for f in forms}
    closest = min(forms, key=spans.__getitem__)
    near = [f for f in forms if spans[f] - spans[closest] <= timedelta(days=1)]
    if len(near) == 1:
        return closest, f"{_order_name(closest)}, which gives the closer history: a choice"
    american = "/" in closest and ("%p" in closest or ", " in closest)
    wanted = "month before day" if american else "day before month"
    chosen = next((f for f in near if _order_name(f) == wanted), closest)
    return chosen, f"{_order_name(chosen)}: a choice, no value tells which"


def _order_name(form: str) -> str:
    """The order of day, month and year in a form.

    >>> _order_name("%m/%d/%y"), _order_name("%y/%m/%d %H:%M")
    ('month before day', 'year before month')
    """
    codes = re.findall("%[dmyY]", form)
    if codes[0] in ("%y", "%Y"):
        return "year before month"
    return "day before month" if codes.index("%d") < codes.index("%m") else "month before day"


def clash_of_orders(shapes: Sequence[Shape]) -> str:
    """What is wrong with days that are only times if day and month stand in both orders; empty where they need not.

    >>> clash_of_orders([Shape(2, ("31/03/2021", "03/31/2021"))])
    "has day before month in some values and month before day in others, such as '31/03/2021' and '03/31/2021'"
    """
    for shape in shapes:
        for form in dict.fromkeys(f for e in shape.examples for f in forms_of(e)):
            values = pl.Series(shape.examples, dtype=pl.String)
            one, two = (read_times(values, (f,)) for f in (form, _swapped(form) or form))
            if one.null_count() and two.null_count() and not one.fill_null(two).null_count():
                other = values.filter(one.is_null())[0], values.filter(two.is_null())[0]
                first, second = other if form.index("%m") < form.index("%d") else other[::-1]
                order = "has day before month in some values and month before day in others"
                return f"{order}, such as {first!r} and {second!r}"
    return ""


def _span(times: pl.Series) -> timedelta:
    days = times.drop_nulls()
    return timedelta.max if times.null_count() or not len(days) else days.max() - days.min()  # type: ignore[operator,return-value]


def forms_of(value: str) -> list[str]:
    """The forms of the table that a value has.

    >>> forms_of("3 Jan 2021")
    ['%d %b %Y']
    """
    text = value.strip('\u00a0\u202f \t"')
    forms = []
    before = (*table.WEEKDAYS, *table.OF_WEEKS) if text[:1].isalpha() else ("",)
    days = (word + day for word in before for day in table.DAYS)
    for day in (*days, *table.MONTHS, *table.WEEKS, *table.QUARTERS, *table.HALVES):
        start = _prefix(day).match(text)
        if start is None:
            continue
        for clock in table.CLOCKS if re.search("%[dju]", day) else ("",):
            middle = _prefix(clock).match(text, start.end())
            if middle is not None:
                zones = table.ZONES if clock else ("", *(end for end, of in AFTER_DAYS.items() if of.search(text)))
                zones = ("",) if "-%M" in clock else zones  # what follows are seconds, and no offset from UTC
                forms += [day + clock + z for z in zones if _prefix(z, whole=True).match(text, middle.end())]
    forms += [f for f in table.WHOLE if _prefix(f, whole=True).match(text)]
    return [f for f in dict.fromkeys(forms) if _prefix(f, whole=True).match(text)]


@cache
def _prefix(form: str, whole: bool = False) -> re.Pattern[str]:
    """A form as a pattern of Python's."""
    pattern = pattern_of(form).removeprefix(rf"^{BLANK}*").removesuffix(rf"{BLANK}*$")
    pattern = re.sub(r"\\x\{([0-9a-f]+)\}", lambda m: re.escape(chr(int(m[1], 16))), pattern)
    return re.compile(pattern + (r"\Z" if whole else ""))


WEEK = "%G%V"  # which months are too, as far as the year has twelve


def number_as_time(low: float, high: float, examples: pl.Series) -> TimeWriting | None:
    """How numbers are times: written ones where all of them are, else those that count from an epoch.

    ``examples`` are some of the numbers, the extremes among them.
    """
    readings = {f: read_times(examples, (f,)) for f in (*table.WRITTEN_NUMBERS, *table.COUNTS)}
    likely = [f for f in readings if _plausible(readings[f], f)]
    if not likely:
        return None
    best = min(likely, key=lambda f: _oddity(readings[f], f))
    others = [f for f in likely if f != best and _oddity(readings[f], f)[0] == 0 and best != "%Y" and f != WEEK]
    others = [f for f in others if readings[f].min() != readings[best].min()]
    first, last = (str(t) for t in (readings[best].min(), readings[best].max()))
    how = f"written as {best}" if best in table.WRITTEN_NUMBERS else f"counted: {best}"
    note = f"numbers from {low:.15g} to {high:.15g}, read as times from {first} to {last} ({how})"
    starts = [f"as {f} they would start in {str(readings[f].min())[:4]}" for f in others[:3]]
    doubt = f"; {', '.join(starts)}" if starts else ""
    return TimeWriting(Writing(times=(best,)), (f"{note}{doubt}",), bool(others))


def _plausible(times: pl.Series, form: str) -> bool:
    if times.null_count():
        return False
    if form == "days of the era" and bool((times != times.dt.truncate("1d")).any()):
        return False  # which are whole; those of MATLAB have fractions
    low, high = EARLIEST.get(form, 1800), YEARS[1]
    return bool((times.dt.year() >= low).all() and (times.dt.year() < high).all())


def _oddity(times: pl.Series, form: str) -> tuple[int, int]:
    """How unusual a history would be: outside the years in which tables are kept, then by the order of the forms."""
    first, last = times.dt.year().min(), times.dt.year().max()
    within = first >= 1973 and last <= 2060  # type: ignore[operator]
    if form in table.SHORT_ORDINALS:  # of one year they may be counted days
        within &= first < last  # type: ignore[operator]
    within |= form in table.WRITTEN_NUMBERS[:4] and first >= 1900 or form == "%Y"  # type: ignore[operator]
    order = (*table.WRITTEN_NUMBERS, *table.COUNTS).index(form)
    return (0 if within else 1, order)
