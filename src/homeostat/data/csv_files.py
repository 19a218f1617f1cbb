"""Text files as tables: their layout, their rows as they are written, and errors that name the line."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb

from homeostat.core.errors import DataError
from homeostat.core.text import count
from homeostat.data.backslashes import without_backslashes
from homeostat.data.csv_records import Signs, records
from homeostat.data.drawn_tables import without_blanks, without_rules
from homeostat.data.old_encodings import old_encoding
from homeostat.data.uneven_rows import fit_rows, set_heading
from homeostat.project.file_form import PLAIN, FileForm

DELIMITERS = (",", ";", "\t", "|")
RARE = ("\x01", "\x1f", "^", "~", "¦", "，", "；", ":")  # delimiters where none of the usual ones divides the lines
LOOK = 1 << 18  # bytes of a file that its layout is read from
LINES = 2000  # beyond ASCII, by which an encoding is known
WINDOWS = "cp1252"
MIXED = "utf-8, cp1252"  # UTF-8 with bytes that are not
HIGH = re.compile(rb"[\x80-\xff]")
WHOLE = re.compile(rb"[\xc3-\xdf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}")  # a letter in UTF-8
FORMULA = re.compile(rb'(?<![^,;\t|\n])(?:"=""([^"\n]*)"""|="([^"\n]*)")(?=[,;\t|\r\n]|$)')  # text in a spreadsheet
SEPARATOR = re.compile(r'^\ufeff?"?sep=(.)"?\s*$', re.IGNORECASE)  # what a spreadsheet writes before the heading


def csv_relation(
    connection: duckdb.DuckDBPyConnection, path: Path, form: FileForm, nulls: Sequence[str]
) -> duckdb.DuckDBPyRelation:
    """A CSV file with a header, every row complete; ``path`` went through ``prepare``, which left ``form``."""
    listed: Any = [str(path)]  # given by itself, DuckDB 2.0 reads no row of a file whose lines end as Windows' do
    return connection.read_csv(
        listed, delimiter=form.delimiter or delimiter_of(path), header=True, all_varchar=True, quotechar=form.quote,
        escapechar=form.escape or form.quote, skiprows=0, na_values=[*nulls, ""], null_padding=False, strict_mode=True,
    )  # fmt: skip


def prepare(path: Path, form: FileForm, called: str, say: Callable[[str], None]) -> FileForm:
    """Bring a copy of a text file to UTF-8 with even ends of lines, its heading first and its last row last.

    ``called`` is how a message names it; ``say`` takes what was done to its rows.

    Returns:
        The form that is left to read it by.

    Raises:
        DataError: a row has more values than the heading where the form lets rows be uneven.
    """
    make_utf8(path, form.encoding)
    make_even(path)
    make_plain(path)
    with path.open(encoding="utf-8", newline="") as stream:
        first = stream.readline()
    separator = SEPARATOR.match(first)
    skip = form.skip or (1 if separator else 0)
    if skip or form.footer:
        _cut(path, skip, form.footer)
    if separator and form.delimiter is None:
        form = form.model_copy(update={"delimiter": separator[1]})
    if form.columns != "delimited":
        (without_rules if form.columns == "ruled" else without_blanks)(path, called)
        form = PLAIN.model_copy(update={"delimiter": ",", "heading": form.heading})
    if form.backslashes:
        without_backslashes(path, form.delimiter or delimiter_of(path))
        form = form.model_copy(update={"delimiter": ",", "quote": '"', "escape": None})
    if form.uneven:
        fitted = fit_rows(path, signs_of(path, form), form.heading, skip, called)
        for sentence in fitted.sentences:
            say(sentence)
        return PLAIN.model_copy(update={"delimiter": ","})
    if form.heading != 1:
        set_heading(path, signs_of(path, form), form.heading)
    _without_repeated_headings(path, form.quote)
    return form


def signs_of(path: Path, form: FileForm) -> Signs:
    """The signs of a file, in UTF-8, of which the lines before the heading are cut off."""
    return Signs(form.delimiter or delimiter_of(path), form.quote, form.escape)


def _cut(path: Path, skip: int, footer: int) -> None:
    """Take out the first and the last lines of a file."""
    fresh = path.with_name(path.name + ".cut")
    with path.open("rb") as old, fresh.open("wb") as new:
        kept: list[bytes] = []
        for line in islice(old, skip, None):
            kept.append(line)
            if len(kept) > footer:
                new.write(kept.pop(0))
    fresh.replace(path)


def _without_repeated_headings(path: Path, quote: str) -> None:
    """Take out lines that repeat the heading, as files have that were put one after the other."""
    mark = quote.encode()
    with path.open("rb") as stream:
        heading = stream.readline().replace(mark, b"").rstrip()

        def repeats(line: bytes) -> bool:
            return line.startswith((heading[:4], mark)) and line.replace(mark, b"").rstrip() == heading

        if len(heading) < 8 or not any(map(repeats, stream)):
            return
    fresh = path.with_name(path.name + ".once")
    with path.open("rb") as old, fresh.open("wb") as new:
        new.write(old.readline())
        new.writelines(line for line in old if not repeats(line))
    fresh.replace(path)


def csv_fault(name: str, path: str, error: duckdb.Error, form: FileForm, copy: Path) -> DataError:
    """What is wrong with a text file, by the line of the person's own file and what stands there.

    ``copy`` is what was read of it.
    """
    text = str(error)
    if longest := re.search(r"Maximum line size of (\d+)", text):
        number, start = _longer_than(copy, int(longest[1]))
        return DataError(
            f"{name}: {path} cannot be read: line {number + form.skip:,} has more than {int(longest[1]):,} bytes "
            f"({start!r}...); leave out its long column"
        )
    line = re.search(r"on Line: (\d+)", text)
    if line is None:
        text = _uneven_line(copy, form) or text  # what the engine says while it looks at a file has no line
        line = re.search(r"on Line: (\d+)", text)
    if line is None:
        sentence = re.sub(r"[^\s\"']*/[^\s\"']*", "the file", text.strip().split("\n")[0])
        return DataError(f"{name}: {path} is not a whole CSV file ({sentence}); deliver it again")
    number = int(line[1]) + form.skip
    original = re.search(r"Original Line:\s*(.*)", text)
    counts = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", text)
    what = (
        f"has {count(int(counts[2]), 'value')} where the heading has {counts[1]}"
        if counts
        else "is not written as the others"
    )
    stands = original[1].strip() if original else ""
    stands = f": {stands if len(stands) <= 80 else stands[:77] + '...'!r}" if stands else ""
    return DataError(f"{name}: {path} is not a whole CSV file (line {number:,} {what}{stands}); deliver it again")


def _longer_than(path: Path, most: int) -> tuple[int, str]:
    """The first line of more bytes, its number and how it begins."""
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if len(line) > most:
                return number, line[:40].decode("utf-8", "replace")
    return 1, ""


def _uneven_line(path: Path, form: FileForm) -> str:
    """The first record with another number of values than the heading, in the engine's own words; empty for none."""
    width = 0
    with path.open(encoding="utf-8", errors="replace", newline="") as stream:
        for record in records(stream, signs_of(path, form)):
            width = width or len(record.values)
            if len(record.values) != width:
                counts = f"Expected Number of Columns: {width} Found: {len(record.values)}"
                return f"on Line: {record.number}\nOriginal Line: {record.text}\n{counts}"
    return ""


def delimiter_of(path: Path) -> str:
    """What separates the values of a CSV file, by its heading."""
    with path.open("rb") as stream:
        heading = stream.readline()
        while heading.count(b'"') % 2 and len(heading) < LOOK and (more := stream.readline()):  # a quoted line break
            heading += more
    names = re.sub(rb'"[^"]*"', b"", heading).decode("utf-8", "replace")
    counts = {d: names.count(d) for d in (*DELIMITERS, *RARE)}
    usual = max(DELIMITERS, key=counts.__getitem__)
    return usual if counts[usual] else max(RARE, key=counts.__getitem__) if any(counts.values()) else ","


def make_even(path: Path) -> None:
    """End all lines of a text file alike: of one that mixes the ends of Windows and Unix, DuckDB reads none.

    A file without any such end may have those of old Macs. The mark that DOS sets at the end is no part of it.
    """
    _cut_mark(path)
    windows = unix = 0
    with path.open("rb") as stream:
        for line in stream:
            windows, unix = windows + line.endswith(b"\r\n"), unix + (not line.endswith(b"\r\n"))
            if windows and unix:
                break
    macs = windows == 0 and unix == 1 and _ends_as_on_macs(path)
    if not (windows and unix) and not macs:
        return
    fresh = path.with_name(path.name + ".even")
    with path.open("rb") as old, fresh.open("wb") as new:
        if macs:
            while block := old.read(1 << 20):
                new.write(block.replace(b"\r", b"\n"))
        else:
            new.writelines(line.removesuffix(b"\n").removesuffix(b"\r") + b"\n" for line in old)
    fresh.replace(path)


def _cut_mark(path: Path) -> None:
    """Take away the sign by which DOS ends a file."""
    with path.open("rb+") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - 4))
        end = stream.read()
        if b"\x1a" in end and not end.rpartition(b"\x1a")[2].strip():
            stream.truncate(size - len(end) + len(end.rpartition(b"\x1a")[0]))


def make_plain(path: Path) -> None:
    """Take values out of the formulas that keep them text in a spreadsheet, such as ="007"."""
    with path.open("rb") as stream:
        if not any(b'="' in line and FORMULA.search(line) for line in stream):
            return
    fresh = path.with_name(path.name + ".values")
    with path.open("rb") as old, fresh.open("wb") as new:
        new.writelines(FORMULA.sub(rb'"\1\2"', line) for line in old)
    fresh.replace(path)


def _ends_as_on_macs(path: Path) -> bool:
    with path.open("rb") as stream:
        start = stream.read(LOOK)
    return start.count(b"\r") > start.count(b"\n") + start.count(b"\r\n")


def make_utf8(path: Path, encoding: str | None = None) -> None:
    """Rewrite a text file that is in another encoding: as named, UTF-16 by its mark, or else Windows' Latin-1."""
    if encoding is None:
        encoding = encoding_of(path)
    if encoding == "utf-8":
        return
    fresh = path.with_name(path.name + ".utf8")
    if encoding == MIXED:
        with path.open("rb") as old, fresh.open("wb") as new:
            new.writelines(decoded(line, encoding).encode() for line in old)
    else:
        with path.open(encoding=encoding, errors="replace", newline="") as text, fresh.open("wb") as new:
            while block := text.read(1 << 20):
                new.write(block.encode())
    fresh.replace(path)


def decoded(data: bytes, encoding: str) -> str:
    """The text of some bytes; ``MIXED`` is UTF-8, and Windows' Latin-1 where it is not.

    >>> decoded("ü".encode() + b" \\xfc", MIXED)
    'ü ü'
    """
    if encoding != MIXED:
        return data.decode(encoding, "replace")
    text = ""
    while data:
        try:
            return text + data.decode()
        except UnicodeDecodeError as error:
            text += data[: error.start].decode() + data[error.start : error.end].decode(WINDOWS, "replace")
            data = data[error.end :]
    return text


def encoding_of(path: Path) -> str:
    """UTF-8 where the whole file is, UTF-16 where it is marked so, else an old one, Windows' Latin-1, or both mixed."""
    with path.open("rb") as stream:
        start = stream.read(4)
        if start in (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE):
            return "utf-32"
        if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return "utf-16"
        if start[1:2] == start[3:4] == b"\0" != start[:1]:
            return "utf-16-le"
        if start[:1] == start[2:3] == b"\0" != start[1:2]:
            return "utf-16-be"
        stream.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while block := stream.read(1 << 22):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return MIXED if _mostly_utf8(path) else _old_encoding(path) or WINDOWS
    return "utf-8"


def _old_encoding(path: Path) -> str | None:
    """By the first lines that are no ASCII."""
    lines: list[bytes] = []
    with path.open("rb") as stream:
        for line in stream:
            if not line.isascii():
                lines.append(line)
            if len(lines) == LINES:
                break
    return old_encoding(b"".join(lines))


def _mostly_utf8(path: Path) -> bool:
    """Whether more of its letters beyond ASCII are whole in UTF-8 than are not."""
    whole = broken = 0
    with path.open("rb") as stream:
        for line in stream:
            if not line.isascii():
                good = len(WHOLE.findall(line))
                whole, broken = whole + good, broken + len(HIGH.findall(WHOLE.sub(b"", line)))
    return whole > broken
