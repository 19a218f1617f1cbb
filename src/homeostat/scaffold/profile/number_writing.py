"""How the numbers of a column are written: decimal sign, groups, signs and units around them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from homeostat.data.plain_numbers import grouped_pattern
from homeostat.project.writing import PLAIN, Writing
from homeostat.scaffold.profile.measures import AMOUNT, DOUBTFUL, MARKS, UNIT, UNITS, are_mixed, measure_of
from homeostat.scaffold.profile.null_words import LIMIT, is_error
from homeostat.scaffold.profile.shapes import Shape

BLANKS = r"\s\u00a0\u202f\u2009"
BODY = re.compile(
    rf"(?P<pre>[^\d.,+\-−–()]*)(?P<sign>[+\-−–(]*)(?P<mid>[^\d.,+\-−–()]*)(?P<second>[+\-−–]?)"
    rf"(?P<body>\d[\d.,_'’{BLANKS}]*(?:[eE][+-]?\d+)?|[.,]\d+(?:[eE][+-]?\d+)?)(?P<post>.*)"
)
DEBITS = ("DR", "CR")
HEMISPHERES = {"NS": "S", "EW": "W", "EO": "O", "OW": "W"}  # of coordinates, and the one below zero; O is east or west
FLAG = re.compile(r"[a-z]{1,2}|\*{1,3}|[†‡§#¹²³]|\(\w{1,2}\)|\[\w{1,2}\]")  # that a value is an estimate, or has a note
FRACTION = re.compile("[¼½¾⅐-⅞]")
SCALED = re.compile(rf"([A-Za-z]{{1,4}}\.?)\s?({MARKS.pattern})")  # thousands or millions of a currency
COMBINATIONS = ((".", ""), (".", ","), (",", ""), (",", "."), (",", " "), (".", " "), (".", "'"), (",", "'"),
                (".", "_"))  # fmt: skip
MOSTLY = 0.95  # share of the rows that are numbers, from which the others are strays
LARGEST = 2**63 - 1  # whole number of 64 bits
EXACT = 2**53  # whole number up to which a float keeps every digit


@dataclass(frozen=True)
class NumberText:
    """One value taken apart: its digits and separators, the words around it, and the mark of a negative one.

    ``flag`` is a mark that says something of a value, not of what it is a number.
    """

    body: str
    marks: tuple[str, ...] = ()
    unit: str = ""
    negative: str = ""
    flag: str = ""


@dataclass(frozen=True)
class NumberWriting:
    """``kind`` is integer or float; ``odd`` are values that are none and count as missing."""

    kind: str
    writing: Writing
    notes: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()


@dataclass
class _Sorted:
    """The examples of a column by what they are, with their rows."""

    numbers: list[tuple[int, list[NumberText]]] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    limits: bool = False
    others: int = 0


def number_writing(shapes: Sequence[Shape], hint: str) -> NumberWriting | None:
    """How numbers are written, where nearly all values are; ``hint`` is the decimal sign of the other columns."""
    parts = _sorted(shapes)
    rows = sum(n for n, _ in parts.numbers)
    if not rows or rows < MOSTLY * (rows + parts.others):
        return None
    parts.numbers = _with_signs(parts.numbers)
    texts = [t for _, some in parts.numbers for t in some]
    measures = {measure_of(t.marks, t.unit) for t in texts}
    units = {t.unit for t in texts}
    if (
        are_mixed(measures)
        or any(_is_code(t) for t in texts)
        or _are_months(texts)
        or _doubtful(texts)
        or _name_powers(texts)
    ):
        return None
    if any(t.flag == "e" for t in texts) and any(re.search("[eE]", t.body) for t in texts):
        return None  # an estimate or a power of ten
    decimal, grouping, fitting = _separators(parts.numbers, hint)
    if fitting < MOSTLY * (rows + parts.others):
        return None
    negative, credits, notes = _negative(texts)
    flags = sorted({t.flag for t in texts} - {""})
    without = sorted({m for t in texts for m in t.marks} | (units - {""}) | set(flags))
    writing = Writing(
        decimal=decimal, grouping=grouping, without=(*without, *credits), negative=tuple(negative),  # type: ignore[arg-type]
        limits="missing" if parts.limits else "refused",
    )  # fmt: skip
    unmarked = not without and not negative and not grouping and decimal == "." and not _signed_oddly(texts)
    writing = writing if not unmarked or parts.limits else PLAIN
    whole = all(not re.search(r"[eE]", t.body) and decimal not in t.body for t in texts)
    notes = [*_notes(decimal, grouping, without, units, texts), *notes]
    if flags and not any("°" in m or m in HEMISPHERES.values() for m in negative):
        notes.append(f"{', '.join(map(repr, flags))} after some numbers are taken for notes on them: a choice")
    notes += ["which only some values have: a choice"] if len(measures) > 1 else []
    return NumberWriting(
        "integer" if whole else "float", writing, tuple(notes), tuple(dict.fromkeys(parts.odd))
    )  # fmt: skip


def mixed_measures(shapes: Sequence[Shape]) -> str:
    """Why numbers are not of one column, with a value of each kind: other units, currencies or decimal signs; or "".

    >>> mixed_measures([Shape(5, ("$5",)), Shape(4, ("€7", "€8"))])
    "has numbers of several units or currencies ('$5', '€7')"
    """
    texts = [(e, number_text(e)) for s in shapes for e in s.examples]
    sound = [(e, t) for e, t in texts if t is not None and not _is_code(t)]
    if not sound or len(sound) < MOSTLY * len(texts):
        return ""
    by_measure: dict[str, str] = {}
    for example, text in sound:
        by_measure.setdefault(measure_of(text.marks, text.unit), example)
    if are_mixed(set(by_measure)):
        stated = all(t.marks or not t.unit or t.unit in UNITS or " " in e or "°" in t.unit for e, t in sound)
        shown = ", ".join(repr(example) for example in list(by_measure.values())[:3])
        return f"has numbers of several units or currencies ({shown})" if stated else ""
    by_sign = {sign: e for e, t in reversed(sound) if (sign := decimal_sign([Shape(1, (t.body,))]))}
    if len(by_sign) > 1:
        return f"has numbers with a decimal point and with a decimal comma ({by_sign['.']!r}, {by_sign[',']!r})"
    return ""


def _are_months(texts: Sequence[NumberText]) -> bool:
    """Whether all are a month and its year, such as 02.2014 or 2014.02, and not numbers.

    >>> _are_months([NumberText(b) for b in ("1.2014", "2.2014", "3.2014")]), _are_months([NumberText("1.1999")])
    (True, False)
    """
    bodies = [t.body for t in texts]
    if all(re.fullmatch(r"0?(0?[1-9]|1[0-2])[.](19|20)\d\d", b) for b in bodies):
        return len({b.split(".")[0] for b in bodies}) > 2  # a rate of exchange stays near one number
    return all(re.fullmatch(r"(19|20)\d\d[.](0[1-9]|1[0-2])", b) for b in bodies) and any(".0" in b for b in bodies)


def _sorted(shapes: Sequence[Shape]) -> _Sorted:
    parts = _Sorted()
    for shape in shapes:
        texts = [number_text(e) for e in shape.examples]
        if all(t is not None for t in texts):
            parts.numbers.append((shape.rows, [t for t in texts if t is not None]))
        elif all(is_error(e) for e in shape.examples):
            parts.odd += shape.examples
        elif all(LIMIT.fullmatch(e) for e in shape.examples):
            parts.limits = True
            parts.odd += shape.examples
        else:
            parts.others += shape.rows
    return parts


def number_text(value: str) -> NumberText | None:
    """A value taken apart; None where it is no number.

    >>> number_text("(€ 1.200,50)"), number_text("B12")
    (NumberText(body='1.200,50', marks=('€',), unit='', negative='()', flag=''), None)
    """
    bare, marks, unit, negative = value.strip("\u00a0\u202f\u2009 \t"), [], "", ""
    if start := re.match(MARKS.pattern, bare):  # which may end with a point
        bare, marks = bare[start.end() :].strip("\u00a0\u202f\u2009 \t"), [start[0]]
    match = BODY.fullmatch(bare)
    if match is None:
        return None
    before = (match["pre"].strip(" \u00a0\u202f"), match["mid"].strip(" \u00a0\u202f"))
    for word in filter(None, before):
        if not MARKS.fullmatch(word):
            return None
        marks.append(word)
    body = re.sub(rf"[{BLANKS}]", " ", match["body"]).strip().replace("’", "'")
    post = match["post"].strip(" \u00a0\u202f")
    if match["sign"].startswith("("):
        if not post.endswith(")"):
            return None
        post, negative = post[:-1].strip(" \u00a0\u202f"), "()"
    elif re.search("[−–]", match["sign"] + match["second"]):
        negative = "−"
    elif (body.endswith(",") or "'" in body and body.endswith(".")) and re.match("--?|[–—−]", post):
        post = post.lstrip("-–—−").strip()
    elif post.endswith(("-", "−")) and not MARKS.fullmatch(post):
        post, negative = post[:-1].strip(), "-"
    debit = re.search(r"(?i)(?<![a-z])(cr|dr)\.?$", post)
    if debit:
        post, negative = post[: debit.start()].strip(), debit[0]
    if post and MARKS.fullmatch(post) and not DOUBTFUL.fullmatch(post):
        marks.append(post)
    elif post and (UNIT.fullmatch(post) or FLAG.fullmatch(post)) and not FRACTION.search(post):
        unit = post
    elif scaled := SCALED.fullmatch(post):
        unit = scaled[1]
        marks.append(scaled[2])
    elif post:
        return None
    return NumberText(body, tuple(marks), unit, negative)


def _with_signs(numbers: Sequence[tuple[int, list[NumberText]]]) -> list[tuple[int, list[NumberText]]]:
    """The same where units that are two hemispheres say the sign, where CR after every number is crores, and where
    marks after less than half of the numbers are those of notes, as statistical offices set them.

    >>> _with_signs([(2, [NumberText("1.5", unit="N"), NumberText("2", unit="° S")])])[0][1][1]
    NumberText(body='2', marks=(), unit='', negative='°S', flag='')
    """
    texts = [t for _, some in numbers for t in some]
    if all(t.negative.upper() == "CR" for t in texts):
        return [(rows, [replace(t, unit=t.negative, negative="") for t in some]) for rows, some in numbers]
    below = HEMISPHERES.get("".join(sorted({t.unit.strip("° ") for t in texts})))
    if below is not None and all(t.unit for t in texts):
        return [(rows, [_of_hemisphere(t, below) for t in some]) for rows, some in numbers]
    bare = sum(rows for rows, some in numbers if not any(t.unit for t in some))
    flagged = {t.unit for t in texts} - {""}
    if 2 * bare > sum(rows for rows, _ in numbers) and not flagged <= UNITS and all(map(FLAG.fullmatch, flagged)):
        return [(rows, [replace(t, unit="", flag=t.unit) for t in some]) for rows, some in numbers]
    return list(numbers)


def _of_hemisphere(text: NumberText, below: str) -> NumberText:
    mark = text.unit.replace(" ", "")
    if mark.endswith(below):
        return replace(text, unit="", negative=mark)
    return replace(text, unit="", flag=mark)


def _name_powers(texts: Sequence[NumberText]) -> bool:
    """Whether all are digits around an E without a sign, as no program writes powers of ten."""
    return all(re.fullmatch(r"\d+[eE]\d+", t.body) for t in texts)


def _doubtful(texts: Sequence[NumberText]) -> bool:
    """Whether letters before numbers are as like those of codes as a currency, as no number is like an amount.

    >>> _doubtful([NumberText("101", ("RM",))]), _doubtful([NumberText("1,200", ("RM",))])
    (True, False)
    """
    named = any(DOUBTFUL.fullmatch(mark) for t in texts for mark in t.marks)
    return named and not any(AMOUNT.fullmatch(t.body) for t in texts)


def _is_code(text: NumberText) -> bool:
    """Whether digits only name something: 007, more than 64 bits, more than a float keeps before .0, 1005E5.

    >>> [_is_code(NumberText(b)) for b in ("007", "9007199254740993.0", "1005E5", "1E5", "1.5E5", "9007199254740993")]
    [True, True, True, False, False, False]
    """
    digits = re.sub(r"\.0+$", "", text.body)
    if not digits.isdigit():
        return bool(re.fullmatch(r"\d{2,}[eE]\d+", digits))
    longest = LARGEST + 1 if digits == text.body else EXACT  # one more, of which the negative is a number
    return len(digits) > 1 and digits[0] == "0" or int(digits[:25]) > longest


def _separators(numbers: Sequence[tuple[int, list[NumberText]]], hint: str) -> tuple[str, str, int]:
    """Decimal sign and grouping that fit the most rows, and those rows; ``hint`` decides where several do."""
    fitting = {}
    for decimal, grouping in COMBINATIONS:
        pattern = re.compile(grouped_pattern(decimal, re.escape(grouping)))
        fitting[decimal, grouping] = sum(n for n, texts in numbers if all(pattern.match(t.body) for t in texts))
    most = max(fitting.values())
    best = [c for c in COMBINATIONS if fitting[c] == most]
    chosen = next((c for c in best if c[0] == hint), best[0]) if _has_separator(numbers) else best[0]
    return (*chosen, most)


def _has_separator(numbers: Sequence[tuple[int, list[NumberText]]]) -> bool:
    return any(re.search(r"[.,'_ ]", t.body) for _, texts in numbers for t in texts)


def decimal_sign(shapes: Iterable[Shape]) -> str:
    """The decimal sign where the values leave no doubt about it, else nothing."""
    texts = [t for s in shapes for e in s.examples if (t := number_text(e)) is not None]
    comma = any(re.fullmatch(r"\d+,(\d{1,2}|\d{4,})|0,\d+|[\d.]+\.\d{3},\d+", t.body) for t in texts)
    point = any(re.fullmatch(r"\d+\.(\d{1,2}|\d{4,})|0\.\d+|[\d,]+,\d{3}\.\d+", t.body) for t in texts)
    return "," if comma and not point else "." if point and not comma else ""


def _negative(texts: Sequence[NumberText]) -> tuple[list[str], list[str], list[str]]:
    """The marks of negative numbers, those of credits that are positive, and notes on them."""
    marks = {t.negative for t in texts if t.negative}
    debits = sorted(m for m in marks if m.upper().rstrip(".") in DEBITS)
    credit_too = {m.upper().rstrip(".") for m in debits} == set(DEBITS)
    negative = [m for m in debits if not credit_too or m.upper().startswith("DR")]
    notes = []
    if debits:
        notes.append(f"{' and '.join(negative)} after a number makes it negative: a choice")
    if "()" in marks:
        notes.append("brackets mark a negative number")
    if "-" in marks:
        notes.append("a minus after a number makes it negative")
    poles = sorted(m for m in marks if m.strip("°") in HEMISPHERES.values())
    if poles:
        notes.append(f"{' and '.join(poles)} after a number makes it negative")
    signs = [*(m for m in ("-", "−", "()") if m in marks), *poles]
    return [*signs, *negative], [m for m in debits if m not in negative], notes


def _signed_oddly(texts: Sequence[NumberText]) -> bool:
    return any(" " in t.body for t in texts)


def _notes(
    decimal: str, grouping: str, without: Sequence[str], units: set[str], texts: Sequence[NumberText]
) -> list[str]:
    notes = []
    if decimal == ",":
        doubt = all(re.fullmatch(r"[1-9]\d{0,2},\d{3}", t.body) for t in texts)
        notes.append("the decimal sign is a comma" + (": a choice, it could separate thousands" if doubt else ""))
    if grouping:
        sign = {",": "commas", ".": "points", "'": "apostrophes", " ": "blanks", "_": "underscores"}[grouping]
        doubt = grouping in ",._" and all(re.fullmatch(r"[1-9]\d{0,2}[,._]\d{3}", t.body) for t in texts)
        other = "be of codes" if grouping == "_" else "be decimal signs"
        notes.append(f"{sign} separate thousands" + (f": a choice, they could {other}" if doubt else ""))
    if units - {""}:
        notes.append(f"without the unit {min(units - {''})} after the number")
    elif without := [word for word in without if word not in {t.flag for t in texts}]:
        notes.append(f"without the sign{'s' if len(without) > 1 else ''} {', '.join(without)} around the number")
    return notes
