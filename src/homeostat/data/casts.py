"""Values as a source writes them, in the declared types; what does not fit is kept beside its column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

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


def typed(rows: pl.DataFrame, columns: Mapping[str, str]) -> pl.DataFrame:
    """Rows in the declared types; where a value does not fit it is null, and written beside as it was.

    >>> typed(pl.DataFrame({"n": ["1", "one", "NA"]}), {"n": "integer"}).rows()
    [(1, None), (None, 'one'), (None, None)]
    """
    parts = []
    for column, kind in columns.items():
        given = rows[column]
        cast = _cast(given, kind).alias(column)
        parts.append(cast)
        if given.dtype != TYPES[kind]:
            bad = cast.is_null() & _given(given)
            if bad.any():
                parts.append(_text(given).set(~bad, None).alias(WRITTEN + column))
    return pl.DataFrame(parts)


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


def _cast(values: pl.Series, kind: str) -> pl.Series:
    """The values as ``kind``; null where one does not fit."""
    wanted = TYPES[kind]
    if values.dtype == wanted and kind != "float":
        return values
    if values.dtype.is_nested() or values.dtype == pl.Binary:
        return pl.Series(values.name, [None] * len(values), dtype=wanted)
    text = values.dtype == pl.String
    if kind == "integer" and (text or values.dtype.is_float()):
        real = values.cast(pl.Float64, strict=False)
        whole = real.is_finite() & (real == real.floor()) & (real.abs() < 2**53)
        from_real = real.set(~whole.fill_null(False), None).cast(pl.Int64, strict=False)
        return values.cast(pl.Int64, strict=False).fill_null(from_real) if text else from_real
    if kind == "boolean":
        return values.cast(pl.String).str.to_lowercase().replace_strict(TRUTH, default=None, return_dtype=pl.Boolean)
    if kind == "time" and text:
        return _time(values)
    if kind == "time" and getattr(values.dtype, "time_zone", None):
        return values.dt.convert_time_zone("UTC").dt.replace_time_zone(None).cast(wanted)
    if kind == "time" and values.dtype not in (pl.Datetime, pl.Date) and values.dtype != pl.Null:
        return pl.Series(values.name, [None] * len(values), dtype=wanted)
    if values.dtype.is_temporal() and kind in ("integer", "float"):
        return pl.Series(values.name, [None] * len(values), dtype=wanted)  # a time counts no known unit
    cast = values.cast(wanted, strict=False)
    return cast.fill_nan(None) if kind == "float" else cast


def _time(values: pl.Series) -> pl.Series:
    """Times from ISO text; one without an offset is in UTC."""
    plain = values.str.strip_suffix("Z").str.replace(" ", "T", literal=True)
    dated = plain.str.contains(r"^\d{4}-\d\d-\d\d$")
    plain = (plain + pl.select(pl.when(dated).then(pl.lit("T00:00:00")).otherwise(pl.lit("")))[:, 0]).alias(values.name)
    naive = plain.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False)
    if naive.null_count() > values.null_count():
        naive = naive.fill_null(plain.str.to_datetime("%Y-%m-%dT%H:%M", time_unit="us", strict=False))
    if naive.null_count() > values.null_count():
        for form in ("%Y-%m-%dT%H:%M:%S%.f%:z", "%Y-%m-%dT%H:%M%:z"):
            offset = plain.str.to_datetime(form, time_unit="us", strict=False)
            naive = naive.fill_null(offset.dt.replace_time_zone(None))
    return naive


def as_series(name: str, values: Iterable[Any]) -> pl.Series:
    """Values of any kinds as one column: text, where they are of several."""
    found = list(values)
    try:
        return pl.Series(name, found, strict=True)
    except (TypeError, OverflowError, pl.exceptions.PolarsError):  # SQLite may mix types in one column
        return pl.Series(name, [None if v is None else str(v) for v in found], dtype=pl.String)
