r"""Text of databases that quotes no value: \N is none, and a backslash stands before what would divide values.

As PostgreSQL's COPY, MySQL's --tab and --batch and Hive write it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

LETTERS = {"t": "\t", "n": "\n", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0", "Z": "\x1a"}
NONE, END = "\\N", "\\."  # a value that is none, and the line after the last row
PAIR = re.compile(r"\\(.)", re.DOTALL)
DRIVE = re.compile(r"(?:^|[\s,;|])[A-Za-z]:\\")  # of a path as Windows writes it


def uses_backslashes(path: Path, start: str, delimiter: str) -> bool:
    """Whether a file is written so; ``start`` is its first part."""
    after = {match[1] for match in PAIR.finditer(start)}
    sign = re.escape(delimiter)
    quoted = re.search(rf'(?:^|{sign})"[^"\n]*"(?={sign}|\r?$)', start, re.MULTILINE)
    if not after <= {*LETTERS, "N", "\\", ".", "\n", "\r", delimiter} or not after or quoted:
        return False
    none = re.search(rf"(?:^|{sign})\\N(?={sign}|\r?$)", start, re.MULTILINE)
    if after == {"N"}:  # plain text all the same, unless more comes later
        return none is not None and _has_others(path)
    sure = none is not None or after & {"\\", delimiter}
    return bool(sure) or delimiter == "\t" and not DRIVE.search(start)


def with_neutral_pairs(text: str) -> str:
    """The text with a letter for each backslash and what follows it, and nothing for a value that is none."""
    return PAIR.sub(lambda match: "" if match[1] == "N" else "x", text)


def _has_others(path: Path) -> bool:
    with path.open("rb") as stream:
        return any(re.search(rb"\\[^N]", line) for line in stream)


def without_backslashes(path: Path, delimiter: str) -> None:
    """Rewrite a text file, in UTF-8 with even ends of lines, as plain CSV."""
    fresh = path.with_name(path.name + ".plain")
    value = re.compile(rf"(?:\\.|[^\\{re.escape(delimiter)}])*", re.DOTALL)
    with path.open(encoding="utf-8", newline="") as old, fresh.open("w", encoding="utf-8", newline="") as new:
        writer = csv.writer(new, lineterminator="\n")
        for row in _rows(old):
            writer.writerow([_plain(one) for one in _values(row, delimiter, value)])
    fresh.replace(path)


def _rows(lines: Iterator[str]) -> Iterator[str]:
    """The rows up to the line that ends them; one goes on below where a backslash stands before the end of its line."""
    row = ""
    for line in lines:
        row += line.rstrip("\r\n")
        if row == END:
            return
        if (len(row) - len(row.rstrip("\\"))) % 2:
            row += "\n"
            continue
        yield row
        row = ""
    if row:
        yield row


def _values(row: str, delimiter: str, value: re.Pattern[str]) -> Iterator[str]:
    if "\\" not in row:
        yield from row.split(delimiter)
        return
    place = 0
    while match := value.match(row, place):
        yield match[0]
        if match.end() >= len(row):
            return
        place = match.end() + len(delimiter)


def _plain(value: str) -> str:
    r"""A value as it is meant; a backslash before any other letter is part of it.

    >>> _plain(r"C:\\a\tb"), _plain(r"\N"), _plain(r"\U")
    ('C:\\a\tb', '', '\\U')
    """
    if value == NONE:
        return ""
    return PAIR.sub(lambda m: LETTERS.get(m[1], m[0] if m[1].isalnum() else m[1]), value)
