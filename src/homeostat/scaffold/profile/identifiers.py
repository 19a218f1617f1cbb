"""Names and values as SQL and files can write them, whatever the table calls them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

import duckdb

from homeostat.adapters.sql_names import quoted as always_quoted

# What Homeostat adds to tables and predictions, and the name that features.sql gives the events.
RESERVED = ("event_time", "predict_at", "reason", "as_of", "tick", "release", "risk", "alert", "events", "row_id")
PREFIXES = (
    "given__", "label__", "known__", "group__", "score__", "baseline__", "never__", "filtered__", "decided__"
)  # fmt: skip


def plain_names(raws: Iterable[str]) -> list[str]:
    """A name for each column that needs no quotes: as it is where that works, else letters, digits and _.

    >>> plain_names(["Hour", "Temp. max [°C]", "hour", "event_time", "Größe"])
    ['Hour', 'Temp_max_C', 'hour_2', 'event_time_', 'Größe']
    """
    names: list[str] = []
    for number, raw in enumerate(raws, 1):
        name = re.sub(r"[^\w]+", "_", unicodedata.normalize("NFC", raw.strip())).strip("_") or f"column_{number}"
        if name[0].isdigit() or name.lower().startswith(PREFIXES):
            name = f"c_{name}"
        if name.lower() in RESERVED or re.fullmatch(r"\w+_known_at", name.lower()):
            name += "_"
        taken = {n.lower() for n in names}
        free, count = name, 2
        while free.lower() in taken:
            free, count = f"{name}_{count}", count + 1
        names.append(free)
    return names


def ascii_name(text: str, otherwise: str) -> str:
    """A name of ASCII letters, digits and _ that starts with a letter, as sources and objectives have.

    >>> ascii_name("Ist gekündigt?", "label"), ascii_name("№ 1", "label")
    ('Ist_gekundigt', 'No_1')
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_")
    if not name:
        return otherwise
    return name if name[0].isalpha() else f"{otherwise}_{name}"


@cache
def _keywords() -> frozenset[str]:
    query = "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'"
    return frozenset(row[0].lower() for row in duckdb.execute(query).fetchall())


def quoted(name: str) -> str:
    """A name as SQL writes it, in quotes where it needs them."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) and name.lower() not in _keywords():
        return name
    return always_quoted(name)


def quoted_list(names: Iterable[str]) -> str:
    """Names with commas between, each in quotes."""
    return ", ".join(map(always_quoted, names))


def spaced(name: str) -> str:
    """A name in small letters with spaces between its camelCase words.

    >>> spaced("dayOfMonth")
    'day of month'
    """
    return re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower()


def words(name: str) -> set[str]:
    """The words of a name in small letters.

    >>> sorted(words("arrivalDate_hour"))
    ['arrival', 'date', 'hour']
    """
    return set(re.split(r"[^a-z]+", spaced(name))) - {""}


def is_identifier_name(name: str) -> bool:
    """Whether a column is called like something that identifies a row.

    >>> [is_identifier_name(n) for n in ("id", "Order ID", "customerId", "paid", "uuid", "humidity")]
    [True, True, True, False, True, False]
    """
    plain = re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
    return bool(re.search(r"(^|[^a-z])(id|uuid|guid|key|no|nr|number|index|rowid|row)($|[^a-z])", plain)) or plain in (
        "unnamed: 0",
        "",
    )
