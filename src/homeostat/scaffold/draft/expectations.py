"""First contracts, from the history: loose enough that a healthy batch passes, tight enough that a "
"broken one does not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from homeostat.core.periods import EPOCH
from homeostat.scaffold.profile.identifiers import always_quoted

if TYPE_CHECKING:
    import duckdb

    from homeostat.scaffold.draft.roles import Choices
    from homeostat.scaffold.profile.profile_table import Column, Context, Understanding

MOST = 24  # columns that a contract speaks of
ENOUGH = 12  # batches from which their figures say something
SETTLED = 0.5  # share of the history after which no new value of a settled column came
FEW_WHOLE = 60  # different whole numbers up to which a column has no far-out values worth a rule
FEW = 20  # values of a column that a contract lists
SLACK = 3.0  # times the spread of the batches' means that the next may lie outside them
FAR = 10.0  # times the range from one in a thousand to the last but one in a thousand


@dataclass(frozen=True)
class Range:
    """A number over the history: extremes, far quantiles, and the least and largest mean of a batch."""

    low: float
    high: float
    near_low: float
    near_high: float
    mean_low: float | None
    mean_high: float | None


def draft(connection: duckdb.DuckDBPyConnection, found: Understanding, choices: Choices) -> str:
    """The contract of the events' source, as JSON that a person can edit: one expectation a line."""
    return written(found.table.name, list(_rules(connection, found, choices)))


def draft_context(context: Context) -> str:
    """The contract of a further table."""
    rules = [_rule("not_be_null", {"column": k}, "critical", f"{k} names a row; without it the row belongs to nothing.")
             for k in context.table.key]  # fmt: skip
    return written(context.table.name, rules)


def written(name: str, rules: Sequence[dict[str, Any]]) -> str:
    lines = ",\n".join(f"    {json.dumps(rule, ensure_ascii=False)}" for rule in rules)
    return f'{{\n  "name": {json.dumps(name)},\n  "expectations": [\n{lines}\n  ]\n}}\n'


def _rule(kind: str, kwargs: dict[str, Any], severity: str, reason: str) -> dict[str, Any]:
    return {
        "type": f"expect_column_values_to_{kind}" if not kind.startswith("expect_") else kind,
        "kwargs": kwargs, "severity": severity, "meta": {"reason": reason},
    }  # fmt: skip


def _rules(connection: duckdb.DuckDBPyConnection, found: Understanding, choices: Choices) -> Iterator[dict[str, Any]]:
    for key in found.table.key:
        yield _rule(
            "not_be_null",
            {"column": key},
            "critical",
            f"{key} is of the key; without it a row cannot be told from others.",
        )
    table = found.table
    label = table.column(found.label.column)
    if found.label.task == "binary" and label.distinct <= FEW:
        yield from _label_values(connection, found, label)
    spoken = [table.column(n) for n in (*choices.numbers, *choices.words, *choices.flags, *choices.codes)][:MOST]
    absent = _absences(connection, found, spoken)
    for column in spoken:
        yield from _presence(column, absent.get(column.name, []))
    for column in spoken:
        if column.kind == "string" and column.distinct <= FEW:
            yield from _settled(connection, found, column)
        elif column.kind in ("integer", "float") and column.name not in choices.codes and column.distinct > 2:
            span = _range(connection, found, column)
            if span is not None:
                yield from _numbers(column, span, found, max(absent.get(column.name) or [0.0]))


def _label_values(
    connection: duckdb.DuckDBPyConnection, found: Understanding, label: Column
) -> Iterator[dict[str, Any]]:
    if label.kind == "boolean":
        return
    values = [r[0] for r in connection.sql(
        f"SELECT DISTINCT {label.sql} FROM {always_quoted(found.table.name)} WHERE {label.sql} IS NOT NULL ORDER BY 1"
    ).fetchall()]  # fmt: skip
    yield _rule("be_in_set", {"column": label.name, "value_set": values}, "warning",
                "The label has only ever had these values; another one would be counted as a no.")  # fmt: skip


def _presence(column: Column, shares: Sequence[float]) -> Iterator[dict[str, Any]]:
    """A column that was nearly always there is not suddenly gone; one that died or came alive is left alone."""
    if len(shares) < ENOUGH or max(shares) > 0.5:
        return
    least = round(max(0.0, 1 - max(shares) - max(0.2, max(shares))), 2)
    if least < 0.2:
        return
    said = (
        f"{column.missing:.1%} of {column.name} were missing; when more than {1 - least:.0%} of a "
        "batch are, its feed has broken."
    )
    yield _rule("not_be_null", {"column": column.name, "mostly": least}, "critical", said)


def _absences(
    connection: duckdb.DuckDBPyConnection, found: Understanding, columns: Sequence[Column]
) -> dict[str, list[float]]:
    """By column, the share missing in each batch."""
    if not columns:
        return {}
    asked = ", ".join(f"1 - count({c.sql}) / count(*)" for c in columns)
    rows = connection.sql(f"SELECT {asked} {_by_batch(found)}").fetchall()
    return {c.name: [float(r[n]) for r in rows] for n, c in enumerate(columns)}


def _by_batch(found: Understanding) -> str:
    seconds = int(found.rhythm.period.total_seconds())
    return (
        f"FROM {always_quoted(found.table.name)} WHERE __t >= TIMESTAMP '{found.start}' "
        f"GROUP BY floor((epoch(__t) - epoch(TIMESTAMP '{EPOCH}')) / {seconds}) HAVING count(*) >= 10"
    )


def _settled(connection: duckdb.DuckDBPyConnection, found: Understanding, column: Column) -> Iterator[dict[str, Any]]:
    """Words that were all seen early: another coding shows when most rows have none of them."""
    middle = found.start + found.history * SETTLED
    rows = connection.sql(
        f"SELECT CAST({column.sql} AS VARCHAR), min(__t) FROM {always_quoted(found.table.name)} "
        f"WHERE {column.sql} IS NOT NULL AND __t >= TIMESTAMP '{found.start}' GROUP BY 1 ORDER BY 1"
    ).fetchall()  # fmt: skip
    if not rows or any(first > middle for _, first in rows):
        return
    yield _rule("be_in_set", {"column": column.name, "value_set": [v for v, _ in rows], "mostly": 0.5}, "critical",
                f"These are all the values of {column.name} in the history; when most rows have another, "
                    "its coding has changed.")  # fmt: skip


def _range(connection: duckdb.DuckDBPyConnection, found: Understanding, column: Column) -> Range | None:
    name = f"CAST({column.sql} AS DOUBLE)"
    table = f"{always_quoted(found.table.name)} WHERE __t >= TIMESTAMP '{found.start}' AND isfinite({name})"
    low, high, near_low, near_high = connection.sql(
        f"SELECT min({name}), max({name}), quantile_cont({name}, 0.001), quantile_cont({name}, 0.999) FROM {table}"
    ).fetchall()[0]  # fmt: skip
    if low is None or low == high:
        return None
    means = [r[0] for r in connection.sql(f"SELECT avg({name}) {_by_batch(found)}").fetchall() if r[0] is not None]
    enough = len(means) >= ENOUGH
    return Range(low, high, near_low, near_high, min(means) if enough else None, max(means) if enough else None)


def _numbers(column: Column, span: Range, found: Understanding, absent: float) -> Iterator[dict[str, Any]]:
    """Of a column that may be missing from a whole batch the mean says nothing."""
    name = column.name
    if span.mean_low is not None and span.mean_high is not None and found.rhythm.rows * (1 - absent) >= 20:
        wide = max(span.mean_high - span.mean_low, 0.25 * max(abs(span.mean_high), abs(span.mean_low)))
        least, most = _tidy(span.mean_low - SLACK * wide), _tidy(span.mean_high + SLACK * wide)
        if span.low >= 0:
            least = _tidy(max(0.0, min(span.mean_low / 10, least if least > 0 else span.mean_low / 10)))
        if not _grows(column, span):
            bounds = {"column": name, "min_value": least, "max_value": most}
            yield _rule("expect_column_mean_to_be_between", bounds, "critical",
                        f"The mean of a batch was {span.mean_low:.4g} to {span.mean_high:.4g}; far "
                            "outside, it is in another unit.")  # fmt: skip
    far = FAR * max(span.near_high - span.near_low, 1e-9)
    limits = {"min_value": _tidy(span.near_low - far), "max_value": _tidy(span.near_high + far)}
    if span.low >= 0:
        limits["min_value"] = 0
    if column.distinct <= FEW_WHOLE and column.kind == "integer" or _grows(column, span):
        return
    said = (
        f"{name} was {span.near_low:.4g} to {span.near_high:.4g} in all but two of a thousand rows; "
        "so far outside it is an error."
    )
    yield _rule("be_between", {"column": name, **limits}, "warning", said)


def _grows(column: Column, span: Range) -> bool:
    """Means that go from one end of the range to the other: a counter, or a year."""
    if span.mean_low is None or span.mean_high is None:
        return True
    return span.mean_high - span.mean_low > 0.8 * (span.high - span.low) > 0


def _tidy(value: float) -> float:
    """Three digits are enough for a limit.

    >>> _tidy(1234.5), _tidy(-0.012345)
    (1230.0, -0.0123)
    """
    return float(f"{value:.3g}")


def volume(found: Understanding) -> float | None:
    """The share that a batch may be off the median of those before: what the history did, and half as much again."""
    from statistics import median

    counts = [c for c in found.counts if c]
    off = [
        abs(c - median(counts[max(0, n - 28) : n])) / median(counts[max(0, n - 28) : n])
        for n, c in enumerate(counts)
        if n >= 7
    ]
    if not off:
        return None
    inner = sorted(off[:-1] or off)
    return round(max(0.5, 1.5 * inner[-1]), 1) if inner[-1] <= 4 else None
