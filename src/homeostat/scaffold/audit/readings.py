"""Issues of how columns are read: values that are none, that do not fit, files that overlap, rows set apart."""

from __future__ import annotations

from collections.abc import Iterator

from homeostat.adapters.sql_names import sql_string
from homeostat.core.text import count
from homeostat.scaffold.audit.issue import Issue
from homeostat.scaffold.profile.identifiers import always_quoted
from homeostat.scaffold.profile.profile_table import Profile
from homeostat.scaffold.profile.table import Column
from homeostat.scaffold.profile.workspace import Workspace


def reading_issues(work: Workspace, profile: Profile) -> Iterator[Issue]:
    name = profile.table.name
    for column in profile.table.columns:
        if column.reading.odd:
            yield _odd(work, profile, column)
        rows, example = column.unfit
        if rows and column.name != profile.time.column:
            text = f"{column.raw} is no {column.kind} in {count(rows, 'row')}, such as {example!r}: quarantined"
            fix = f"fix them in the table, or say in sources.{name}.written.{column.name} how they are written"
            yield Issue("values that do not fit", column.name, text, fix, 1.0, 73)
    if profile.time.stray_range is not None:
        first, last = profile.time.stray_range
        of = str(first) if first == last else f"{first} to {last}"
        text = f"{count(profile.time.strays, 'row')} of {of}, far from all others: they belong to no batch"
        yield Issue("stray times", profile.time.column, text, "left out; fix them in the table", 0.97, 60)
    if profile.overlap is not None:
        again, changed = profile.overlap
        text = f"files overlap: {count(again, 'row')} come again in a later file, {changed:,} of them with other values"
        fix = "the row of the newest file counts, by the order of the files' names"
        yield Issue("overlapping files", "", text, fix, 1.0, 61)


def _odd(work: Workspace, profile: Profile, column: Column) -> Issue:
    """Values of a number that are none, such as #DIV/0! or <0.5."""
    own = always_quoted(column.raw)
    words = ", ".join(sql_string(v.strip()) for v in column.reading.odd)
    limits = f" OR regexp_matches({own}, '^\\s*[<>≤≥]')" if column.reading.writing.limits == "missing" else ""
    (rows,) = work.row(
        f"SELECT count(*) FROM {always_quoted(profile.table.name + '__raw')} WHERE trim({own}) IN ({words}){limits}"
    )
    shown = ", ".join(map(repr, column.reading.odd[:6])) + (", ..." if len(column.reading.odd) > 6 else "")
    text = f"{column.raw} is no number in {count(rows, 'row')}: {shown} read as missing"
    label = column.name == profile.label.column
    fix = "such rows train and judge nothing" if label else "kept with a blank there; fix them in the table"
    return Issue("odd values", column.name, text, fix, 1.0, 70 if label else 56)
