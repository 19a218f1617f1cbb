"""A table at any address, opened by the loop's reader in a database on disk, so that it may be larger than memory."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from homeostat.adapters.sql_names import sql_string
from homeostat.core.errors import DataError
from homeostat.core.text import count, listed
from homeostat.data import workbooks
from homeostat.data.csv_files import (
    LOOK,
    MIXED,
    SEPARATOR,
    WINDOWS,
    decoded,
    delimiter_of,
    encoding_of,
    make_even,
    make_plain,
    make_utf8,
    signs_of,
)
from homeostat.data.csv_records import records
from homeostat.data.old_encodings import COMMON
from homeostat.data.other_files import refuse_other
from homeostat.data.queries import answered
from homeostat.data.source_files import SourceFile, is_empty, listed_at, local_copy, opened
from homeostat.data.uneven_rows import joined_names
from homeostat.project.file_form import PLAIN, FileForm
from homeostat.scaffold.profile.file_layout import form_of, has_no_signs
from homeostat.scaffold.profile.identifiers import always_quoted
from homeostat.scaffold.profile.request import Address
from homeostat.scaffold.profile.workspace import Workspace

FILE = "__file"  # the number of the file that a row stands in
INPUT = "--from"

ENCODING = "sources.file.encoding"
MOST_NOTES = 6  # on uneven rows

Form = tuple[tuple[str, str], ...]  # name and type of each column of a file
Parts = dict[Form, tuple[str, list[SourceFile]]]  # a table of the rows of the files of one form, and the files


@dataclass(frozen=True)
class OpenedTable:
    """A table as it is written: its columns with their SQL types, and how its files are laid out.

    ``changes``: a sentence for each schema change between its files; ``notes``: what a person should know of them.
    ``many``: its rows stand in several files, which ``FILE`` numbers.
    """

    columns: Form
    form: FileForm = PLAIN
    delimiter: str = ","
    changes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    many: bool = False


def open_table(work: Workspace, name: str, address: Address) -> OpenedTable:
    """Make ``name`` a relation of the table as it is written.

    Raises:
        DataError: it cannot be reached or read, or has no rows.
    """
    if address.query is not None:
        table = _fetched(work, name, address)
    else:
        table = _open_files(work, name, address)
    if not work.has_rows(f"SELECT 1 FROM {always_quoted(name)}"):
        raise DataError(f"{address}: has no rows; give a table with a history")
    return table


def _open_files(work: Workspace, name: str, address: Address) -> OpenedTable:
    """Make ``name`` a relation of the columns that all files have."""
    files, about = listed_at(INPUT, str(address.path))
    if not files:
        raise DataError(f"{address}: no such file; correct --from")
    empty = [f for f in files if is_empty(INPUT, f)]
    files = [f for f in files if f not in empty]
    if not files:
        raise DataError(f"{address}: is empty; give a table with a header and rows")
    form, delimiter, encoded, heading = _form_of(files[0], work.folder / "form")
    form, parts, fits = _loaded(work, name, files, form)
    renamed = _renamed_notes(heading, [c for c, _ in next(iter(parts))])
    types = [dict(columns) for columns in parts]
    shared = [c for c in types[0] if all(c in one for one in types)]
    if not shared:
        raise DataError(
            f"{address}: its files have no column in common ({_columns_of_parts(parts)}); give files of one table, "
            "with the same names in their headings"
        )
    selected = ", ".join([*(_selected(c, types) for c in shared), *([FILE] if len(files) > 1 else [])])
    union = " UNION ALL ".join(f"SELECT {selected} FROM {always_quoted(part)}" for part, _ in parts.values())
    work.execute(f"CREATE VIEW {always_quoted(name)} AS {union}")
    columns = tuple((str(r[0]), str(r[1])) for r in work.rows(f"DESCRIBE {always_quoted(name)}") if r[0] != FILE)
    aside = f"left aside, as they only are about the table: {listed([Path(p).name for p in about], 4)}"
    notes = [*encoded, *_layout_notes(form), *renamed, *fits, *_quiet_notes(work, name, files, empty)]
    notes += [aside] if about else []
    return OpenedTable(columns, form, delimiter, tuple(_changes(parts, shared)), tuple(notes), len(files) > 1)


def _loaded(
    work: Workspace, name: str, files: list[SourceFile], form: FileForm
) -> tuple[FileForm, Parts, tuple[str, ...]]:
    """The rows of all files; where they are uneven, fitted to the heading, with what was done to them."""
    parts: Parts = {}
    try:
        for number, file in enumerate(files):
            _load(work, name, number, file, form, parts, lambda sentence: None)
        return form, parts, ()
    except DataError as strictly:
        if all(file.kind != "text" for file in files):
            raise
        for part, _ in parts.values():
            work.execute(f"DROP TABLE IF EXISTS {always_quoted(part)}")
        notes: list[str] = []
        form, parts = form.model_copy(update={"uneven": True}), {}
        try:
            for number, file in enumerate(files):
                done: list[str] = []
                _load(work, name, number, file, form, parts, done.append)
                called = f"{Path(file.path).name}: " if len(files) > 1 else ""
                notes += [called + sentence for sentence in done]
        except DataError:
            raise strictly from None
        return form, parts, (*notes[:MOST_NOTES], *_more(notes))


def with_usual_nulls(work: Workspace, name: str, table: OpenedTable) -> OpenedTable:
    """The relation ``name`` with the words for none that files have by default as blanks."""
    text = [always_quoted(c) for c, sql_type in table.columns if sql_type == "VARCHAR"]
    for null in PLAIN.nulls if text else ():
        blank = ", ".join(f"nullif({c}, {sql_string(null)}) AS {c}" for c in text)
        inner = always_quoted(f"{name}__with_{null}")
        work.execute(f"ALTER VIEW {always_quoted(name)} RENAME TO {inner}")
        work.execute(f"CREATE VIEW {always_quoted(name)} AS SELECT * REPLACE ({blank}) FROM {inner}")
    return replace(table, form=table.form.model_copy(update={"nulls": PLAIN.nulls}))


def _more(notes: list[str]) -> Iterator[str]:
    if len(notes) > MOST_NOTES:
        yield f"and {count(len(notes) - MOST_NOTES, 'more such')} in other files"


def _load(
    work: Workspace, name: str, number: int, file: SourceFile, form: FileForm, parts: Parts,
    say: Callable[[str], None],
) -> None:  # fmt: skip
    """Add the rows of one file to the part of the files of its form; ``say`` takes what was done to uneven rows."""
    with opened(work.connection, INPUT, file, form, work.folder / "files", say) as rows:
        columns: Form = tuple(zip(rows.columns, map(str, rows.types), strict=True))
        if columns not in parts:
            parts[columns] = (f"{name}__{len(parts)}", [])
            fresh = True
        else:
            fresh = False
        part, members = parts[columns]
        members.append(file)
        numbered = rows.project(f"*, {number} AS {FILE}")
        if fresh and file.kind == "parquet" and file.is_local and number == 0 and not file.partition:
            numbered.create_view(part)  # a large one is read in place
            return
        if not fresh and work.has_rows(f"SELECT 1 FROM duckdb_views() WHERE view_name = {sql_string(part)}"):
            work.execute(f"CREATE TABLE {always_quoted(part + '_')} AS SELECT * FROM {always_quoted(part)}")
            work.execute(f"DROP VIEW {always_quoted(part)}")
            work.execute(f"ALTER TABLE {always_quoted(part + '_')} RENAME TO {always_quoted(part)}")
        numbered.create(part) if fresh else numbered.insert_into(always_quoted(part))


def _columns_of_parts(parts: Parts) -> str:
    """The columns of a file of each form, of the first two."""
    shown = [(Path(members[0].path).name, [c for c, _ in form]) for form, (_, members) in parts.items()][:2]
    return "; ".join(f"{name}: {listed(names, 4)}" for name, names in shown)


def _selected(column: str, types: list[dict[str, str]]) -> str:
    """A column of all files; as words where they differ in its type."""
    name = always_quoted(column)
    return name if len({one[column] for one in types}) == 1 else f"CAST({name} AS VARCHAR) AS {name}"


def _changes(parts: Parts, shared: list[str]) -> list[str]:
    """Columns that were added, dropped or changed their type between files, and in which file first."""
    (first_form, _), *rest = parts.items()
    first = dict(first_form)
    changes = []
    for columns, (_, files) in rest:
        later, where = dict(columns), Path(files[0].path).name
        changes += [f"{c} is missing from {where} on" for c in first if c not in later]
        changes += [f"{c} is new from {where} on" for c in later if c not in first]
        changes += [f"{c} is {later[c]} instead of {first[c]} from {where} on" for c in shared if later[c] != first[c]]
    return list(dict.fromkeys(changes))


def _form_of(file: SourceFile, scratch: Path) -> tuple[FileForm, str, tuple[str, ...], list[str]]:
    """How the files are laid out, by the first of them, its delimiter, what to say of its encoding, and its heading."""
    if file.kind == "workbook":
        return _form_of_workbook(file, scratch)
    if file.kind != "text":
        return PLAIN, "", (), []
    with local_copy(INPUT, file, scratch) as copy:
        refuse_other(INPUT, file.called, copy)
        encoding = encoding_of(copy)
        encoded = tuple(_encoding_notes(copy, encoding))
        make_utf8(copy, encoding)
        make_even(copy)
        make_plain(copy)
        form = form_of(copy)
        if has_no_signs(copy, form):
            raise DataError(
                f"{INPUT}: {file.called} has only blanks between its values, and blanks within them; write it as CSV"
            )
        delimiter = (form.delimiter or delimiter_of(copy)).strip(" ") or " "
        heading = _heading(copy, form)
        if encoding in ("utf-16-le", "utf-16-be"):  # without a mark, which alone is not seen
            form = form.model_copy(update={"encoding": encoding})
        form = form.model_copy(update={"nulls": ()})  # NA may be a code
    return form, delimiter, encoded, heading


def _heading(copy: Path, form: FileForm) -> list[str]:
    """The names of the columns as they are written; none where the lines of the heading differ in length."""
    if form.columns != "delimited":
        return []
    with copy.open(encoding="utf-8", errors="replace", newline="") as stream:
        skip = form.skip or (1 if SEPARATOR.match(stream.readline()) else 0)
        stream.seek(0)
        lines = islice(stream, skip, None)
        top = [record.values for record in islice(records(lines, signs_of(copy, form)), form.heading)]
    return joined_names(top) if len({len(values) for values in top}) == 1 else []


def _renamed_notes(heading: Sequence[str], names: Sequence[str]) -> Iterator[str]:
    """What became of names that the heading has twice, or leaves blank."""
    pairs = [(own.strip(), name) for own, name in zip(heading, names, strict=False)]
    firsts: dict[str, str] = {}
    again: dict[str, list[str]] = {}
    for own, name in pairs:
        first = firsts.setdefault(own.lower(), own)
        if own and name.lower() != own.lower() and name.lower().startswith(own.lower()):
            again.setdefault(first, []).append(name)
    for own, others in again.items():
        yield f"the heading has {own!r} {len(others) + 1} times: the later ones are called {listed(others, 6)}"
    if blank := [name for own, name in pairs if not own]:
        yield f"without a name in the heading: called {listed(blank, 6)}"


def _form_of_workbook(file: SourceFile, scratch: Path) -> tuple[FileForm, str, tuple[str, ...], list[str]]:
    """The sheet with the most rows, where several have any."""
    with local_copy(INPUT, file, scratch) as copy:
        rows = workbooks.sheets_with_rows(INPUT, file.called, copy)
        most = max(rows, key=rows.__getitem__, default="")
        heading = workbooks.heading_of(copy, most) if rows else []
    if len(rows) < 2:
        return PLAIN, "", (), heading
    others = listed([f"{sheet!r} ({count(n, 'row')})" for sheet, n in rows.items() if sheet != most], 3)
    note = f"of the workbook's sheets {most!r} is read, which has the most rows; another: sources.file.sheet: {others}"
    return FileForm(sheet=most), "", (note,), heading


def _encoding_notes(copy: Path, encoding: str) -> Iterator[str]:
    """The encoding of a file that is no UTF-8, with words that show whether it was guessed right."""
    if encoding in COMMON:
        with copy.open(encoding=encoding, errors="replace") as text:
            beyond = dict.fromkeys(re.findall(r"[^\W\d_]*[^\x00-\x7f]+[^\W\d_]*", text.read(LOOK)))
        named = listed([repr(word) for word in list(beyond)[:3]], 3)
        yield f"the file is no UTF-8: read as {encoding} ({named}); another: {ENCODING}"
        return
    if encoding not in (WINDOWS, MIXED):
        return
    with copy.open("rb") as stream:
        start = stream.read(LOOK)
    words = dict.fromkeys(re.findall(rb"[A-Za-z]*[\x80-\xff]+[A-Za-z\x80-\xff]*", start))
    shown = listed([repr(decoded(word, encoding)) for word in list(words)[:3]], 3)
    where = "of it no UTF-8, those are" if encoding == MIXED else "no UTF-8:"
    some = "some bytes" if encoding == MIXED else "the file is"
    yield f"{some} {where} read as Windows' Latin-1 ({shown}); another: {ENCODING}"


def _layout_notes(form: FileForm) -> Iterator[str]:
    """What was found of the layout, for a person to check."""
    if form.skip:
        yield f"the first {_lines(form.skip)} no part of the table: left out (sources.file.skip)"
    if form.footer:
        yield f"the last {_lines(form.footer)} no part of the table: left out (sources.file.footer)"
    if form.heading == 0:
        yield "there is no heading: the columns are named column1, column2 and so on (sources.file.heading)"
    if form.heading > 1:
        yield f"the heading goes over {form.heading} lines: each name is of all of them (sources.file.heading)"
    if form.escape is not None:
        yield "a backslash stands before quotes within values"
    if form.columns != "delimited":
        between = "lines and a rule of dashes stand" if form.columns == "ruled" else "blanks stand"
        yield f"{between} between values, as programs print them"
    if form.backslashes:
        yield r"no value is quoted: \N is none, and a backslash stands before signs within values, as in databases"
    if form.delimiter is not None:
        yield f"{form.delimiter!r} stands between values"
    if form.quote != '"':
        yield f"{form.quote} stands around values"


def _lines(many: int) -> str:
    return f"{count(many, 'line')} {'is' if many == 1 else 'are'}"


def _quiet_notes(work: Workspace, name: str, files: list[SourceFile], empty: list[SourceFile]) -> Iterator[str]:
    """Files without rows: quiet times."""
    names = [Path(f.path).name for f in empty]
    if len(files) > 1:
        filled = {r[0] for r in work.rows(f"SELECT DISTINCT {FILE} FROM {always_quoted(name)}")}
        names += [Path(f.path).name for n, f in enumerate(files) if n not in filled]
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        yield f"no rows in {', '.join(names[:3])}{more}: a quiet time, or a delivery that failed"


def _fetched(work: Workspace, name: str, address: Address) -> OpenedTable:
    """Write the rows of a query to Parquet files, some at a time, and make ``name`` a view of them."""
    folder = work.folder / f"{name}-answer"
    folder.mkdir()
    bounds = {"start": "0001-01-01", "end": "9999-12-31"}
    for number, rows in enumerate(answered(INPUT, os.path.expandvars(address.url or ""), address.query or "", bounds)):
        rows.write_parquet(folder / f"{number:05d}.parquet")
    if not any(folder.iterdir()):
        raise DataError(f"{address}: the query returns no rows; give one with a history")
    files = ", ".join(map(sql_string, sorted(folder.iterdir())))
    # A column that is blank at first has its type from later rows.
    options = "union_by_name = true, hive_partitioning = false"
    work.execute(f"CREATE VIEW {always_quoted(name)} AS SELECT * FROM read_parquet([{files}], {options})")
    columns = tuple((str(r[0]), str(r[1])) for r in work.rows(f"DESCRIBE {always_quoted(name)}"))
    return OpenedTable(columns)
