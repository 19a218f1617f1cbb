"""Values as a source writes them, in the declared types; what does not fit is kept beside its column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from homeostat.data.plain_digits import plain_digits
from homeostat.data.plain_numbers import plain_numbers
from homeostat.data.time_forms import of_zone, read_times, second_time
from homeostat.project.writing import PLAIN, Writing

NULLS = ["NA", ""]
TYPES: dict[str, pl.DataType] = {
    "string": pl.String(),
    "integer": pl.Int64(),
    "float": pl.Float64(),
    "boolean": pl.Boolean(),
    "time": pl.Datetime("us"),
}
YES, NO = ("true", "t", "1", "yes", "y", "on"), ("false", "f", "0", "no", "n", "off")
TRUTH = dict.fromkeys(YES, True) | dict.fromkeys(NO, False)
WRITTEN = "__written__"  # before a column's name: its values that do not fit its type, as they are written
INVISIBLE = r"[\x{0}\x{200b}-\x{200f}\x{202a}-\x{202e}\x{2060}\x{2066}-\x{2069}\x{61c}\x{feff}\x{ad}]"
LIMIT = r"^\s*[<>≤≥]=?\s*[+-]?\d"  # of what an instrument can measure
AROUND = r"^[\s\x{a0}\x{202f}\x{2009}]+|[\s\x{a0}\x{202f}\x{2009}]+$"


def typed(rows: pl.DataFrame, columns: Mapping[str, str], written: Mapping[str, Writing] | None = None) -> pl.DataFrame:
    """Rows in the declared types; where a value does not fit it is null, and written beside as it was.

    >>> typed(pl.DataFrame({"n": ["1", "one", "NA"]}), {"n": "integer"}).rows()
    [(1, None), (None, 'one'), (None, None)]
    """
    parts = []
    for column, kind in columns.items():
        writing = (written or {}).get(column, PLAIN)
        given = rows[column]
        present = _without_missing(given, kind, writing)
        cast = _cast(present, kind, writing).alias(column)
        parts.append(cast)
        if given.dtype != TYPES[kind] or writing.zone is not None:
            bad = cast.is_null() & _given(present)
            if bad.any():
                parts.append(_text(given).set(~bad, None).alias(WRITTEN + column))
    return pl.DataFrame(parts)


def in_repeated_hours(rows: pl.DataFrame, key: Iterable[str], written: Mapping[str, Writing]) -> pl.DataFrame:
    """Typed rows whose keys differ also in an hour that clocks show twice: the second with a key is of the second time.

    >>> at = pl.Series("at", ["2023-10-29T00:30:00", "2023-10-29T00:30:00"]).str.to_datetime()
    >>> rows = in_repeated_hours(pl.DataFrame([at]), ["at"], {"at": Writing(zone="Europe/Berlin")})
    >>> [f"{time:%H:%M}" for time in rows["at"]]
    ['00:30', '01:30']
    """
    key = list(key)
    for column in key:
        zone = written.get(column, PLAIN).zone
        if zone is None or rows.schema[column] != TYPES["time"]:
            continue
        later = second_time(rows[column], zone)
        again = (later != rows[column]) & ~rows.select(pl.struct(key).is_first_distinct()).to_series()
        rows = rows.with_columns(rows[column].zip_with(~again.fill_null(False), later))
    return rows


def not_of(column: str, value: object, kind: str) -> str:
    """What is wrong with a value that does not fit."""
    said = repr(value)
    return f"{column} is {said if len(said) <= 60 else said[:57] + '...'}, which is not {kind}"


def misfitting(rows: pl.DataFrame) -> list[str]:
    """The declared columns of typed rows that have values which do not fit."""
    return [c.removeprefix(WRITTEN) for c in rows.columns if c.startswith(WRITTEN)]


def _text(values: pl.Series) -> pl.Series:
    if values.dtype.is_nested() or values.dtype == pl.Binary:
        return pl.Series(values.name, [None if v is None else str(v) for v in values], dtype=pl.String)
    return values.cast(pl.String, strict=False)


def _given(values: pl.Series) -> pl.Series:
    if values.dtype == pl.String:
        return values.is_not_null() & ~values.is_in(NULLS)
    if values.dtype.is_float():
        return values.is_not_null() & values.is_not_nan()
    return values.is_not_null()


def _without_missing(values: pl.Series, kind: str, writing: Writing) -> pl.Series:
    """The values without those that mean none: of text as it is written, of times and numbers by their value too."""
    if values.dtype.is_nested() or values.dtype in (pl.Binary, pl.Null):
        return values
    text = values.dtype == pl.String
    if writing.limits == "missing" and text:
        values = values.set(values.str.contains(LIMIT).fill_null(False), None)
    if not writing.missing:
        return values
    none = pl.Series(writing.missing, dtype=pl.String)
    absent = pl.Series([False], dtype=pl.Boolean).new_from_index(0, len(values))
    if text:
        absent = values.str.replace_all(AROUND, "").is_in(none.implode())
    if not text or kind in ("time", "integer", "float"):
        like = _cast(none, kind, PLAIN).drop_nulls()
        absent |= _cast(values, kind, writing).is_in(like.implode()) if len(like) else False
    return values.set(absent.fill_null(False), None)


def _cast(values: pl.Series, kind: str, writing: Writing) -> pl.Series:
    """The values as ``kind``; null where one does not fit."""
    wanted = TYPES[kind]
    if values.dtype.is_nested() or values.dtype == pl.Binary:
        return values if values.dtype == wanted else pl.Series(values.name, [None] * len(values), dtype=wanted)
    match kind:
        case "string":
            return _words(values.cast(pl.String, strict=False), writing)
        case "boolean":
            return _flags(values, writing)
        case "time":
            return _times(values, writing)
        case _:
            return _numbers(values, kind, writing)


def _words(values: pl.Series, writing: Writing) -> pl.Series:
    if writing.words == "as written":
        return values
    plain = values.str.replace_all(INVISIBLE, "").str.replace_all(AROUND, "").str.normalize("NFC")
    plain = plain.str.to_lowercase() if writing.words == "folded" else plain
    return plain.set((plain == "").fill_null(False), None)


def _flags(values: pl.Series, writing: Writing) -> pl.Series:
    if values.dtype == pl.Boolean:
        return values.fill_null(False) if "" in writing.no else values
    text = values.cast(pl.String, strict=False)
    if not (writing.yes or writing.no):
        return text.str.strip_chars().str.to_lowercase().replace_strict(TRUTH, default=None, return_dtype=pl.Boolean)
    truth = dict.fromkeys(writing.yes, True) | dict.fromkeys(writing.no, False)
    bare = text.str.replace_all(AROUND, "")
    flags = bare.replace_strict(truth, default=None, return_dtype=pl.Boolean)
    for blank in truth.keys() & {""}:
        flags = flags.fill_null(pl.select(pl.when(bare.is_null()).then(pl.lit(truth[blank])))[:, 0])
    return flags


def _times(values: pl.Series, writing: Writing) -> pl.Series:
    wanted = TYPES["time"]
    if values.dtype == wanted or values.dtype == pl.Null:
        times = values.cast(wanted)
        return times if writing.zone is None else of_zone(times, writing.zone)
    if values.dtype == pl.String or values.dtype.is_numeric() and writing.times:
        text = plain_digits(values) if values.dtype == pl.String else values
        return read_times(text, writing.times, writing.zone)
    if getattr(values.dtype, "time_zone", None):
        return values.dt.convert_time_zone("UTC").dt.replace_time_zone(None).cast(wanted)
    if values.dtype in (pl.Datetime, pl.Date):
        times = values.cast(wanted, strict=False)
        return times if writing.zone is None else of_zone(times, writing.zone)
    return pl.Series(values.name, [None] * len(values), dtype=wanted)


def _numbers(values: pl.Series, kind: str, writing: Writing) -> pl.Series:
    wanted = TYPES[kind]
    if values.dtype.is_temporal():
        return pl.Series(values.name, [None] * len(values), dtype=wanted)  # a time counts no known unit
    text = values.dtype == pl.String
    if text:
        values = plain_digits(values)
        values = plain_numbers(values, writing) if writing != PLAIN else _bare(values)
    if kind == "integer" and (text or values.dtype.is_float()):
        real = values.cast(pl.Float64, strict=False)
        whole = real.is_finite() & (real == real.floor()) & (real.abs() < 2**53)
        from_real = real.set(~whole.fill_null(False), None).cast(pl.Int64, strict=False)
        return values.cast(pl.Int64, strict=False).fill_null(from_real) if text else from_real
    cast = values.cast(wanted, strict=False)
    if kind == "float" and text:
        cast = cast.set(cast.is_infinite().fill_null(False), None)  # 1e400 is beyond a float
    return cast.fill_nan(None) if kind == "float" else cast


def _bare(text: pl.Series) -> pl.Series:
    """Text without blanks around it, nor between a sign and its number."""
    return text.str.strip_chars().str.replace(r"^([+-])\s+", "$1")


def as_series(name: str, values: Iterable[Any]) -> pl.Series:
    """Values of any kinds as one column: text, where they are of several."""
    found = list(values)
    try:
        return pl.Series(name, found, strict=True)
    except (TypeError, OverflowError, pl.exceptions.PolarsError):  # SQLite may mix types in one column
        return pl.Series(name, [None if v is None else str(v) for v in found], dtype=pl.String)
