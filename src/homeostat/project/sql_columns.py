"""The columns that an SQL expression of the scope names, by its words: before any engine is at hand."""

from __future__ import annotations

import re
from collections.abc import Iterable

WORD = re.compile(r"'(?:[^']|'')*'|\"((?:[^\"]|\"\")+)\"|(--[^\n]*)|([A-Za-z_]\w*)(\s*\()?")


def columns_in(expression: str, columns: Iterable[str]) -> set[str]:
    r"""Those of ``columns`` that the expression names; SQL takes upper and lower case alike.

    >>> sorted(columns_in("Kind = 'load' AND \"at\" > now -- meter", ["kind", "load", "at", "meter"]))
    ['at', 'kind']
    >>> columns_in("year(at) = 2024", ["year", "at"])
    {'at'}
    """
    words = set()
    for match in WORD.finditer(expression):
        written, _, word, call = match.groups()
        if written:
            words.add(written.replace('""', '"').lower())
        elif word and not call:
            words.add(word.lower())
    return {column for column in columns if column.lower() in words}
