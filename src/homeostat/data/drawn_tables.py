"""Tables as programs print them for people: lines between columns, rules of dashes below names, or blanks alone.

Ruled ones are those of psql, mysql, SQL*Plus, sqlite3, DuckDB, SAP and Markdown; blanks divide the values of logs of
web servers, and of what R writes.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice, pairwise
from pathlib import Path

from homeostat.core.errors import DataError

RULE = re.compile(r"[\s+|:\-=─━═│┃┌┐└┘├┤┬┴┼╞╡╪╭╮╰╯┏┓┗┛]*[-=─━═]{3}[\s+|:\-=─━═│┃┌┐└┘├┤┬┴┼╞╡╪╭╮╰╯┏┓┗┛]*")
DASHES = re.compile(r"[-=─━═]+")
BARS = ("│", "┃", "|")
END = re.compile(
    r"\s*\(?\d+ (?:rows?|row\(s\)|records?|Zeilen?|Zeile\(n\)|lignes?|ligne\(s\)|filas?|righe|rader)"
    r"(?: selected| affected| returned| retrieved| betroffen| affectées?| afectadas?| in set.*)?\)?[.;]?\s*",
    re.IGNORECASE,
)  # fmt: skip
TOKEN = re.compile(r'"(?:[^"\\]|\\.|"")*"|\[[^\]]*\]|\S+')
TIMED = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4} \d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?(?!\S)|" + TOKEN.pattern)
COMMENT = re.compile(r"#\s*(?:Fields:)?\s*")
NEAR = 40  # lines within which the first rule stands
UNNAMED = "row"  # the name of a column of names of rows, as R writes them

Split = Callable[[str], list[str]]


def is_ruled(lines: Sequence[str]) -> bool:
    """Whether a rule of dashes stands beside a heading, and the lines below it are rows of as many values."""
    found = _heading(lines)
    if found is None:
        return False
    number, split = found
    width = len(split(lines[number]))
    rows = list(_rows(iter(lines[number + 1 :]), lines[number]))
    return width > 1 and len(rows) > 1 and all(len(split(row)) == width for row in rows[:-1])


def _heading(lines: Sequence[str]) -> tuple[int, Split] | None:
    """The place of the heading, and what divides a line: of the first rule below which a row has as many values."""
    for rule in (n for n, line in enumerate(lines[:NEAR]) if RULE.fullmatch(line)):
        found = _beside(lines, rule)
        if found is None:
            continue
        place, split = found
        row = next(_rows(iter(lines[place + 1 :]), lines[place]), "")
        if len(split(lines[place])) == len(split(row)) > 1:
            return found
    return None


def _beside(lines: Sequence[str], rule: int) -> tuple[int, Split] | None:
    """The place of the heading that a rule stands beside, and what divides a line."""
    if rule + 1 >= len(lines):
        return None
    above, below = lines[rule - 1] if rule else "", lines[rule + 1]
    bar = next((b for b in BARS if b in below), "")
    place = rule - 1 if above.strip() and (not bar or bar in above) else rule + 1
    if bar:
        return place, lambda line: _between(line, bar)
    starts = [match.start() for match in DASHES.finditer(lines[rule])]
    return (place, lambda line: _at(line, starts)) if place < rule else None


def _between(line: str, bar: str) -> list[str]:
    """The values between bars; those around a line are none."""
    return [value.strip() for value in line.strip().removeprefix(bar).removesuffix(bar).split(bar)]


def _at(line: str, starts: Sequence[int]) -> list[str]:
    """The values at places of a line."""
    return [line[start:end].strip() for start, end in pairwise([*starts, len(line) + 1])]


def _rows(lines: Iterator[str], heading: str) -> Iterator[str]:
    """The lines of rows up to the line that counts them: no rules, and no heading of a further page."""
    for line in lines:
        if END.fullmatch(line):
            return
        if line.strip() and line.rstrip() != heading.rstrip() and not RULE.fullmatch(line):
            yield line


def without_rules(path: Path, called: str) -> None:
    """Rewrite a ruled text file, in UTF-8 with even ends of lines, as plain CSV.

    Raises:
        DataError: a line has more or fewer values than the heading.
    """
    with path.open(encoding="utf-8", errors="replace") as old:
        top = [line.rstrip("\n") for line in islice(old, NEAR + 2)]
        found = _heading(top)
        if found is None:
            raise DataError(f"{called} has no rule of dashes beside a heading; deliver it again")
        number, split = found
        rows = _rows(chain(top[number + 1 :], (line.rstrip("\n") for line in old)), top[number])
        _write(path, (split(line) for line in chain([top[number]], rows)), called)


def _divided(heading: str, row: str) -> re.Pattern[str]:
    """What the values of a line are: where the heading has a name less for it, a day and its clock are one."""
    names = len(TOKEN.findall(heading))
    return TIMED if names == len(TIMED.findall(row)) < len(TOKEN.findall(row)) else TOKEN


def blank_heading(lines: Sequence[str]) -> tuple[int, int] | None:
    """The lines before the heading and those of it, where blanks divide lines into equally many values; else None."""
    stated = [line for line in lines if line.strip() and not line.startswith("#")]
    token = _divided(stated[0], stated[1]) if len(stated) > 2 else TOKEN
    rows = [(n, token.findall(line)) for n, line in enumerate(lines) if line.strip()]
    body = [(n, values) for n, values in rows if not lines[n].startswith("#")]
    if len(body) < 3:
        return None
    width = len(body[-2][1])
    if width < 3 or any(len(values) != width for _, values in body[1:-1]):
        return None
    first, names = body[0]
    if any(name.endswith((",", ";", "|")) for name in names):
        return None  # a blank after each sign
    if not any(name.strip('"[')[:1].isdigit() for name in names) and len(names) in (width, width - 1):
        return first, 1
    comments = [n for n, _ in rows if n < first]
    if comments and len(TOKEN.findall(COMMENT.sub("", lines[comments[-1]], count=1))) == width:
        return comments[-1], 1
    return (first, 0) if len(names) == width else None


def without_blanks(path: Path, called: str) -> None:
    """Rewrite a file whose values blanks divide as plain CSV; its first line holds the names, or is a row.

    Raises:
        DataError: a line has more or fewer values than the others.
    """
    with path.open(encoding="utf-8", errors="replace") as old:
        heading = COMMENT.sub("", old.readline(), count=1)
        below = (line for line in old if line.strip() and not line.startswith("#"))
        top = next(below, heading)
        token = _divided(heading, top)
        first, second = token.findall(heading), token.findall(top)
        rows = (token.findall(line) for line in below)
        if len(first) == len(second) - 1:
            first = [UNNAMED, *first]
        _write(path, ([_bare(value) for value in row] for row in chain([first, second], rows)), called)


def _bare(value: str) -> str:
    return value[1:-1].replace('""', '"').replace('\\"', '"') if value.startswith('"') and len(value) > 1 else value


def _write(path: Path, rows: Iterator[list[str]], called: str) -> None:
    fresh = path.with_name(path.name + ".plain")
    width = 0
    with fresh.open("w", encoding="utf-8", newline="") as new:
        writer = csv.writer(new, lineterminator="\n")
        for number, row in enumerate(rows, 1):
            width = width or len(row)
            if len(row) != width:
                raise DataError(
                    f"{called} is no whole table (row {number - 1:,} of it has {len(row)} values where the heading has "
                    f"{width}: {' '.join(row)[:80]!r}); deliver it again, or as CSV"
                )
            writer.writerow(row)
    fresh.replace(path)
