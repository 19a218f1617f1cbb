"""The behavioural tests of a project, ``expectations/behaviour/*.yaml``: read, and run on the candidate.

A change is made to the features of held-out events, which are real rows; ``features.sql`` is not run on invented
source rows, for its aggregates would need a whole invented past. A row that an expert writes names the features that
matter; the others are those of a typical held-out event.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

import numpy as np
import polars as pl
from pydantic import Field, model_validator

from homeostat.core.behaviour import EXPECTED, Behaviour, Severity, excess
from homeostat.core.errors import ScopeError
from homeostat.project import scope_errors
from homeostat.project.part import Part
from homeostat.project.scope_errors import Contradiction
from homeostat.project.typed_yaml import parse_yaml
from homeostat.project.value_types import Number, Text

if TYPE_CHECKING:
    from homeostat.models import Model
    from homeostat.project.layout import Project
    from homeostat.project.scope import Scope

ROWS = 2000  # held-out events that a change is tried on, evenly spaced: 30 ms a test
CHANGE = ("moves_at_most", "falls_at_most", "rises_at_most")
Value = bool | int | float | str
Bound = Annotated[Number, Field(ge=0)] | None


class Change(Part):
    """What is done to one feature: a number is added or multiplied, or a value set."""

    add: Number | None = None
    times: Number | None = None
    to: Value | None = None

    @model_validator(mode="after")
    def one(self) -> Change:
        if sum(value is not None for value in (self.add, self.times, self.to)) != 1:
            raise Contradiction((), "needs one of add, times and to; correct it")
        return self

    def of(self, feature: str, dtype: pl.DataType) -> pl.Expr:
        """The changed feature, in its own type where that can hold it; what is missing stays so unless it is set."""
        column = pl.col(feature)
        if self.to is not None:
            return pl.lit(self.to).cast(dtype).alias(feature)
        changed = column + self.add if self.add is not None else column * self.times
        return changed.cast(pl.Float64 if dtype.is_float() else dtype)


class Test(Part):
    """One test: a ``change`` of real rows, or ``rows`` as an expert writes them, and what the score must do."""

    name: Text
    reason: Text
    objective: Text
    severity: Severity = "critical"
    change: dict[Text, Change] = {}
    rows: tuple[dict[Text, Value], ...] = ()
    moves_at_most: Bound = None
    falls_at_most: Bound = None
    rises_at_most: Bound = None
    at_least: Number | None = None
    at_most: Number | None = None
    share: Annotated[Number, Field(ge=0, lt=1)] = 0.0  # of the rows that may break it

    @model_validator(mode="after")
    def consistent(self) -> Test:
        given = [key for key in EXPECTED if getattr(self, key) is not None]
        if len(given) != 1:
            raise Contradiction((), f"needs one of {', '.join(EXPECTED)}; correct it")
        if bool(self.change) == bool(self.rows):
            raise Contradiction((), "needs either change or rows; correct it")
        if bool(self.change) != (given[0] in CHANGE):
            fix = f"{', '.join(CHANGE)} go with change, at_least and at_most with rows; correct it"
            raise Contradiction((given[0],), fix)
        return self

    @property
    def expected(self) -> str:
        return next(key for key in EXPECTED if getattr(self, key) is not None)

    def features(self) -> Iterator[tuple[tuple[int | str, ...], str]]:
        """Each feature that it names, with where."""
        yield from ((("change", name), name) for name in self.change)
        yield from ((("rows", place, name), name) for place, row in enumerate(self.rows) for name in row)


class Tests(Part):
    tests: Annotated[tuple[Test, ...], Field(min_length=1)]


def read_tests(project: Project) -> tuple[Test, ...]:
    """Every test of the project; none where there is no folder of them.

    Raises:
        ScopeError: one line that names the file, the line, the key and the fix.
    """
    paths = sorted(project.behaviour.glob("*.yaml"))
    return tuple(test for path in paths for test in _read(path.read_text(), f"behaviour/{path.name}", project.scope))


def _read(text: str, where: str, scope: Scope) -> tuple[Test, ...]:
    tests = parse_yaml(text, where, Tests, "a file of tests starts with `tests:`").tests
    for place, test in enumerate(tests):
        for path, problem in _strays(test, scope):
            line = scope_errors.line_of(text, ("tests", place, *path))
            raise ScopeError(f"{where}:{line}: {problem}")
    return tests


def _strays(test: Test, scope: Scope) -> Iterator[tuple[tuple[int | str, ...], str]]:
    if test.objective not in scope.objectives:
        yield ("objective",), f"names {test.objective!r}; use one of {', '.join(scope.objectives)}"
        return
    own = scope.features_of(test.objective)
    for path, name in test.features():
        if name not in own:
            yield path, f"names {name!r}, which is no feature of {test.objective}; use one of {', '.join(own)}"


def run_tests(
    tests: tuple[Test, ...], judged: Mapping[str, Model], table: pl.DataFrame
) -> tuple[Behaviour, ...]:
    """Each test on the judged model of its objective and held-out rows; none of a model that uses no feature.

    Raises:
        ScopeError: a value is of another type than its feature.
    """
    rows = table.gather_every(max(1, -(-len(table) // ROWS)))
    return tuple(_run(test, judged[test.objective], rows) for test in tests if _learns(judged[test.objective]))


def _learns(model: Model) -> bool:
    return model.kind != "heuristic"


def _run(test: Test, model: Model, rows: pl.DataFrame) -> Behaviour:
    bound = getattr(test, test.expected)
    result = Behaviour(test.name, test.objective, test.severity, test.reason, test.expected, bound, test.share, 0)
    try:
        if test.rows:
            before, after = rows.clear(), _written(test, rows)
        else:
            before, after = _changed(test, rows)
    except pl.exceptions.PolarsError as error:
        raise ScopeError(f"behaviour: {test.name}: a value does not fit its feature ({error}); correct it") from error
    if after.is_empty():
        return result
    score = model.predict(after)
    return result.measured(excess(test.expected, bound, score, model.predict(before) if test.change else score))


def _changed(test: Test, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows in which the change changes something, before and after it."""
    after = rows.with_columns(change.of(name, rows.schema[name]) for name, change in test.change.items())
    differs = np.zeros(len(rows), dtype=bool)
    for name in test.change:
        differs |= after[name].ne_missing(rows[name]).to_numpy()
    return rows.filter(differs), after.filter(differs)


def _written(test: Test, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows that the expert wrote; what they leave out is as in a typical row: the median, or the commonest."""
    typical = rows.select(_typical(name, dtype) for name, dtype in rows.schema.items()).head(1)
    each = [
        typical.with_columns(pl.lit(value).cast(rows.schema[name]).alias(name) for name, value in row.items())
        for row in test.rows
    ]
    return pl.concat(each) if len(typical) else rows.clear()


def _typical(name: str, dtype: pl.DataType) -> pl.Expr:
    if dtype.is_numeric():
        return pl.col(name).median().cast(dtype)
    return pl.col(name).drop_nulls().mode().sort().first()
