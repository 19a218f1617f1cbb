"""Values of the records of a text file: strictly, as RFC 4180 has them, or fitted to a width where they are not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

MOST_LINES = 40  # that one record goes over
MOST_VALUES = 500  # of a record whose quotes are sorted out
OTHERS = (",", ";", "\t", "|", " ")  # delimiters that a single line may have instead

Reading = tuple[int, list[str]] | None  # quotes that are left over, and the values


@dataclass(frozen=True)
class Signs:
    """What separates values, what stands around them, and what before a quote within one: None for another quote."""

    delimiter: str
    quote: str = '"'
    escape: str | None = None

    @cached_property
    def _value(self) -> str:
        quote, delimiter = re.escape(self.quote), re.escape(self.delimiter)
        inside = f"(?:[^{quote}]|{quote}{quote})*"
        if self.escape is not None:
            escape = re.escape(self.escape)
            inside = f"(?:[^{quote}{escape}]|{escape}.|{quote}{quote})*"
        bare = f"[^{quote}{delimiter}\\n]*"
        if len(self.delimiter) > 1:
            bare = f"(?:(?!{delimiter})[^{quote}\\n])*"
        return f"(?:{quote}{inside}{quote}|{bare})"

    @cached_property
    def _first(self) -> re.Pattern[str]:
        return re.compile(f"({self._value})({re.escape(self.delimiter)}|$)", re.DOTALL)

    def strict(self, text: str) -> list[str] | None:
        """The values of a whole record; None where a quote stands in no place that a quote may.

        >>> Signs(",").strict('a,"b, ""c"" d",'), Signs(",").strict('a,"b"c')
        (['a', 'b, "c" d', ''], None)
        """
        if self.quote not in text:
            return text.split(self.delimiter) if "\n" not in text else None
        values, place = [], 0
        while match := self._first.match(text, place):
            values.append(self._plain(match[1]))
            if not match[2]:
                return values if match.end() == len(text) else None
            place = match.end()
        return None

    def is_open(self, text: str) -> bool:
        """Whether a record ends within a quoted value, so that the next line may belong to it."""
        bare = text.replace(self.escape + self.quote, "") if self.escape else text
        return bare.count(self.quote) % 2 == 1

    def fitted(self, text: str, width: int | None = None) -> list[str] | None:
        """The values where as few quotes as possible are only part of them, as many as ``width``.

        None where no reading has as many.

        >>> Signs(",").fitted('9,"CC-9,4,"Pillow, small"', 4)
        ['9', '"CC-9', '4', 'Pillow, small']
        >>> Signs(",").fitted('5" screen,"a 7" one","new', 3)
        ['5" screen', 'a 7" one', '"new']
        """
        if text.count(self.delimiter) > MOST_VALUES:
            return None
        best = self._best(text, 0, width, {})
        return None if best is None else best[1]

    def without_left_over(self, text: str) -> list[str] | None:
        """The values where every quote stands around a value or is escaped; None where one does not."""
        best = self._best(text, 0, None, {}) if text.count(self.delimiter) <= MOST_VALUES else None
        return best[1] if best is not None and best[0] == 0 else None

    def _best(self, text: str, place: int, width: int | None, done: dict[tuple[int, int], Reading]) -> Reading:
        """The reading from ``place`` on that leaves the fewest quotes over, with their number."""
        key = (place, width or 0)
        if key not in done:
            done[key] = None
            for value, end, cost in self._values_at(text, place):
                rest: Reading = (0, [])
                if end < len(text) and width != 1:
                    rest = self._best(text, end + len(self.delimiter), width and width - 1, done)
                elif end < len(text) or width not in (None, 1):
                    rest = None
                best = done[key]
                if rest is not None and (best is None or cost + rest[0] < best[0]):
                    done[key] = (cost + rest[0], [value, *rest[1]])
        return done[key]

    def _values_at(self, text: str, place: int) -> Iterator[tuple[str, int, int]]:
        """The values that may begin at ``place``, each with where it ends and how many quotes it leaves over."""
        start = place
        while text[start : start + 1] == " " != self.delimiter:
            start += 1
        if text[start : start + 1] == self.quote:
            for n in self._quotes(text, start + 1):
                if n + 1 == len(text) or text.startswith(self.delimiter, n + 1):
                    yield self._plain(text[start : n + 1]), n + 1, self._left_over(text[start + 1 : n])
        end = text.find(self.delimiter, place)
        end = len(text) if end < 0 else end
        yield text[place:end], end, text.count(self.quote, place, end)

    def _quotes(self, text: str, place: int) -> Iterator[int]:
        while (place := text.find(self.quote, place)) >= 0:
            yield place
            place += 1

    def _left_over(self, inside: str) -> int:
        """Quotes within a value that are not escaped."""
        if self.escape is not None:
            inside = inside.replace(self.escape + self.quote, "")
        return inside.replace(self.quote * 2, "").count(self.quote)

    def _plain(self, value: str) -> str:
        if not value.startswith(self.quote) or len(value) < 2 or not value.endswith(self.quote):
            return value
        value = value[1:-1].replace(self.quote * 2, self.quote)
        return value.replace(self.escape + self.quote, self.quote) if self.escape else value


@dataclass(frozen=True)
class Record:
    """The values of one record, which begins on line ``number`` and goes over ``lines`` of them.

    ``how`` says what was done to fit it: nothing, or one of ``FITS``.
    """

    number: int
    lines: int
    values: list[str]
    text: str
    how: str = ""


FITS = {
    "short": "with too few values, read as if those at the end were blank",
    "long": "with more values than the others, blank ones, left out",
    "quote": "with a quote that is part of a value",
    "sign": "with another sign between values, or none",
}


def records(lines: Iterable[str], signs: Signs, width: int | None = None) -> Iterator[Record]:
    """The records of a file, blank lines left out; with ``width``, fitted to it where one reading has as many.

    What cannot be fitted has another number of values than ``width``.
    """
    waiting: list[str] = []
    rest = iter(lines)
    number = 1
    while waiting or (one := next(rest, None)) is not None:
        line = (waiting.pop(0) if waiting else one or "").rstrip("\r\n")
        record = _record(number, line, signs, width)
        if (record.how or width is None) and signs.is_open(line) and signs.strict(line) is None:
            waiting += [more.rstrip("\r\n") for more in islice(rest, MOST_LINES - len(waiting))]
            longer = _over_lines(number, [line, *waiting], signs, width)
            if longer is not None:
                record, waiting = longer, waiting[longer.lines - 1 :]
        if line.strip():
            yield record
        number += record.lines


def _over_lines(number: int, lines: list[str], signs: Signs, width: int | None) -> Record | None:
    """The record that begins with the first of ``lines``, where it goes on below and none of them is one by itself."""
    for many in range(2, len(lines) + 1):
        text = "\n".join(lines[:many])
        values = signs.strict(text)
        if values is not None and (width is None or len(values) == width):
            whole = [signs.strict(line) for line in lines[1:many]]
            apart = width is not None and all(one is not None and len(one) == width for one in whole)
            return None if apart else Record(number, many, values, text)
    return None


def _record(number: int, line: str, signs: Signs, width: int | None) -> Record:
    values = signs.strict(line)
    if values is not None and width in (None, len(values)):
        return Record(number, 1, values, line)
    if width is None:
        return Record(number, 1, signs.fitted(line) or [line], line, "quote")
    apart = _where_none_stands(line, signs, width) if values is None else None
    fit = signs.fitted(line, width) if values is None and apart is None else None
    if fit is not None:
        return Record(number, 1, fit, line, "quote")
    for other in OTHERS:
        values_so = Signs(other, signs.quote, signs.escape).strict(line) if other != signs.delimiter else None
        if values_so is not None and len(values_so) == width > 2:
            apart = values_so
    if apart is not None:
        return Record(number, 1, apart, line, "sign")
    values = values or signs.fitted(line) or [line]
    if len(values) < width:
        return Record(number, 1, [*values, *[""] * (width - len(values))], line, "short")
    if not any(value.strip() for value in values[width:]):
        return Record(number, 1, values[:width], line, "long")
    return Record(number, 1, values, line, "long")


def _where_none_stands(line: str, signs: Signs, width: int) -> list[str] | None:
    """The values where the sign between two is missing beside a quote; None where that may be in several places."""
    quotes = [match.start() for match in re.finditer(re.escape(signs.quote), line)]
    cuts = {cut for n in quotes for cut in (n, n + 1) if 0 < cut < len(line)} if len(quotes) < MOST_LINES else set()
    beside = [
        cut for cut in sorted(cuts)
        if signs.delimiter not in line[cut - 1 : cut + 1] and signs.quote * 3 not in line[max(0, cut - 2) : cut + 2]
    ]  # fmt: skip
    read = [signs.without_left_over(line[:cut] + signs.delimiter + line[cut:]) for cut in beside]
    fit = [values for values in read if values is not None and len(values) == width]
    return fit[0] if len(fit) == 1 else None


def usual_width(widths: list[int]) -> int:
    """The number of values that many records have: the first such number, since another table may stand below.

    >>> usual_width([1, 1, 4, 4, 4, 5, 4, 4, 5, 5, 5])
    4
    """
    counts = Counter(widths)
    many = (width for width in widths if counts[width] * 4 >= len(widths))
    return next(many, max(counts, key=counts.__getitem__, default=1))
