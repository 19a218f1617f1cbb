"""Values by which programs and people say that there is none, and those that no time or number can be."""

from __future__ import annotations

import re

# what databases, languages and spreadsheets write for a null; in a column of words too
NULL_WORDS = {
    "null", "(null)", "<null>", "[null]", "\\n", "nan", "-nan", "n/a", "#n/a", "#n/a n/a", "<na>", "nat", "none", "nil",
    "undefined",
    "1.#qnan", "-1.#ind", "1.#ind", "#null!", "-nan(ind)", "missing value", "no data", "nodata", "&nbsp;",
}  # fmt: skip
# the same as written in a column of words, where another case may be a word: Undefined is a class of its own
NULL_WRITINGS = {
    "NA", "NULL", "null", "(null)", "(NULL)", "<null>", "<NULL>", "[null]", "[NULL]", "\\N", "NaN", "nan", "NAN", "n/a",
    "N/A", "#N/A", "#N/A N/A", "<NA>", "<nil>", "NaT", "nil", "undefined", "&nbsp;", "1.#QNAN", "-1.#IND", "#NULL!",
}  # fmt: skip
# what people write for one, in a column of numbers, times or flags
ABSENT_WORDS = NULL_WORDS | {
    "", "\0", "na", ":", "-", "--", "---", "?", "??", ".", "..", "*", "**", "—", "–", "missing", "unknown",
    "n.a.", "n.v.",
    "k.a.",
    "k. a.", "n/d", "nd", "s/d", "s/i", "n.d.", "void", "blank", "(blank)", "empty", "(empty)", "not available",
    "not applicable", "not set", "never", "tbd", "x.x", "b.d.", "...", "…", "n/r", "s.d.", "nm", "not measured",
    "dbnull", "nonetype", "keine", "keine angabe", "0000-00-00",
    "0000-00-00 00:00:00", "0000-00-00t00:00:00", "1/0/1900", "0/1/1900", "0.1.1900", "00.01.1900", "00/00/0000",
    "00.00.0000", "00000000", "infinity", "-infinity",
}  # fmt: skip
ERROR_WORDS = {
    "#div/0!", "#ref!", "#value!", "#num!", "#name?", "#error!", "#calc!", "#spill!", "err", "err:502", "error",
    "inf", "+inf", "-inf", "infinity", "-infinity", "+infinity", "1.#inf", "-1.#inf", "∞", "-∞", "######", "overflow",
    "ovl", "over", "under",
}  # fmt: skip
SPREADSHEET_ERROR = re.compile(r"#[¡]?[^\W\d][\w/]*[!?]?|-?1[.,]#(?:inf|ind|qnan|snan)0*|[+-]?nan\(\w*\)|#{3,}")
LIMIT = re.compile(r"\s*([<>≤≥]=?)\s*(?:[+-]?\d[\d.,]*\s*\S{0,8}|lo[dq]|ul[oq])", re.IGNORECASE)  # of an instrument


def plain(value: str) -> str:
    """A value in small letters, without invisible characters and blanks around it, and with one blank for several."""
    visible = re.sub("[\u200b-\u200f\u2060\ufeff\u00ad]", "", value)
    return re.sub(r"[\s\u00a0\u202f]+", " ", visible).strip().lower()


def is_error(value: str) -> bool:
    """Whether a value is an error or an infinity of a spreadsheet, language or instrument, in any language.

    >>> [is_error(v) for v in ("#DIV/0!", "#WERT!", "#¡REF!", "#N/D", "1.#INF00", "inf", "#1", "B12")]
    [True, True, True, True, True, True, False, False]
    """
    word = plain(value)
    return word in ERROR_WORDS or SPREADSHEET_ERROR.fullmatch(word) is not None
