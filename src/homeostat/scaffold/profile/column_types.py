"""The type of a column and how it is written, by which the loop reads it too: number, time, yes or no, or words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from homeostat.data.casts import AROUND, INVISIBLE, NULLS, TRUTH
from homeostat.project.writing import PLAIN, Writing
from homeostat.scaffold.profile.identifiers import always_quoted
from homeostat.scaffold.profile.null_words import ABSENT_WORDS, NULL_WRITINGS, is_error, plain
from homeostat.scaffold.profile.number_writing import decimal_sign, mixed_measures, number_writing
from homeostat.scaffold.profile.shapes import ColumnText, Shape, column_text, sample
from homeostat.scaffold.profile.time_writing import clash_of_orders, time_writing
from homeostat.scaffold.profile.workspace import Workspace

YES = {
    "true", "t", "yes", "y", "on", "ja", "j", "oui", "si", "sí", "sim", "да", "так", "是", "wahr", "vrai", "verdadero",
    "tak", "evet", "はい", "예", "네", "kyllä", "igen", "ano", "áno", "da", "ναι", "نعم", "כן", ".t.", ".true.", "b'1'",
    "✓", "✔", "✅", "☑", "checked",
}  # fmt: skip
NO = {
    "false", "f", "no", "n", "off", "nein", "non", "não", "nao", "нет", "ні", "否", "falsch", "faux", "falso", "nie",
    "hayır", "いいえ", "아니오", "아니요", "nej", "nee", "ei", "nem", "ne", "όχι", "لا", "לא", ".f.", ".false.", "b'0'",
    "✗", "✘", "❌", "☐", "unchecked",
}  # fmt: skip
CROSSES = {"x", "✓", "✔", "✅", "☑", "*", "yes", "y", "ja", "j", "true", "t", "oui", "si", "sí", "sim", "1"}
VARIED, REPEATED = 20, 0.01  # least numbers or times that differ, and share of a word, for it to mean none among them
NA = "NA"  # of R a value that is missing
LIKELY = 0.5  # share of the rows from which a column looks like what it is not


@dataclass(frozen=True)
class Reading:
    """How a column is converted: its kind, SQL over the text as written (None: as it is), its writing, and notes.

    ``mostly`` is the kind that most but not all of its values have; ``ambiguous``: it could be read otherwise.
    ``odd`` are values of a number or time that are none, and count as missing; ``kept``: a word for none that is a
    code among others here.
    """

    kind: str
    sql: str | None = None
    note: str = ""
    mostly: str = ""
    ambiguous: bool = False
    writing: Writing = PLAIN
    odd: tuple[str, ...] = ()
    kept: str = ""


def readings_of(
    work: Workspace, table: str, columns: Sequence[tuple[str, str]], delimiter: str
) -> dict[str, Reading | None]:
    """How each column (name and SQL type) is converted; None for one that cannot be used, such as a nested one."""
    texts = {raw: column_text(work, table, raw) for raw, sql_type in columns if sql_type == "VARCHAR"}
    signs = {decimal_sign(t.shapes) for t in texts.values()} - {""}
    hint = signs.pop() if len(signs) == 1 else "," if not signs and delimiter == ";" else "."
    readings = {}
    for raw, sql_type in columns:
        text = texts.get(raw)
        readings[raw] = _of_type(work, table, raw, sql_type) if text is None else _of_text(work, table, text, hint)
    if any(reading is not None and reading.kind != "string" and _has(texts[raw], NA)
           for raw, reading in readings.items() if raw in texts):  # where NA is no code, but none
        for raw in [raw for raw, reading in readings.items() if reading is not None and reading.kept]:
            readings[raw] = _words(work, table, texts[raw], codes=False)
    return readings


def _has(text: ColumnText, word: str) -> bool:
    return word in {v for v, _ in text.frequent} | {e for s in text.shapes for e in s.examples}


def _of_type(work: Workspace, table: str, raw: str, sql_type: str) -> Reading | None:
    """A column that has a type already."""
    kind = sql_type.split("(")[0]
    if sql_type.endswith("]") or kind in ("STRUCT", "MAP", "UNION", "BLOB", "BIT", "JSON", "VARIANT"):
        return None
    if kind in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"):
        return Reading("integer")
    if kind in ("UBIGINT", "HUGEINT", "UHUGEINT") or re.fullmatch(r"DECIMAL\(\d+,0\)", sql_type):
        return _wide(work, table, raw)
    if kind in ("FLOAT", "DOUBLE", "DECIMAL"):
        return Reading("float", None if kind != "DECIMAL" else f"CAST({always_quoted(raw)} AS DOUBLE)")
    if kind == "BOOLEAN":
        return Reading("boolean")
    if kind.startswith("TIMESTAMP") or kind == "DATE":
        return Reading("time")
    if kind.startswith(("ENUM", "UUID", "TIME", "INTERVAL")) or kind.strip('"') == "NULL":
        return Reading("string", f"CAST({always_quoted(raw)} AS VARCHAR)")
    return None


def _wide(work: Workspace, table: str, raw: str) -> Reading:
    """Whole numbers that may be wider than 64 bits: as they are where they fit, else words that keep every digit."""
    name = always_quoted(raw)
    (wide,) = work.row(
        f"SELECT count(*) FROM {always_quoted(table)} WHERE {name} IS NOT NULL AND TRY_CAST({name} AS BIGINT) IS NULL"
    )
    if wide:
        note = "whole numbers beyond 64 bits: kept as words, digit by digit"
        return Reading("string", f"CAST({name} AS VARCHAR)", note)
    return Reading("integer", f"CAST({name} AS BIGINT)")


def _holds_lists(values: Sequence[str]) -> bool:
    """Whether text is lists or objects of JSON.

    >>> _holds_lists(["[1, 2]", ""]), _holds_lists(["[1/Jan/2024]"])
    (True, False)
    """
    filled = [v for v in values if v.strip()]
    try:
        return bool(filled) and all(v[:1] in "[{" and isinstance(json.loads(v), list | dict) for v in filled)
    except ValueError:
        return False


def _of_text(work: Workspace, table: str, text: ColumnText, hint: str) -> Reading | None:
    """The first of yes or no, number and time that nearly all values have, placeholders such as N/A aside."""
    words = [v for v, _ in text.frequent]
    if _holds_lists(words):
        return None
    absent = tuple(v for v in words if plain(v) in ABSENT_WORDS and v)
    flag = _flag(text, absent)
    if flag is not None:
        return flag
    shapes = _without(text.shapes, lambda value: plain(value) in ABSENT_WORDS)
    if not shapes:
        return _words(work, table, text)
    absent = tuple(dict.fromkeys([*absent, *(e for s in text.shapes if s not in shapes for e in s.examples)]))
    strays = _stray_words(text, shapes)
    shapes = [s for s in shapes if s not in strays]
    strange = ", ".join(f"{s.examples[0]!r} in {s.rows:,} rows" for s in strays)
    strange = f"{strange} read as missing: a choice" if strays else ""
    unnamed = (*absent, *(s.examples[0] for s in strays))
    number = number_writing(shapes, hint)
    if number is not None:
        odd = tuple(v for v in number.odd if is_error(v))
        limits = tuple(v for v in number.odd if v not in odd)
        writing = with_missing(number.writing, (*unnamed, *odd))
        notes = [*number.notes, strange, _missing_note(absent), _odd_note(odd, limits)]
        return Reading(number.kind, None, _joined(notes), "", "a choice" in _joined(notes), writing, number.odd)
    time = time_writing(_without(shapes, is_error), lambda: sample(work, table, text.raw))
    if time is not None:
        infinite = tuple(v for v in words if plain(v) in ("infinity", "-infinity"))
        writing = with_missing(time.writing, tuple(dict.fromkeys((*unnamed, *infinite))))
        notes = [*time.notes, strange, _missing_note(absent)]
        return Reading("time", None, _joined(notes), "", time.ambiguous or bool(strays), writing)
    for kind, why in (("number", mixed_measures(shapes)), ("time", clash_of_orders(shapes))):
        if why:
            reading = _words(work, table, text)
            return replace(reading, note=_joined([f"{why}: left as words", reading.note]), mostly=kind, ambiguous=True)
    return _mixed(text, shapes, hint) or _words(work, table, text)


def _without(shapes: Sequence[Shape], is_none: Callable[[str], bool]) -> list[Shape]:
    return [s for s in shapes if not all(is_none(e) for e in s.examples)]


def _stray_words(text: ColumnText, shapes: Sequence[Shape]) -> list[Shape]:
    """One or two words that stand, again and again, among many different numbers or times: they can only mean none."""
    strays = [s for s in shapes if not any(re.search(r"\d", e) or is_error(e) for e in s.examples)]
    varied = sum(bool(re.search(r"\d", value)) for value, _ in text.frequent) >= VARIED
    rows, total = sum(s.rows for s in strays), sum(s.rows for s in shapes)
    sound = varied and len(strays) <= 2 and all(s.rows >= REPEATED * total for s in strays)
    return strays if sound and rows < (1 - LIKELY) * total else []


def with_missing(writing: Writing, missing: Sequence[str]) -> Writing:
    """The writing with these values as missing; what every reader takes for none need not be said."""
    bare = tuple(dict.fromkeys(v.strip() for v in missing if v.strip() and v not in NULLS))
    return writing.model_copy(update={"missing": bare}) if bare else writing


def _joined(notes: Sequence[str]) -> str:
    return "; ".join(filter(None, notes))


def _missing_note(absent: Sequence[str]) -> str:
    shown = sorted(v for v in absent if v not in NULLS)
    return f"{', '.join(map(repr, shown))} read as missing" if shown else ""


def _odd_note(odd: Sequence[str], limits: Sequence[str]) -> str:
    shown = [*odd, *limits][:6]
    more = ", ..." if len(odd) + len(limits) > 6 else ""
    return f"{', '.join(map(repr, shown))}{more} are no numbers: read as missing" if shown else ""


def _mixed(text: ColumnText, shapes: Sequence[Shape], hint: str) -> Reading | None:
    """Words that look like numbers or times in most rows but not in nearly all."""
    total = sum(s.rows for s in shapes)
    ordered = sorted(shapes, key=lambda s: -s.rows)
    if text.rows < 10 or not total:
        return None
    for kind, of in (("number", lambda s: number_writing(s, hint)), ("time", lambda s: time_writing(s, tuple))):
        rows = sum(s.rows for s in ordered if of([s]) is not None)
        if LIKELY * total <= rows < total:
            note = f"looks like {kind} in most rows but not in all: left as words"
            return Reading("string", None, note, kind)
    return None


def _flag(text: ColumnText, absent: Sequence[str]) -> Reading | None:
    """Yes or no in any words; or a cross where it is so and a blank where not."""
    stated = [v for v, _ in text.frequent if v not in absent and v.strip()]
    plains = {plain(v) for v in stated}
    if len(plains) == 1 and plains <= CROSSES and text.blanks and len(stated) <= 3:
        rows = sum(n for v, n in text.frequent if v in stated)
        note = f"{stated[0]!r} in {rows:,} rows is yes, a blank in {text.blanks:,} is no"
        writing = Writing(yes=tuple(v.strip() for v in stated), no=("",))
        return Reading("boolean", None, note, writing=with_missing(writing, absent))
    if not plains or not (plains <= YES | NO and plains & YES and plains & NO):
        return None
    if plains <= TRUTH.keys():
        return Reading("boolean", None, _missing_note(absent), writing=with_missing(PLAIN, absent))
    yes, no = (tuple(dict.fromkeys(v.strip() for v in stated if plain(v) in of)) for of in (YES, NO))
    note = f"{', '.join(sorted(plains))} read as yes or no"
    writing = with_missing(Writing(yes=yes, no=no), absent)
    return Reading("boolean", None, _joined([note, _missing_note(absent)]), writing=writing)


def _words(work: Workspace, table: str, text: ColumnText, codes: bool = True) -> Reading:
    """Words; the blanks around them are no part of them. Without ``codes`` NA is none, whatever stands beside it."""
    name = always_quoted(text.raw)
    nulls = tuple(v for v, _ in text.frequent if v.strip() in NULL_WRITINGS)
    is_code = codes and _is_code_beside(text)
    nulls = tuple(v for v in nulls if not is_code or v.strip() != NA)
    around, example = work.row(
        f"SELECT count(*), min(v) FROM (SELECT {name} AS v FROM {always_quoted(table)}) "
        f"WHERE regexp_matches(v, '{AROUND}') OR regexp_matches(v, '{INVISIBLE}')"
    )
    stated = f"{', '.join(map(repr, sorted(nulls)))} read as missing" if nulls else ""
    notes = [stated, f"{NA!r} kept as a code like the others, not as missing: a choice" if is_code else ""]
    writing = PLAIN.model_copy(update={"missing": tuple(dict.fromkeys(v.strip() for v in nulls))})
    if around:
        notes.append(
            f"blanks or invisible characters around {around:,} values, such as {example!r}, are no part of them"
        )
        writing = writing.model_copy(update={"words": "trimmed"})
    apart, example = work.row(
        f"SELECT count(*), min(v) FROM (SELECT {name} AS v FROM {always_quoted(table)}) WHERE nfc_normalize(v) <> v"
    )
    if apart:
        notes.append(f"letters and their accents stand apart in {apart:,} values, such as {example!r}: joined")
        writing = writing.model_copy(update={"words": "trimmed"})
    kept = NA if is_code else ""
    return Reading("string", None, _joined(notes), ambiguous=is_code, writing=writing, kept=kept)


def _is_code_beside(text: ColumnText) -> bool:
    """Whether NA is one of codes in capitals, as of Namibia or North America, and not a word for none."""
    others = [v.strip() for v, _ in text.frequent if v.strip() and v.strip() not in NULL_WRITINGS]
    rows = dict(text.frequent).get(NA, 0)
    return bool(rows) and len(others) > 1 and all(re.fullmatch("[A-Z]{2,5}", v) for v in others)


def with_nulls(reading: Reading, nulls: Sequence[str]) -> Reading:
    """The same where the file's own words for none go without saying."""
    missing = tuple(v for v in reading.writing.missing if v not in nulls)
    return replace(reading, writing=reading.writing.model_copy(update={"missing": missing}))


def folded(reading: Reading, note: str) -> Reading:
    """The same with writings that differ only in capitals and blanks as one word."""
    writing = reading.writing.model_copy(update={"words": "folded"})
    return replace(reading, writing=writing, note=_joined([reading.note, note]))
