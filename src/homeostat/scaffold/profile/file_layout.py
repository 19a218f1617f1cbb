"""The layout of a text file that nobody has described: its signs, where its heading and its last row stand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from homeostat.data.backslashes import uses_backslashes, with_neutral_pairs
from homeostat.data.casts import NULLS
from homeostat.data.csv_files import DELIMITERS, LOOK, RARE, SEPARATOR, delimiter_of
from homeostat.data.csv_records import MOST_LINES, Record, Signs, records, usual_width
from homeostat.data.drawn_tables import blank_heading, is_ruled
from homeostat.project.file_form import PLAIN, FileForm

AT_PLACES = re.compile(r"\s*\S+(?:\s\S+)*(?:\s{2,}\S+(?:\s\S+)*)+\s*")  # names with blanks between them alone
RECORDS = 400  # that a layout is read from, at most
MOST_SKIPPED = 60  # lines before the heading
MOST_FOOTER = 20  # lines after the last row
MOST_NOTED = 3  # lines at the end that have as many values as each other, and are no table
MOST_HEADINGS = 3  # lines that a heading goes over
DOUBLED = ("||", "::")  # delimiters of two signs
DIVIDED = 0.9  # share of the lines that a usual sign divides alike, from the heading on, so that no rare one is meant
MEASURED = 0.9  # share of a column's values that are numbers or times, where it holds such
NUMBER = re.compile(r"[-+(]?\s*[$€£¥]?\s*[-+]?(?:\d[\d\s.,:/\-+TZ']*|\.\d+)\s*[%$€£)]?")
TOTAL = re.compile(r"""["']?\s*(?:(?:total|summe?|gesamt|somme|totale?|ende?|fin|eof|rows)\b|[(#*=-])""", re.IGNORECASE)


def form_of(path: Path) -> FileForm:
    """How a text file, in UTF-8 already, is laid out, by its first and last lines."""
    with path.open(encoding="utf-8", errors="replace", newline="") as stream:
        start = stream.read(LOOK)
        whole = not stream.read(1)
    if SEPARATOR.match(start.split("\n", 1)[0]):
        return PLAIN  # it says so itself
    lines = start.splitlines()
    if is_ruled(lines):
        return PLAIN.model_copy(update={"columns": "ruled"})
    quote = _quote(start)
    escape = "\\" if quote and re.search(r'\\"', start) and not re.search(r'[^,;\t|\n]""', start) else None
    text = {d: with_neutral_pairs(start) for d in (*DELIMITERS, *RARE) if uses_backslashes(path, start, d)}
    doubled = [d for d in DOUBLED if _stands_in_each(d, lines)]
    single = [d for d in DELIMITERS if d * 2 not in doubled]
    layouts = [_layout(text.get(d, start), Signs(d, quote, escape), whole) for d in (*single, *doubled)]
    if not any(one.divides for one in layouts):
        layouts += [_layout(text.get(d, start), Signs(d, quote, escape), whole) for d in RARE if d * 2 not in doubled]
    best = max(
        layouts,
        key=lambda one: (one.width > 1, one.divides, one.named, round(one.share, 2), one.usual, one.width),
    )
    if best.width < 2 or best.signs.delimiter in RARE or _is_stray(lines, best):
        blanks = blank_heading(lines)
        if blanks is not None:
            return FileForm(columns="blanks", skip=blanks[0], heading=blanks[1])
    if best.width < 2 or best.share < 0.5 or best.signs.delimiter == ":" and _has_clocks(start):
        return PLAIN.model_copy(update={"quote": quote, "escape": escape})
    signs = Signs(best.signs.delimiter + " ", quote, escape) if best.spaced else best.signs
    plain = best.skip == 0 and quote == '"' and signs.delimiter in DELIMITERS
    return FileForm(
        delimiter=None if plain and delimiter_of(path) == signs.delimiter else signs.delimiter, quote=quote,
        escape=escape, skip=best.skip, heading=best.heading,
        footer=0 if best.signs.delimiter in text else _footer(path, best.signs, best.width),
        backslashes=best.signs.delimiter in text,
    )  # fmt: skip


def _stands_in_each(sign: str, lines: Sequence[str]) -> bool:
    """Whether a sign stands equally often in each of the first lines."""
    return len(counts := {line.count(sign) for line in lines[:RECORDS] if line.strip()}) == 1 and counts != {0}


def has_no_signs(path: Path, form: FileForm) -> bool:
    """Whether values stand at places of a line, with nothing but blanks between them, and blanks within them."""
    with path.open(encoding="utf-8", errors="replace") as stream:
        line = stream.readline()
    divided = form.columns != "delimited" or form.delimiter is not None or delimiter_of(path) in line
    return not divided and AT_PLACES.fullmatch(line) is not None


def _is_stray(lines: Sequence[str], layout: _Layout) -> bool:
    """Whether the sign stands within quotes that divide nothing, as in the name of a browser."""
    rows = list(islice(records(lines, layout.signs, layout.width), RECORDS))
    return sum(row.how == "quote" for row in rows) > len(rows) / 2


def _has_clocks(start: str) -> bool:
    """Whether most colons are those of a clock."""
    return 2 * len(re.findall(r"(?<=\d):(?=\d\d)", start)) > start.count(":")


def _quote(start: str) -> str:
    single = len(re.findall(r"(?:^|[,;\t|])'[^'\n]*'(?=[,;\t|\r\n]|$)", start, re.MULTILINE))
    double = len(re.findall(r'(?:^|[,;\t|])"[^"\n]*"(?=[,;\t|\r\n]|$)', start, re.MULTILINE))
    return "'" if single > 20 and single > 10 * double else '"'


@dataclass(frozen=True)
class _Layout:
    """What a delimiter makes of a file: the values of a usual line, the share of lines that have as many, the lines
    before the heading and those of it, whether none of its values is a number, and whether a blank follows each sign.
    """

    signs: Signs
    width: int
    share: float = 0.0
    skip: int = 0
    heading: int = 1
    named: bool = False
    spaced: bool = False

    @property
    def divides(self) -> bool:
        """Whether it divides nearly all lines alike, from the first one on."""
        return self.width > 1 and self.skip == 0 and self.share > DIVIDED

    @property
    def usual(self) -> bool:
        return self.signs.delimiter in DELIMITERS


def _layout(start: str, signs: Signs, whole: bool) -> _Layout:
    lines = start.splitlines()
    if not whole and len(lines) > 1:
        lines = lines[:-1]  # the last one is cut
    rows = list(islice(records(lines, signs), RECORDS))
    width = usual_width([len(row.values) for row in rows])
    if width < 2:
        return _Layout(signs, 1)
    share = sum(len(row.values) == width for row in rows) / len(rows)
    rows = list(islice(records(lines, signs, width), RECORDS))
    first = _first_of(rows, width)
    rows = rows[first:]
    heading = _heading_lines([row.values for row in rows])
    named = heading > 0 and not any(_is_number(value) for value in rows[0].values)
    spaced = all(row.text.count(signs.delimiter) == row.text.count(signs.delimiter + " ") for row in rows)
    return _Layout(signs, width, share, rows[0].number - 1, heading, named, spaced and signs.delimiter != " ")


def _first_of(rows: Sequence[Record], width: int) -> int:
    """The first record of the table: the lines before it have another number of values, or hardly any."""
    first = next((n for n, row in enumerate(rows) if row.how in ("", "quote")), 0)
    if first and (_one_name_too_many(rows[first - 1], width) or _one_name_too_few(rows[first - 1 : first + 2])):
        first -= 1
    full = next((n for n in range(first, min(len(rows), first + MOST_SKIPPED)) if all(rows[n].values)), first)
    if all(2 * sum(map(bool, row.values)) < width for row in rows[first:full]):
        first = full
    first += _notes_above(rows[first : first + MOST_HEADINGS + 3])
    return 0 if rows[first].number > MOST_SKIPPED else first


def _one_name_too_many(row: Record, width: int) -> bool:
    """Whether it is a heading with one blank name more than rows have values."""
    names = [value for value in row.values if value.strip()]
    return len(row.values) == width + 1 and len(names) == width and not any(map(_is_number, names))


def _notes_above(rows: Sequence[Record]) -> int:
    """The lines with a # above the heading that have as many values as it, such as those of types."""
    notes = next((n for n, row in enumerate(rows) if not row.text.lstrip('"').startswith("#")), 0)
    measured = [any(map(_is_number, row.values)) for row in rows[notes : notes + 2]]
    return notes if measured == [False, True] else 0


def _one_name_too_few(rows: Sequence[Record]) -> bool:
    """Whether a heading has no name for the first value of rows, which R leaves out, or for a blank after the last."""
    *names, last = rows[0].values
    named = rows[0].how == "short" and not last and all(names) and not any(map(_is_number, names))
    ends_blank = len(rows) > 1 and not any(row.values[-1] for row in rows)  # a sign after each row's last value
    return named and (ends_blank or [row.values[0] for row in rows[1:]] == ["1", "2"])


def _heading_lines(rows: Sequence[Sequence[str]]) -> int:
    """The lines of the heading: names, and below them units or a second line of names; 0 where there is none."""
    body = rows[MOST_HEADINGS:] if len(rows) > 2 * MOST_HEADINGS else rows[-1:]
    measured = [n for n in range(len(rows[0])) if _is_measured([row[n] for row in body if n < len(row)])]
    if not measured or len(rows) < 2:
        return 1
    top = [rows[0][n] for n in measured]
    if all(_is_number(value) for value in top if value) and any(top) and not _counts_up(top, rows[0]):
        return 1 if _are_periods(top) and not _are_periods([row[measured[0]] for row in body]) else 0
    lines = 1
    while (
        lines < min(MOST_HEADINGS, len(rows) - 1)
        and rows[lines] != rows[0]
        and (_is_words(rows[lines], measured) or lines > 1 and _names_index(rows[lines]))
    ):
        lines += 1
    return lines


def _is_measured(values: Sequence[str]) -> bool:
    filled = [value for value in values if value.strip() and value.strip() not in NULLS]
    return bool(filled) and sum(map(_is_number, filled)) >= MEASURED * len(filled)


def _is_number(value: str) -> bool:
    """Whether it is a number or a time, as far as its signs show."""
    return NUMBER.fullmatch(value.strip()) is not None


def _counts_up(top: Sequence[str], heading: Sequence[str]) -> bool:
    """Whether numbers are names all the same: years, or the places of the columns.

    >>> _counts_up(["2019", "2020"], ["region", "2019", "2020"]), _counts_up(["1", "2"], ["0", "1", "2"])
    (True, True)
    >>> _counts_up(["12", "2020"], ["a", "12", "2020"])
    False
    """
    whole = [int(value) for value in top if re.fullmatch(r"\d{1,4}", value.strip())]
    if len(whole) < len(top) or len(set(heading)) < len(heading):
        return False
    years = len(whole) > 1 and all(1900 <= n <= 2100 for n in whole) and all(
        b - a == whole[1] - whole[0] for a, b in zip(whole, whole[1:], strict=False)
    )  # fmt: skip
    return years or list(heading) == [str(n) for n in range(len(heading))]


def _are_periods(values: Sequence[str]) -> bool:
    """Whether values are days, months or quarters, in order, as columns of a wide table are called."""
    dated = all(re.fullmatch(r"(19|20)\d\d[-/.]?(0[1-9]|1[0-2]|Q[1-4])([-/.]?[0-3]\d)?", v.strip()) for v in values)
    return dated and len(values) > 1 and list(values) == sorted(set(values))


def _names_index(row: Sequence[str]) -> bool:
    """Whether only the first value stands there, a name: pandas writes that of its index so below several lines."""
    return bool(row[0].strip()) and not any(value.strip() for value in row[1:]) and not _is_number(row[0])


def _is_words(row: Sequence[str], measured: Sequence[int]) -> bool:
    """Whether words stand where numbers would: units, or names."""
    filled = [row[n].strip() for n in measured if n < len(row) and row[n].strip() and row[n].strip() not in NULLS]
    return 2 * len(filled) >= len(measured) and not any(map(_is_number, filled))


def _footer(path: Path, signs: Signs, width: int) -> int:
    """Lines at the end that have fewer values than a row, such as a total or a note."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - (1 << 14)))
        end = stream.read().decode("utf-8", "replace").splitlines()
    count, widths = 0, set()
    for lines in _whole_from_end(end[1:], signs):
        values = [row.values for row in records(lines, signs)]
        last = lines[-1]
        complete = last.endswith((signs.quote, signs.delimiter)) or not last.strip() or len(values) == 1
        if not complete or (values and len(values[-1]) == width) or count + len(lines) > MOST_FOOTER:
            break
        count += len(lines)
        widths |= {len(one) for one in values}
    if count > MOST_NOTED and len(widths) == 1 and widths != {1}:
        return 0  # rows of another table
    blank = all(not line.strip() for line in end[len(end) - count :])
    cut_short = count == 1 and _looks_cut(end[-1], signs.delimiter)
    return 0 if blank or cut_short else count


def _whole_from_end(lines: Sequence[str], signs: Signs) -> Iterator[list[str]]:
    """Lines from the last one on, those of one quoted value together.

    >>> list(_whole_from_end(['1,"a', 'b",2', "Total"], Signs(",")))
    [['Total'], ['1,"a', 'b",2']]
    """
    below: list[str] = []
    for line in reversed(lines):
        below.insert(0, line)
        text = "\n".join(below)
        if not (signs.is_open(text) and _quotes_value(text, signs)) or len(below) > MOST_LINES:
            yield below
            below = []


def _quotes_value(text: str, signs: Signs) -> bool:
    """Whether a quote stands where a value begins or ends, and not within one, as that of inches."""
    quote, between = re.escape(signs.quote), re.escape(signs.delimiter)
    return re.search(rf"(?:^|{between}){quote}|{quote}(?:$|{between})", text, re.MULTILINE) is not None


def _looks_cut(line: str, delimiter: str) -> bool:
    """Whether a last line may be the start of a row, of a file that did not come whole: not a total or a note."""
    if TOTAL.match(line):
        return False
    return delimiter in line or not re.search(r"\S\s+\S", line.strip())
