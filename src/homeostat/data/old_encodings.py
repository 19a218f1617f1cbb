"""Encodings of text from before UTF-8, by the bytes that are common in each: of East Asia, Cyrillic and Greek."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

LEAST = 0.8  # share of the signs beyond ASCII that are common ones
LETTERS = 5  # different ones at least, of a script with capitals
WITHIN = 0.05  # share of the letters that are capitals after small ones, where it is another script
HIGH = re.compile(rb"[\x80-\xff]")
ALONE = re.compile(rb"(?:(?<=[A-Za-z])[\x80-\xff](?![\x80-\xff])|(?<![\x80-\xff])[\x80-\xff](?=[A-Za-z]))")
BEYOND = re.compile(r"[^\x00-\x7f]")


def _within(first: str, last: str, also: str = "") -> Callable[[str], bool]:
    return lambda sign: first <= sign <= last or sign in also


def _leads(encoding: str, first: int, last: int) -> Callable[[str], bool]:
    """Whether the first of a sign's two bytes is one of those that common signs have."""
    return lambda sign: len(two := sign.encode(encoding, "replace")) == 2 and first <= two[0] <= last


# in the order in which they are tried: what is Korean may be Chinese, and seldom the other way round
COMMON: dict[str, Callable[[str], bool]] = {
    "cp1251": _within("А", "я", "Ёё№"),
    "koi8-r": _within("А", "я", "Ёё"),
    "cp1253": _within("Ά", "ώ"),
    "euc-kr": _leads("euc-kr", 0xB0, 0xC8),
    "gb18030": _leads("gb18030", 0xB0, 0xD7),
    "cp932": lambda sign: "\u3040" <= sign <= "\u30ff" or _leads("cp932", 0x88, 0x97)(sign),
    "big5": _leads("big5", 0xA4, 0xC6),
}


def old_encoding(data: bytes) -> str | None:
    """The encoding of text that is no UTF-8; None where most letters beyond ASCII stand alone, as in Europe.

    >>> [old_encoding("дом, Москва".encode(e)) for e in ("cp1251", "koi8-r")]
    ['cp1251', 'koi8-r']
    >>> old_encoding("東京、おおさか".encode("cp932")), old_encoding("上海,重庆,西安".encode("gb18030"))
    ('cp932', 'gb18030')
    >>> old_encoding("서울,부산".encode("euc-kr")), old_encoding("Zürich,Genève".encode("cp1252"))
    ('euc-kr', None)
    """
    high = len(HIGH.findall(data))
    if not high or 2 * len(ALONE.findall(data)) > high:
        return None
    for encoding, is_common in COMMON.items():
        try:
            signs = BEYOND.findall(text := data.decode(encoding))
        except UnicodeDecodeError:
            continue
        if sum(map(is_common, signs)) >= LEAST * len(signs) and (len(signs[0].encode(encoding)) > 1 or _is_cased(text)):
            return encoding
    return None


def _is_cased(text: str) -> bool:
    """Whether its letters beyond ASCII are several, mostly small ones, with capitals at the beginnings of words."""
    letters = [sign for sign in BEYOND.findall(text) if sign.isalpha()]
    inside = sum(a.islower() and b.isupper() and not b.isascii() for a, b in pairwise(text))
    small = sum(letter.islower() for letter in letters)
    return len(set(letters)) >= LETTERS and 2 * small > len(letters) and inside <= WITHIN * len(letters)
