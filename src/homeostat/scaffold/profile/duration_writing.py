"""Columns of durations, such as 5:30 or 1h 5m, which are numbers once no clock of a day is wanted of them."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from homeostat.data.durations import durations
from homeostat.project.writing import Writing
from homeostat.scaffold.profile.column_types import with_missing
from homeostat.scaffold.profile.identifiers import always_quoted
from homeostat.scaffold.profile.null_words import ABSENT_WORDS, plain
from homeostat.scaffold.profile.shapes import column_text
from homeostat.scaffold.profile.table import Column, Table, typed_copy
from homeostat.scaffold.profile.workspace import Workspace

MOSTLY = 0.95  # share of the rows that are durations, from which the others are strays


def with_durations(work: Workspace, table: Table, time: str) -> Table:
    """The table with its durations as numbers, but for the clock that is part of ``time``, when rows happened."""
    changed, composed = table, table.column(time).reading.sql or ""
    for column in table.columns:
        apart = column.name == time or always_quoted(column.raw) in composed
        if column.kind == "string" and not apart and (written := _as_duration(work, table, column)):
            changed = changed.with_column(written)
    return typed_copy(work, changed) if changed is not table else table


def _as_duration(work: Workspace, table: Table, column: Column) -> Column | None:
    shapes = column_text(work, table.name, column.name).shapes
    absent = [e for s in shapes for e in s.examples if plain(e) in ABSENT_WORDS]
    sound = [s for s in shapes if not any(e in absent for e in s.examples)]
    rows = [(s.rows, durations(pl.Series(s.examples, dtype=pl.String)), s.examples) for s in sound]
    fitting = [(n, numbers, examples) for n, numbers, examples in rows if not numbers.null_count()]
    if not fitting or sum(n for n, *_ in fitting) < MOSTLY * sum(n for n, *_ in rows):
        return None
    if not any(_is_composed(examples[0]) for *_, examples in fitting):
        return None
    number, example = max((float(n), e) for _, some, shape in fitting for n, e in zip(some, shape, strict=True))
    whole = all(float(n).is_integer() for _, some, _ in fitting for n in some)
    short = all(examples[0].count(":") == 1 for *_, examples in fitting)
    unit = "the unit of its second part: a choice" if short else "seconds"
    note = f"durations: {example!r} is {number:.10g}, in {unit}"
    note = "; ".join(filter(None, [note, column.reading.note]))
    writing = with_missing(Writing(duration=True), [*column.reading.writing.missing, *absent])
    reading = replace(column.reading, kind="integer" if whole else "float", note=note, ambiguous=short, mostly="",
                      writing=writing)  # fmt: skip
    return replace(column, reading=reading)


def _is_composed(value: str) -> bool:
    """Whether a duration has several parts, or is written as ISO has it: of one with a unit the unit is left out.

    >>> [_is_composed(v) for v in ("5:30", "1h 5m", "PT5M", "5 min")]
    [True, True, True, False]
    """
    digits = "".join("9" if sign.isdigit() or sign in ".," else " " for sign in value)
    return len(digits.split()) > 1 or value.lstrip("+- ").startswith("P")
