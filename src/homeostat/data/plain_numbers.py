"""Numbers from text as people and programs write them, made plain so that any tool reads them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl

from homeostat.data.durations import durations
from homeostat.project.writing import Writing

BLANKS = r"[\s\x{a0}\x{202f}\x{2009}]"
BRACKETS = "()"
PLAIN = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$"


def plain_numbers(text: pl.Series, writing: Writing) -> pl.Series:
    """The numbers with a point, a sign before them and nothing else; what is no number stays as it is.

    >>> plain_numbers(pl.Series(["1.234,50-", "€ 7", "(3)"]), Writing(
    ...     decimal=",", grouping=".", without=("€",), negative=("-", "()"))).to_list()
    ['-1234.50', '7', '-3']
    >>> plain_numbers(pl.Series(["12,- Kč", "3,--"]), Writing(decimal=",", without=("Kč",))).to_list()
    ['12', '3']
    """
    if writing.duration:
        return durations(text).fill_null(text).alias(text.name)
    bare = text.str.replace_all(BLANKS + "+", "").str.replace_all(r"[\x{2212}\x{2013}\x{2014}]", "-")
    for word in sorted(writing.without, key=len, reverse=True):
        bare = bare.str.replace_all(word.replace(" ", ""), "", literal=True)
    bare = _signed(bare.str.replace(r"[.,]-{1,2}$", ""), writing.negative)  # 12,- euros have no cents
    if writing.decimal == "," or writing.grouping:
        bare = _with_point(bare, writing)
    plain = bare.str.contains(PLAIN)
    return bare.set(~plain.fill_null(False), None).fill_null(text).alias(text.name)


def _signed(bare: pl.Series, marks: Sequence[str]) -> pl.Series:
    """The sign before the number, whatever marks a negative one."""
    negative = pl.Series([False], dtype=pl.Boolean).new_from_index(0, len(bare))
    for mark in marks:
        if mark == BRACKETS:
            marked = bare.str.contains(r"^\(.*\)$").fill_null(False)
            stripped = bare.str.strip_chars_start("(").str.strip_chars_end(")")
        else:
            marked = bare.str.ends_with(mark).fill_null(False)
            stripped = bare.str.strip_suffix(mark)
        negative |= marked
        bare = pl.select(pl.when(marked).then(stripped).otherwise(bare))[:, 0]
    return pl.select(pl.when(negative).then("-" + bare.str.strip_chars_start("+")).otherwise(bare))[:, 0]


def _with_point(bare: pl.Series, writing: Writing) -> pl.Series:
    """With a point as the decimal sign and no signs of groups; null where a group has a wrong length."""
    groups = re.escape(writing.grouping.replace(" ", "")).replace("'", "'’")
    fits = bare.str.contains(grouped_pattern(writing.decimal, groups)).fill_null(False)
    joined = bare.str.replace_all(f"[{groups}]", "") if groups else bare
    return joined.str.replace(writing.decimal, ".", literal=True).set(~fits, None)


def grouped_pattern(decimal: str, groups: str) -> str:
    """A number whose groups have three digits, or two before the last as in a lakh; blanks are gone already."""
    first = r"[1-9]\d"  # 0,250 is a quarter: no group begins with a zero
    lakhs = rf"{first}?(?:[{groups}]\d\d)+[{groups}]\d{{3}}"
    whole = rf"(?:\d+|{first}{{0,2}}(?:[{groups}]\d{{3}})+|{lakhs})" if groups else r"\d+"
    return rf"^[+-]?(?:{whole}(?:{re.escape(decimal)}\d*)?|{re.escape(decimal)}\d+)(?:[eE][+-]?\d+)?$"
