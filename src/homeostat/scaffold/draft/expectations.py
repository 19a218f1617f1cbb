"""First contracts, from the history: loose enough for a healthy batch to pass, tight enough to stop a broken one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import floor, log10
from statistics import median
from typing import Any

from homeostat.core.periods import EPOCH
from homeostat.core.text import number
from homeostat.scaffold.audit.column_roles import Roles
from homeostat.scaffold.audit.columns import rarely_negative
from homeostat.scaffold.profile.context import Context
from homeostat.scaffold.profile.profile_table import Profile
from homeostat.scaffold.profile.table import Column
from homeostat.scaffold.profile.workspace import Workspace

MOST = 24  # columns that a contract covers
MOST_RANGES = 120  # further columns whose values have limits
ENOUGH = 12  # batches from which their figures say something
SETTLED = 0.5  # share of the history after which no new value of a settled column appeared
FEW = 20  # distinct values of a column that a contract lists
SLACK = 3.0  # times the spread of the batches' means that the next may be outside them
FAR = 10.0  # times the range from one in a thousand to the last but one in a thousand

Rule = dict[str, Any]


@dataclass(frozen=True)
class Range:
    """A number over the history: extremes, far quantiles, and the lowest and highest mean of a batch."""

    low: float
    high: float
    near_low: float
    near_high: float
    mean_low: float | None
    mean_high: float | None
    negative: int  # rows below zero
    first_percent: float  # the value that one in a hundred is below

    @property
    def grows(self) -> bool:
        """Whether the means go from one end of the range to the other, as of a counter or a year."""
        if self.mean_low is None or self.mean_high is None:
            return True
        return self.mean_high - self.mean_low > 0.8 * (self.high - self.low) > 0


def events_contract(work: Workspace, profile: Profile, roles: Roles) -> str:
    """The contract of the events' source, as JSON that a person can edit: one expectation a line."""
    return contract_json(profile.table.name, list(_rules(work, profile, roles)))


def context_contract(context: Context) -> str:
    """The contract of a further table."""
    return contract_json(context.table.name, [_key_rule(k) for k in context.key])


def contract_json(name: str, rules: Sequence[Rule]) -> str:
    lines = ",\n".join(f"    {json.dumps(rule, ensure_ascii=False)}" for rule in rules)
    return f'{{\n  "name": {json.dumps(name)},\n  "expectations": [\n{lines}\n  ]\n}}\n'


def _rule(kind: str, kwargs: dict[str, Any], severity: str, reason: str) -> Rule:
    return {"type": f"expect_column_{kind}", "kwargs": kwargs, "severity": severity, "meta": {"reason": reason}}


def _key_rule(column: str) -> Rule:
    reason = f"{column} is part of the key: a row without it cannot be told from others."
    return _rule("values_to_not_be_null", {"column": column}, "critical", reason)


def value_limits(contract: str) -> dict[str, tuple[float | None, float | None]]:
    """By column, the least and the most that a contract lets in."""
    rules = json.loads(contract)["expectations"]
    between = [r["kwargs"] for r in rules if r["type"] == "expect_column_values_to_be_between"]
    return {k["column"]: (k.get("min_value"), k.get("max_value")) for k in between}


def _rules(work: Workspace, profile: Profile, roles: Roles) -> Iterator[Rule]:
    yield from map(_key_rule, profile.key.columns)
    yield _unique_key(profile.key.columns)
    yield from _label_values(work, profile)
    names = [*roles.numbers, *roles.words, *roles.flags, *roles.codes][:MOST]
    columns = [profile.table.column(n) for n in names]
    missing = _missing_by_batch(work, profile, columns)
    for column in columns:
        yield from _presence(column, missing[column.name])
    for column in columns:
        if column.kind == "string" and column.distinct <= FEW:
            yield from _settled_values(work, profile, column)
        elif column.kind in ("integer", "float") and column.name not in roles.codes and column.distinct > 2:
            span = _range(work, profile, column)
            if span is not None:
                yield from _number_rules(column, span, profile, max(missing[column.name] or [0.0]))
                continue
        if column.kind in ("integer", "float"):
            yield from _plain_range(work, profile, column, column.name in roles.codes)
    others = [c for c in profile.table.columns if c.kind in ("integer", "float") and c.name not in names]
    for column in others[:MOST_RANGES]:
        yield from _plain_range(work, profile, column, column.name in (*roles.codes, *roles.identifiers))


def _unique_key(key: Sequence[str]) -> Rule:
    """That the key is one; the loop itself quarantines the rows that repeat another's."""
    reason = f"{', '.join(key)} identifies a row; of two alike the loop takes in one, and quarantines the other."
    if len(key) == 1:
        return _rule("values_to_be_unique", {"column": key[0]}, "info", reason)
    body = _rule("", {"column_list": list(key)}, "info", reason)
    return body | {"type": "expect_compound_columns_to_be_unique"}


def _plain_range(work: Workspace, profile: Profile, column: Column, names: bool) -> Iterator[Rule]:
    """Limits of each value, of a column that has no other: of one that ``names`` things, only that it is not negative.

    One without a value has no limits.
    """
    span = _range(work, profile, column)
    low = span.low if span is not None else float(column.low or "nan")
    if names or span is None or span.grows and span.mean_low is not None:
        if low >= 0:
            reason = f"{column.name} was {number(low)} or more; a negative one is an error."
            yield _rule("values_to_be_between", {"column": column.name, "min_value": 0}, "warning", reason)
    elif column.distinct == 2 and (span.low, span.high) == (0, 1):
        limits = {"column": column.name, "min_value": 0, "max_value": 1}
        yield _rule("values_to_be_between", limits, "warning", f"{column.name} was 0 or 1; another value is an error.")
    else:
        yield _far_from_all(column, span)


def _label_values(work: Workspace, profile: Profile) -> Iterator[Rule]:
    label = profile.label_column
    if profile.label.task != "binary" or label.distinct > FEW or label.kind == "boolean":
        return
    values = [r[0] for r in work.rows(
        f"SELECT DISTINCT {label.sql} FROM {profile.table.sql} WHERE {label.sql} IS NOT NULL ORDER BY 1"
    )]  # fmt: skip
    reason = "The label has only had these values so far; another one would be counted as a no."
    yield _rule("values_to_be_in_set", {"column": label.name, "value_set": values}, "warning", reason)


def _missing_by_batch(work: Workspace, profile: Profile, columns: Sequence[Column]) -> dict[str, list[float]]:
    """By column, the share missing in each batch."""
    if not columns:
        return {}
    shares = ", ".join(f"1 - count({c.sql}) / count(*)" for c in columns)
    rows = work.rows(f"SELECT {shares} {_by_batch(profile)}")
    return {c.name: [float(r[n]) for r in rows] for n, c in enumerate(columns)}


def _by_batch(profile: Profile) -> str:
    seconds = int(profile.rhythm.period.total_seconds())
    return (
        f"FROM {profile.table.sql} WHERE __t >= TIMESTAMP '{profile.history.start}' "
        f"GROUP BY floor((epoch(__t) - epoch(TIMESTAMP '{EPOCH}')) / {seconds}) HAVING count(*) >= 10"
    )


def _presence(column: Column, shares: Sequence[float]) -> Iterator[Rule]:
    """A column that was nearly always there is not suddenly gone; one that stopped or began has no such rule."""
    if len(shares) < ENOUGH or max(shares) > 0.5:
        return
    least = round(max(0.0, 1 - max(shares) - max(0.2, max(shares))), 2)
    if least >= 0.2:
        reason = f"{column.missing:.1%} of {column.name} were missing; more than {1 - least:.0%} of a batch mean that "
        reason += "its feed has broken."
        yield _rule("values_to_not_be_null", {"column": column.name, "mostly": least}, "critical", reason)


def _settled_values(work: Workspace, profile: Profile, column: Column) -> Iterator[Rule]:
    """Words that had all appeared early: a change of their coding shows when most rows have none of them."""
    middle = profile.history.start + profile.history.length * SETTLED
    rows = work.rows(
        f"SELECT CAST({column.sql} AS VARCHAR), min(__t) FROM {profile.table.sql} "
        f"WHERE {column.sql} IS NOT NULL AND __t >= TIMESTAMP '{profile.history.start}' GROUP BY 1 ORDER BY 1"
    )  # fmt: skip
    if rows and all(first <= middle for _, first in rows):
        allowed = {"column": column.name, "value_set": [v for v, _ in rows], "mostly": 0.5}
        reason = f"All values of {column.name} in the history; when most rows have another, its coding has changed."
        yield _rule("values_to_be_in_set", allowed, "critical", reason)


def _range(work: Workspace, profile: Profile, column: Column) -> Range | None:
    name = f"CAST({column.sql} AS DOUBLE)"
    low, high, near_low, near_high, negative, first = work.row(
        f"SELECT min({name}), max({name}), quantile_cont({name}, 0.001), quantile_cont({name}, 0.999), "
        f"count(*) FILTER ({name} < 0), quantile_cont({name}, 0.01) "
        f"FROM {profile.table.sql} WHERE __t >= TIMESTAMP '{profile.history.start}' AND isfinite({name})"
    )
    if low is None or low == high:
        return None
    means = [r[0] for r in work.rows(f"SELECT avg({name}) {_by_batch(profile)}") if r[0] is not None]
    enough = len(means) >= ENOUGH
    means = means if enough else []
    least, most = (min(means), max(means)) if means else (None, None)
    return Range(low, high, near_low, near_high, least, most, negative, first)


def _number_rules(column: Column, span: Range, profile: Profile, missing: float) -> Iterator[Rule]:
    """Limits of the mean, unless a batch may have too few values, and of each value.

    A counter has no upper limit, and no mean.
    """
    measured = span.mean_low is not None
    if span.grows and measured:
        if span.low >= 0:
            reason = f"{column.name} only grows, from {number(span.low)}; a negative one is an error."
            limits: dict[str, Any] = {"column": column.name, "min_value": 0}
            yield _rule("values_to_be_between", limits, "warning", reason)
        return
    if span.mean_low is not None and span.mean_high is not None and profile.rhythm.rows * (1 - missing) >= 20:
        ends = (number(_rounded(end, span.high - span.low)) for end in (span.mean_low, span.mean_high))
        reason = f"The mean of a batch was {' to '.join(ends)}; far outside, the unit changed."
        yield _rule("mean_to_be_between", {"column": column.name, **_mean_limits(span)}, "critical", reason)
    yield _far_from_all(column, span)


def _far_from_all(column: Column, span: Range) -> Rule:
    """Limits of each value far beyond nearly all."""
    far = FAR * (span.near_high - span.near_low or span.high - span.low)
    never_negative = span.low >= 0 or rarely_negative(column, span.negative, span.first_percent)
    least = 0 if never_negative else _rounded(span.near_low - far, far)
    limits = {"column": column.name, "min_value": least, "max_value": _rounded(span.near_high + far, far)}
    near = " to ".join(number(_rounded(end, far / FAR)) for end in (span.near_low, span.near_high))
    reason = f"{column.name} was {near} in all but two of a thousand rows; so far outside it is an error."
    return _rule("values_to_be_between", limits, "warning", reason)


def _mean_limits(span: Range) -> dict[str, float]:
    low, high = float(span.mean_low or 0), float(span.mean_high or 0)
    wide = max(high - low, 0.25 * max(abs(high), abs(low)))
    least = _rounded(low - SLACK * wide, wide)
    if span.low >= 0:
        least = max(0.0, min(low / 10, least if least > 0 else low / 10))
        least = _rounded(least, least)
    return {"min_value": least, "max_value": _rounded(high + SLACK * wide, wide)}


def _rounded(value: float, spread: float) -> float:
    """A limit to three digits of the spread of the values: those of the value itself would cut off a narrow range.

    >>> _rounded(1234.5, 1000), _rounded(-0.012345, 0.05), _rounded(1000127.0, 10), _rounded(3.0, 0.0)
    (1230.0, -0.0123, 1000127.0, 3.0)
    """
    return round(value, 2 - floor(log10(spread))) if spread > 0 else value


def volume(profile: Profile) -> float | None:
    """The share by which a batch may differ from the median of those before: half as much again as it ever did."""
    counts = [c for c in profile.history.counts if c]
    usual = [median(counts[max(0, n - 28) : n]) for n in range(7, len(counts))]
    off = [abs(c - before) / before for c, before in zip(counts[7:], usual, strict=True)]
    if not off:
        return None
    most = max(off[:-1] or off)
    return round(max(0.5, 1.5 * most), 1) if most <= 4 else None
