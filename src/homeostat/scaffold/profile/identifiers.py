"""Names: of columns as SQL and files can say them, whatever the table calls them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

from homeostat.adapters.sql_names import quoted as always_quoted

# What Homeostat adds to tables and predictions, and the name that features.sql gives the events.
TAKEN = ("event_time", "predict_at", "reason", "as_of", "tick", "release", "risk", "alert", "events", "row_id")
PREFIXES = ("given__", "label__", "known__", "group__", "score__", "baseline__", "never__")


def plain_names(raws: Iterable[str]) -> list[str]:
    """A name for each column that needs no care: as it is where that works, else letters, digits and _.

    >>> plain_names(["Hour", "Temp. max [°C]", "hour", "event_time", "Größe"])
    ['Hour', 'Temp_max_C', 'hour_2', 'event_time_', 'Größe']
    """
    found: list[str] = []
    for number, raw in enumerate(raws, 1):
        name = re.sub(r"[^\w]+", "_", unicodedata.normalize("NFC", raw.strip())).strip("_") or f"column_{number}"
        if name[0].isdigit() or name.lower().startswith(PREFIXES):
            name = f"c_{name}"
        if name.lower() in TAKEN or re.fullmatch(r"\w+_known_at", name.lower()):
            name += "_"
        lower = {n.lower() for n in found}
        free, count = name, 2
        while free.lower() in lower:
            free, count = f"{name}_{count}", count + 1
        found.append(free)
    return found


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
    import duckdb

    asked = "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'"
    return frozenset(row[0].lower() for row in duckdb.execute(asked).fetchall())


def quoted(name: str) -> str:
    """A name as SQL says it, in quotes where it needs them."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) and name.lower() not in _keywords():
        return name
    return always_quoted(name)


def words(name: str) -> set[str]:
    """The words of a name in small letters.

    >>> sorted(words("arrivalDate_hour"))
    ['arrival', 'date', 'hour']
    """
    return set(re.split(r"[^a-z]+", apart(name))) - {""}


def apart(name: str) -> str:
    """A name in small letters, its words apart.

    >>> apart("dayOfMonth")
    'day of month'
    """
    return re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower()


def text(value: object) -> str:
    """A value as an SQL string.

    >>> text("it's")
    "'it''s'"
    """
    return "'" + str(value).replace("'", "''") + "'"
