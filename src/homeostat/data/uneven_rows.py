"""Text files whose rows do not all have the values of the heading: rewritten so that they do, or refused by line."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

from homeostat.core.errors import DataError
from homeostat.core.text import count
from homeostat.data.csv_records import FITS, Record, Signs, records, usual_width
from homeostat.data.drawn_tables import UNNAMED

SAMPLE = 400  # records that the usual number of values is taken of
FEW = 3  # records of a file too short to have a usual number
MOST = 0.5  # of the rows that may have to be fitted
ALIKE = 0.9  # of the rows of another table, which have as many values
ANOTHER = 3  # rows below another heading, from which they are another table
SHOWN = 80  # characters of a line that a message shows


def position_names(width: int) -> list[str]:
    """The names of columns that have none.

    >>> position_names(2)
    ['column1', 'column2']
    """
    return [f"column{n + 1}" for n in range(width)]


@dataclass
class Fitted:
    """What was done to the rows of a file: how many of each way of ``FITS``, with the first line of each.

    ``left_out``: the lines of another table below the first, and where it begins; ``unnamed``: the heading has no name
    for the first value of a row.
    """

    rows: int = 0
    ways: Counter[str] = field(default_factory=Counter)
    first: dict[str, int] = field(default_factory=dict)
    left_out: tuple[int, int] = (0, 0)
    unnamed: bool = False

    @property
    def sentences(self) -> Iterator[str]:
        """What a person should know of it, one thing each."""
        if self.unnamed:
            yield f"the heading has one name less than rows have values: the first column is called {UNNAMED}"
        for way, many in self.ways.items():
            yield f"{count(many, 'line')} {FITS[way]} (the first is line {self.first[way]:,})"
        many, number = self.left_out
        if many:
            yield f"another table begins at line {number:,}: its {count(many, 'line')} are left out; give it apart"


def fit_rows(path: Path, signs: Signs, heading: int, skipped: int, called: str) -> Fitted:
    """Rewrite a text file, in UTF-8 with even ends of lines, as a plain CSV file of even rows.

    ``heading`` lines hold its names; ``skipped`` lines before it were cut off; ``called`` is how a message names it.

    Raises:
        DataError: a line cannot be fitted.
    """
    width = _width(path, signs, heading)
    fitted = Fitted()
    fresh = path.with_name(path.name + ".fit")
    with path.open(encoding="utf-8", errors="replace", newline="") as old, fresh.open("w", newline="") as new:
        read = records(old, signs, width)
        top = list(islice(read, heading))
        names = _names(top, width, called, skipped)
        write = csv.writer(new, lineterminator="\n").writerow
        fitted.unnamed = names[0] == UNNAMED and len(top[0].values) == width and top[0].how == "short"
        write(names)
        for record in _rows(read, fitted, top, width):
            if len(record.values) != width:
                raise _misfit(record, width, called, skipped)
            fitted.rows += 1
            if record.how:
                fitted.ways[record.how] += 1
                fitted.first.setdefault(record.how, record.number + skipped)
            last = record
            write(record.values)
    if fitted.rows and last.how in ("short", "quote") and not _ends(path):
        raise DataError(f"{called} ends within line {last.number + skipped:,}; deliver it again")
    if sum(many for way, many in fitted.ways.items() if way != "quote") > MOST * max(fitted.rows, 1):
        raise DataError(f"{called} is not a whole CSV file (most lines are not written as the heading); give a table")
    fitted.left_out = (fitted.left_out[0], fitted.left_out[1] + skipped)
    fresh.replace(path)
    return fitted


def _width(path: Path, signs: Signs, heading: int) -> int:
    """The number of values of a row: that of the heading, unless most rows have another."""
    with path.open(encoding="utf-8", errors="replace", newline="") as stream:
        widths = [len(record.values) for record in islice(records(stream, signs), SAMPLE)]
    if heading and widths and (len(widths) <= FEW or 4 * widths[1:].count(widths[0]) >= len(widths)):
        return widths[0]
    return usual_width(widths)


def _names(top: Sequence[Record], width: int, called: str, skipped: int) -> list[str]:
    """The names of the columns, by the lines of the heading; a blank one that rows have no value for is left out.

    Where one is missing it is the first, as R writes it.
    """
    parts: list[list[str]] = []
    for record in top:
        names = record.values
        if len(names) == width + 1 and sum(bool(name.strip()) for name in names) == width:
            names = [name for name in names if name.strip()]
        elif record.how == "short" and not any(parts) and all(names[:-1]):
            parts.append([UNNAMED, *names[:-1]])
            continue
        if len(names) != width or record.how == "short":
            raise _misfit(record, width, called, skipped)
        parts.append(names)
    return joined_names(parts) if parts else position_names(width)


def joined_names(parts: Sequence[Sequence[str]]) -> list[str]:
    """One name a column, of the lines of a heading.

    >>> joined_names([["at", "load"], ["", "kWh"]])
    ['at', 'load kWh']
    """
    return [" ".join(part.strip() for part in column if part.strip()) for column in zip(*parts, strict=True)]


def _rows(read: Iterator[Record], fitted: Fitted, top: Sequence[Record], width: int) -> Iterator[Record]:
    """The rows of the first table; the heading again is no row, and neither are those of another table below."""
    headings = [record.values for record in top]
    odd: list[Record] = []
    for record in read:
        if record.values in headings:
            continue
        if record.how in ("short", "long") or (odd and record.how):
            odd.append(record)
            continue
        yield from odd
        odd.clear()
        yield record
    if _is_table(odd, width):
        fitted.left_out = (sum(record.lines for record in odd), odd[0].number)
    else:
        yield from odd


def _is_table(odd: Sequence[Record], width: int) -> bool:
    """Whether the lines at the end are a table of their own: a heading of words, and rows as wide."""
    if len(odd) <= ANOTHER:
        return False
    filled: Callable[[Record], list[str]] = lambda r: [v for v in r.values if v.strip()]  # noqa: E731
    words = not any(any(sign.isdigit() for sign in value) and value[0].isdigit() for value in filled(odd[0]))
    numbers = any(value.strip()[0].isdigit() for record in odd[1:] for value in filled(record))
    _, alike = Counter(record.how for record in odd).most_common(1)[0]
    return words and numbers and alike >= ALIKE * len(odd) and len(filled(odd[0])) > 1


def _misfit(record: Record, width: int, called: str, skipped: int) -> DataError:
    shown = record.text if len(record.text) <= SHOWN else record.text[: SHOWN - 3] + "..."
    values = len(record.values) if record.how != "short" else sum(map(bool, record.values))
    what = f"line {record.number + skipped:,} has {count(values, 'value')} where the others have {width}: {shown!r}"
    return DataError(f"{called} is not a whole CSV file ({what}); deliver it again")


def _ends(path: Path) -> bool:
    """Whether the last line of a file ends."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - 1))
        return stream.read() == b"\n"


def set_heading(path: Path, signs: Signs, heading: int) -> None:
    """Rewrite a file so that its first line, alone, names the columns: by position, or of several lines."""
    with path.open(encoding="utf-8", errors="replace", newline="") as stream:
        top = list(islice(records(stream, signs), max(heading, 1)))
    lines = sum(record.lines for record in top) if heading else 0
    width = len(top[0].values) if top else 0
    names = joined_names([record.values for record in top]) if heading else position_names(width)
    fresh = path.with_name(path.name + ".named")
    with path.open("rb") as old, fresh.open("wb") as new:
        escaped = (name.replace(signs.quote, (signs.escape or signs.quote) + signs.quote) for name in names)
        new.write(signs.delimiter.join(f"{signs.quote}{name}{signs.quote}" for name in escaped).encode() + b"\n")
        new.writelines(chain(islice(old, lines, None)))
    fresh.replace(path)
