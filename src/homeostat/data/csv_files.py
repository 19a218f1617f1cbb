"""Text files as tables: their layout, their rows as they are written, and errors that name the line."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb

from homeostat.core.errors import DataError
from homeostat.core.text import count
from homeostat.data.casts import NULLS
from homeostat.project.file_form import PLAIN, FileForm

DELIMITERS = (",", ";", "\t", "|")
RARE = ("\x01", "\x1f", "^", "~", "¦", ":")  # delimiters where none of the usual ones divides the lines
LOOK = 1 << 18  # bytes of a file that its layout is read from
RECORDS = 400  # of them at most
MOST_SKIPPED = 60  # lines before the heading
MOST_FOOTER = 20  # lines after the last row
SEPARATOR = re.compile(r'^\ufeff?"?sep=(.)"?\s*$', re.IGNORECASE)  # what a spreadsheet writes before the heading


def csv_relation(connection: duckdb.DuckDBPyConnection, path: Path, form: FileForm = PLAIN) -> duckdb.DuckDBPyRelation:
    """A CSV file with a header, every row complete; ``path`` went through ``prepare``."""
    listed: Any = [str(path)]  # given by itself, DuckDB 2.0 reads no row of a file whose lines end as Windows' do
    return connection.read_csv(
        listed, delimiter=form.delimiter or delimiter_of(path), header=True, all_varchar=True, quotechar=form.quote,
        escapechar=form.escape or form.quote, skiprows=0, na_values=NULLS, null_padding=False, strict_mode=True,
    )  # fmt: skip


def prepare(path: Path, form: FileForm = PLAIN) -> FileForm:
    """Bring a copy of a text file to UTF-8 with even ends of lines, its heading first and its last row last.

    Returns:
        The form that is left to read it by.
    """
    make_utf8(path, form.encoding)
    make_even(path)
    with path.open(encoding="utf-8", newline="") as stream:
        first = stream.readline()
    separator = SEPARATOR.match(first)
    skip = form.skip or (1 if separator else 0)
    if skip or form.footer:
        _cut(path, skip, form.footer)
    _without_repeated_headings(path)
    return form.model_copy(update={"delimiter": separator[1]}) if separator and form.delimiter is None else form


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


def _without_repeated_headings(path: Path) -> None:
    """Take out lines that repeat the heading, as files have that were put one after the other."""
    with path.open("rb") as stream:
        heading = stream.readline()
        if len(heading.strip()) < 8 or not any(line == heading for line in stream):
            return
    fresh = path.with_name(path.name + ".once")
    with path.open("rb") as old, fresh.open("wb") as new:
        new.write(old.readline())
        new.writelines(line for line in old if line != heading)
    fresh.replace(path)


def csv_fault(name: str, path: str, error: duckdb.Error, form: FileForm, copy: Path) -> DataError:
    """What is wrong with a text file, by the line of the person's own file and what stands there.

    ``copy`` is what was read of it.
    """
    text = str(error)
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


def _uneven_line(path: Path, form: FileForm) -> str:
    """The first record with another number of values than the heading, in the engine's own words; empty for none."""
    delimiter, number, width = form.delimiter or delimiter_of(path), 1, 0
    with path.open(encoding="utf-8", errors="replace", newline="") as stream:
        for lines, values, text in _records(stream, delimiter, form.quote, form.escape):
            width = width or values
            if values not in (0, width):
                return f"on Line: {number}\nOriginal Line: {text}\nExpected Number of Columns: {width} Found: {values}"
            number += lines
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
    """End all lines of a text file alike: of one that mixes the ends of Windows and Unix, DuckDB reads none."""
    windows = unix = 0
    with path.open("rb") as stream:
        for line in stream:
            windows, unix = windows + line.endswith(b"\r\n"), unix + (not line.endswith(b"\r\n"))
            if windows and unix:
                break
    if not (windows and unix):
        return
    fresh = path.with_name(path.name + ".even")
    with path.open("rb") as old, fresh.open("wb") as new:
        for line in old:
            new.write(line.removesuffix(b"\n").removesuffix(b"\r") + b"\n")
    fresh.replace(path)


def make_utf8(path: Path, encoding: str | None = None) -> None:
    """Rewrite a text file that is in another encoding: as named, UTF-16 by its mark, or else Windows' Latin-1."""
    if encoding is None:
        encoding = encoding_of(path)
    if encoding == "utf-8":
        return
    fresh = path.with_name(path.name + ".utf8")
    with path.open(encoding=encoding, errors="replace", newline="") as old, fresh.open("wb") as new:
        while text := old.read(1 << 20):
            new.write(text.encode())
    fresh.replace(path)


def encoding_of(path: Path) -> str:
    """UTF-8 where the whole file is, UTF-16 where it is marked so, else Windows' Latin-1."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as stream:
        start = stream.read(4)
        stream.seek(0)
        if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return "utf-16"
        if start[1:2] == start[3:4] == b"\0" != start[:1]:
            return "utf-16-le"
        try:
            while block := stream.read(1 << 22):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8"


# ---- the layout of a file that nobody has described


def form_of(path: Path) -> FileForm:
    """How a text file, in UTF-8 already, is laid out, by its first and last lines."""
    with path.open(encoding="utf-8", errors="replace", newline="") as stream:
        start = stream.read(LOOK)
        whole = not stream.read(1)
    if SEPARATOR.match(start.split("\n", 1)[0]):
        return PLAIN  # it says so itself
    quote = _quote(start)
    escape = "\\" if quote and re.search(r'\\"', start) and not re.search(r'[^,;\t|\n]""', start) else None
    layouts = [_layout(start, d, quote, escape, whole) for d in (*DELIMITERS, *RARE)]
    best = max(layouts, key=lambda one: (one.width > 1, one.named, round(one.share, 2), one.usual, one.width))
    width, skip, delimiter = best.width, best.skip, best.delimiter
    if width < 2 or best.share < 0.5:
        return PLAIN.model_copy(update={"quote": quote, "escape": escape})
    footer = _footer(path, delimiter, quote, escape, width)
    plain = skip == 0 and quote == '"' and delimiter in DELIMITERS
    return FileForm(
        delimiter=None if plain and delimiter_of(path) == delimiter else delimiter, quote=quote, escape=escape,
        skip=skip, footer=footer,
    )  # fmt: skip


def _quote(start: str) -> str:
    single = len(re.findall(r"(?:^|[,;\t|])'[^'\n]*'(?=[,;\t|\r\n]|$)", start, re.MULTILINE))
    double = len(re.findall(r'(?:^|[,;\t|])"[^"\n]*"(?=[,;\t|\r\n]|$)', start, re.MULTILINE))
    return "'" if single > 20 and single > 10 * double else '"'


@dataclass(frozen=True)
class _Layout:
    """What a delimiter makes of a file: the values of a usual line, the share of lines that have as many, the lines
    before the heading, and whether none of the heading's values is a number."""

    delimiter: str
    width: int
    share: float = 0.0
    skip: int = 0
    named: bool = False

    @property
    def usual(self) -> bool:
        return self.delimiter in DELIMITERS


def _layout(start: str, delimiter: str, quote: str, escape: str | None, whole: bool) -> _Layout:
    records = list(islice(_records(start.splitlines(), delimiter, quote, escape), RECORDS))
    if not whole and len(records) > 1 and len(records) < RECORDS:
        records = records[:-1]  # the last one is cut
    widths = [w for _, w, _ in records]
    if not widths:
        return _Layout(delimiter, 1)
    # The heading is the first of the lines that have the usual number; the lines before it have others.
    width = Counter(widths[len(widths) // 4 :]).most_common(1)[0][0]
    first = next((n for n, w in enumerate(widths) if w == width), 0)
    if first > MOST_SKIPPED:
        first = 0
    cells = [c.strip().strip(quote) for c in records[first][2].split(delimiter)]
    named = not any(re.fullmatch(r"[-+]?[\d.,: /]*\d[\d.,: /]*", c) for c in cells)
    share = sum(w == width for w in widths) / len(widths)
    return _Layout(delimiter, width, share, sum(lines for lines, _, _ in records[:first]), named)


def _records(text: Iterable[str], delimiter: str, quote: str, escape: str | None) -> Iterator[tuple[int, int, str]]:
    """Lines, values and text of each record; quoted values may hold line breaks."""
    pending, lines = "", 0
    for line in (one.rstrip("\r\n") for one in text):
        pending, lines = f"{pending}\n{line}" if lines else line, lines + 1
        bare = pending.replace(escape + quote, "") if escape else pending
        if bare.count(quote) % 2 and lines < 40:
            continue
        values = re.sub(f"{re.escape(quote)}[^{re.escape(quote)}]*{re.escape(quote)}", "", bare)
        yield lines, values.count(delimiter) + 1 if bare.strip() else 0, pending
        pending, lines = "", 0


def _footer(path: Path, delimiter: str, quote: str, escape: str | None, width: int) -> int:
    """Lines at the end that have fewer values than a row, such as a total or a note."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - (1 << 14)))
        end = stream.read().decode("utf-8", "replace").splitlines()
    count = 0
    for line in reversed(end[1:]):
        widths: Sequence[int] = [w for _, w, _ in _records([line], delimiter, quote, escape)]
        complete = line.endswith((quote, delimiter)) or not line.strip() or len(widths) == 1
        if not complete or (widths and widths[-1] == width) or count == MOST_FOOTER:
            break
        count += 1
    blank = all(not line.strip() for line in end[len(end) - count :])
    cut_short = count == 1 and _looks_cut(end[-1], delimiter)
    return 0 if blank or cut_short else count


def _looks_cut(line: str, delimiter: str) -> bool:
    """Whether a last line may be the start of a row, of a file that did not come whole: not a total or a note."""
    if re.match(
        r"""["']?\s*(?:(?:total|summe?|gesamt|somme|totale?|ende?|fin|eof|rows)\b|[(#*=-])""", line, re.IGNORECASE
    ):
        return False
    return delimiter in line or not re.search(r"\S\s+\S", line.strip())
