"""Digits and signs of other scripts and of full width as those of ASCII; marks of the writing direction go."""

from __future__ import annotations

import polars as pl

from homeostat.adapters.sql_names import sql_string

ZEROS = "٠۰०০੦૦୦௦౦೦൦๐໐༠၀០᠐"  # of Arabic, Persian, the scripts of India, Thai, Lao, Tibetan, Burmese, Khmer, Mongolian
DIGITS = {chr(ord(zero) + n): str(n) for zero in ZEROS for n in range(10)}
FULL_WIDTH = {chr(code + 0xFEE0): chr(code) for code in range(0x21, 0x7F)} | {"￥": "¥", "￡": "£", "\u3000": " "}
SIGNS = {"٫": ".", "٬": ",", "،": ",", "٪": "%", "۔": ".", "。": "."}
DIRECTIONS = "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
PLAIN = DIGITS | FULL_WIDTH | SIGNS


def plain_digits(text: pl.Series) -> pl.Series:
    """Text with such digits and signs replaced; as it is where all of it is ASCII.

    >>> plain_digits(pl.Series(["١٬٢٣٤٫٥", "２０２４／０１／３１"])).to_list()
    ['1,234.5', '2024/01/31']
    """
    if not bool((text.str.len_bytes() != text.str.len_chars()).any()):
        return text
    return text.str.replace_many([*PLAIN, *DIRECTIONS], [*PLAIN.values(), *[""] * len(DIRECTIONS)])


def plain_digits_sql(sql: str) -> str:
    """The same in SQL."""
    old, new = sql_string("".join(PLAIN) + DIRECTIONS), sql_string("".join(PLAIN.values()))
    return f"CASE WHEN strlen({sql}) = length({sql}) THEN {sql} ELSE translate({sql}, {old}, {new}) END"
