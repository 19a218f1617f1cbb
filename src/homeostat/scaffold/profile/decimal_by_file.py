"""Files of one table that differ in the decimal sign: 1.234 is more than a thousand in some, and not in others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from homeostat.scaffold.profile.column_types import Reading
from homeostat.scaffold.profile.identifiers import always_quoted
from homeostat.scaffold.profile.open_table import FILE
from homeostat.scaffold.profile.workspace import Workspace

CERTAIN = {  # numbers that leave no doubt about their decimal sign
    ",": r"^(\d+,(\d{1,2}|\d{4,})|0,\d+|[\d.]+\.\d{3},\d+)$",
    ".": r"^(\d+\.(\d{1,2}|\d{4,})|0\.\d+|[\d,]+,\d{3}\.\d+)$",
}

KINDS = ("integer", "float")


def with_one_decimal_sign(
    work: Workspace, table: str, readings: Mapping[str, Reading | None], text: Iterable[str]
) -> dict[str, Reading | None]:
    """The readings of a table of several files, its numbers left as words where the files differ; ``text``: as written.

    Numbers without any point or comma stay.
    """
    read = {raw: reading for raw in text if (reading := readings[raw]) is not None}
    numbers = [raw for raw, reading in read.items() if reading.kind in KINDS or reading.mostly == "number"]
    signs: dict[int, set[str]] = {}
    parted = []
    for raw in numbers:
        bare = f"regexp_replace({always_quoted(raw)}, '[^0-9.,]', '', 'g')"
        rows = work.rows(
            f"SELECT {FILE}, bool_or(contains(v, '.') OR contains(v, ',')), "
            f"bool_or(regexp_matches(v, '{CERTAIN[',']}')), bool_or(regexp_matches(v, '{CERTAIN['.']}')) "
            f"FROM (SELECT {FILE}, {bare} AS v FROM {always_quoted(table)} WHERE {always_quoted(raw)} IS NOT NULL) "
            "GROUP BY 1"
        )
        parted += [raw] if read[raw].kind in KINDS and any(row[1] for row in rows) else []
        for file, _, comma, point in rows:
            signs.setdefault(file, set()).update(sign for sign, there in ((",", comma), (".", point)) if there)
    if {","} not in signs.values() or {"."} not in signs.values():
        return dict(readings)
    note = "has a decimal comma in some files and a decimal point in others: left as words"
    words = Reading("string", None, note, "number", True)
    return {raw: words if raw in parted else reading for raw, reading in readings.items()}
