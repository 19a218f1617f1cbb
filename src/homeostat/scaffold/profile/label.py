"""What is predicted: the task that the label's values ask for, and the SQL that makes the label a number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation

from homeostat.adapters.sql_names import sql_string
from homeostat.core.errors import UsageError
from homeostat.scaffold.profile import ranking
from homeostat.scaffold.profile.column_types import NO, YES, folded
from homeostat.scaffold.profile.identifiers import quoted
from homeostat.scaffold.profile.null_words import plain
from homeostat.scaffold.profile.request import Request
from homeostat.scaffold.profile.shapes import column_text
from homeostat.scaffold.profile.table import Column, Table, find_column, typed_copy
from homeostat.scaffold.profile.workspace import Workspace

MOST_CLASSES = 40  # distinct words of a label
TASKS = ("binary", "regression", "ranking")
POSITIVE = ("yes", "true", "up", "churn", "fraud", "default", "fail", "cancel", "late", "bad", "spam", "positive",
            "won")  # fmt: skip

Values = Sequence[tuple[str, int]]  # a value as text and its rows, the most frequent first


@dataclass(frozen=True)
class Label:
    """What is predicted: ``sql`` over a row; ``positive`` is the value that counts as yes, ``rate`` its share."""

    column: str
    task: str
    sql: str
    positive: str | None = None
    group: str | None = None
    rate: float = 0.0
    note: str = ""

    @property
    def number_sql(self) -> str:
        """The label as a number."""
        return f"CAST(({self.sql}) AS DOUBLE)"

    def sql_of(self, alias: str) -> str:
        """The label's SQL over a row that goes by an alias.

        >>> Label("up", "binary", "CASE WHEN up IS NOT NULL THEN upper(up) = 'up' END").sql_of("e")
        "CASE WHEN e.up IS NOT NULL THEN upper(e.up) = 'up' END"
        """
        column = quoted(self.column)
        return re.sub(rf"""(?<![\w.'"]){re.escape(column)}(?![\w'"])""", lambda _: f"{alias}.{column}", self.sql)


def read_label(work: Workspace, table: Table, column: Column, request: Request) -> Label:
    """The task that the label's values ask for, and SQL that makes it a number.

    Raises:
        UsageError: it is constant, or has more classes than one question can be about.
    """
    values: Values = work.rows(
        f"SELECT CAST({column.sql} AS VARCHAR), count(*) FROM {table.sql} "
        f"WHERE {column.sql} IS NOT NULL AND __t IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 30"
    )
    if len(values) < 2:
        only = f"only ever {values[0][0]}" if values else "empty"
        raise UsageError(f"--label {column.raw}: is {only}; there is nothing to predict, name another column")
    if request.task not in (None, *TASKS):
        raise UsageError(f"--task {request.task}: no such task; there are {', '.join(TASKS)}")
    if column.reading.mostly and column.reading.ambiguous and len(values) > 2 and request.positive is None:
        why = f"{column.reading.note}; fix them in the table, or say which class to predict with --positive VALUE"
        raise UsageError(f"--label {column.raw}: {why}")
    task = request.task or _task(column, values)
    group = _group(work, table, column, request)
    if group is not None and request.task in (None, "ranking"):
        return _ranking(work, table, column, group)
    if task == "regression" and request.positive is None:
        if not column.numeric:
            raise UsageError(f"--label {column.raw}: is no number; leave out --task, or say --positive VALUE")
        return Label(column.name, task, column.sql, note=_alternative(table, column))
    return _binary(table, column, values, request)


def _task(column: Column, values: Values) -> str:
    if column.kind == "boolean" or len(values) == 2:
        return "binary"
    return "regression" if column.kind in ("integer", "float") else "binary"


def _group(work: Workspace, table: Table, column: Column, request: Request) -> Column | None:
    if request.group:
        return find_column(table, request.group, "--group")
    if request.task == "ranking":
        likely = ranking.likely_group(table, column) or ranking.group_of(work, table, column)
        hint = f", such as {likely.raw}" if likely is not None else ""
        raise UsageError(f"--task ranking: say with --group COL within which rows to rank{hint}")
    return ranking.group_of(work, table, column) if request.task is None and request.positive is None else None


def _ranking(work: Workspace, table: Table, column: Column, group: Column) -> Label:
    if not column.numeric:
        raise UsageError(f"--label {column.raw}: ranking needs a number or yes and no, not words; name another column")
    if group.name == column.name or group.distinct > 0.9 * group.rows:
        raise UsageError(f"--group {group.raw}: puts hardly any two rows together; name the column that they share")
    sql, note = ranking.grade_sql(work, table, column, group)
    return Label(column.name, "ranking", sql, None, quoted(group.name), note=note)


def _binary(table: Table, column: Column, values: Values, request: Request) -> Label:
    filled = max(column.rows - column.absent, 1)
    if len(values) > 2 and request.positive is None:
        if not _several_codings(values):
            classes = ", ".join(f"{v!r} ({n:,})" for v, n in values[:6])
            raise UsageError(
                f"--label {column.raw}: has {column.distinct} classes ({classes}); one model predicts yes or no, an "
                "amount or a ranking: say which class to predict with --positive VALUE"
            )
        yes = sorted(str(v) for v, _ in values if str(v).strip().lower() in YES | {"1"})
        rate = sum(n for v, n in values if str(v) in yes) / filled
        sql = f"{column.sql} IN ({', '.join(map(sql_string, yes))})"
        note = "it is coded in more than one way, which sources.read can fix"
        return Label(column.name, "binary", sql, " or ".join(yes), None, rate, note)
    positive = _positive(column, values, request)
    rate = sum(n for v, n in values if v == positive) / filled
    note = _alternative(table, column) if request.task is None else ""
    return Label(column.name, "binary", _equals(column, positive), positive, None, rate, note)


def _several_codings(values: Values) -> bool:
    """Whether all values are yes or no, in more words than two: the coding changed."""
    plain = {str(v).strip().lower() for v, _ in values}
    return plain <= YES | NO | {"0", "1"} and bool(plain & (YES | {"1"})) and bool(plain & (NO | {"0"}))


def with_one_word(work: Workspace, table: Table, column: Column) -> Table:
    """The table with writings of a class that differ only in blanks, invisible signs and capitals as one word."""
    if column.kind != "string" or column.distinct > MOST_CLASSES:
        return table
    values = [str(r[0]) for r in work.rows(
        f"SELECT {column.sql} FROM {table.sql} WHERE {column.sql} IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1"
    )]  # fmt: skip
    raw = (
        [v for v, _ in column_text(work, f"{table.name}__raw", column.raw).frequent]
        if column.reading.sql is None
        else []
    )
    by_word: dict[str, list[str]] = {}
    for value in raw or values:
        by_word.setdefault(plain(value), []).append(value)
    if len(by_word) == len(values):
        return table
    several = [f"{word!r} stands for {', '.join(map(repr, v))}" for word, v in by_word.items() if len(v) > 1]
    reading = folded(column.reading, "; ".join(several[:3]))
    return typed_copy(work, table.with_column(replace(column, reading=reading)))


def _positive(column: Column, values: Values, request: Request) -> str:
    """The value that was named, as the file or the typed column writes it; else yes, true, 1 and such words, or the
    rarer of the two.

    Raises:
        UsageError: the label has no such value.
    """
    if request.positive is None:
        return _default_positive(column, [str(v) for v, _ in values])
    there = [str(v) for v, _ in values]
    wanted = request.positive
    if column.kind == "boolean":
        there, wanted = ["true", "false"], _as_flag(column, wanted) or wanted
    near = [v for v in there if v == wanted]
    near = near or [v for v in there if column.numeric and _same_number(v, wanted)]
    near = near or [v for v in there if plain(v) == plain(wanted)]
    if len(near) == 1:
        return near[0]
    if near:
        raise UsageError(f"--positive {wanted}: {', '.join(map(repr, near))} are near it; say which one, in quotes")
    raise UsageError(
        f"--positive {request.positive}: no such value of {column.raw}; there are {', '.join(map(repr, there))}"
    )


def _as_flag(column: Column, wanted: str) -> str | None:
    """A flag as the file writes it, as true or false."""
    writing, word = column.reading.writing, plain(wanted)
    if word in map(plain, writing.yes) or not writing.yes and word in {*YES, "1", "1.0"}:
        return "true"
    if word in map(plain, writing.no) or not writing.no and word in {*NO, "0", "0.0"}:
        return "false"
    return None


def _same_number(one: str, two: str) -> bool:
    try:
        return Decimal(one) == Decimal(two.strip())
    except InvalidOperation:
        return False


def _default_positive(column: Column, values: Sequence[str]) -> str:
    if column.kind == "boolean":
        return "true"
    if column.numeric:
        return max(values, key=float)
    worded = [v for v in values if v.strip().lower().startswith(POSITIVE)]
    return worded[0] if len(worded) == 1 else values[-1]


def _equals(column: Column, positive: str) -> str:
    if column.kind == "boolean":
        return column.sql if positive == "true" else f"NOT {column.sql}"
    if column.numeric:
        return f"{column.sql} = {positive}"
    return f"{column.sql} = {sql_string(positive)}"


def _alternative(table: Table, column: Column) -> str:
    """What a number could be instead of an amount, and the option that says so."""
    likely = ranking.likely_group(table, column)
    if likely is not None:
        return f"if it ranks the rows of each {likely.raw}: --task ranking --group {sql_string(likely.raw)}"
    if column.kind == "integer" and 2 < column.distinct <= 10:
        return f"if its {column.distinct} values are classes: --positive VALUE says which one to predict"
    return ""
