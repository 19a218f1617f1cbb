"""What is wrong with a scope beyond its own values: contracts, expressions and features.sql, tried on its columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from homeostat.core.errors import HomeostatError, ScopeError
from homeostat.core.text import count
from homeostat.features.sql import read_features_sql
from homeostat.project.sql_columns import columns_in
from homeostat.training.behaviour import read_tests

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from homeostat.project.layout import Project
    from homeostat.project.scope import Scope
    from homeostat.project.source_scope import Source


def scope_problems(project: Project) -> tuple[str, ...]:
    """A line each: what, where and how to fix it."""
    return tuple(dict.fromkeys([*_contract_problems(project), *_sql_problems(project)]))


def _contract_problems(project: Project) -> Iterator[str]:
    from homeostat.adapters.gx import contract_problems

    for path in sorted(project.contracts.glob("*.json")):
        try:
            contract_problems(path, project.scope)
        except ScopeError as error:
            yield str(error)
    try:
        read_tests(project)
    except ScopeError as error:
        yield str(error)


def _sql_problems(project: Project) -> Iterator[str]:
    """Every expression and features.sql, tried on tables without rows; then labels against predict-at, on real ones."""
    scope = project.scope
    tables: dict[str, pl.DataFrame] = {}
    for name, source in scope.sources.items():
        yield from _tried(name, source, tables)
    if len(tables) < len(scope.sources):
        return
    try:
        events = _judged(scope, tables[scope.events.source])
        _try_features(project, tables, events)
        yield from _known_too_early(project)
        yield from _filters_known_too_late(project)
    except HomeostatError as error:
        yield str(error)


def _tried(name: str, source: Source, tables: dict[str, pl.DataFrame]) -> Iterator[str]:
    import polars as pl

    from homeostat.data.casts import TYPES
    from homeostat.data.known_at import with_known_at

    rows = pl.DataFrame(schema={column: TYPES[kind] for column, kind in source.columns.items()})
    try:
        tables[name] = with_known_at(name, source, rows)
    except ScopeError as error:
        yield str(error)


def _judged(scope: Scope, rows: pl.DataFrame) -> pl.DataFrame:
    """``rows`` of the events with ``predict_at``, and every other expression over them tried."""
    from homeostat.adapters.duckdb import Expression, evaluate
    from homeostat.features.filters import with_filtered
    from homeostat.features.rows import with_given

    timed = evaluate(rows, [Expression("predict_at", scope.events.predict_at, "TIMESTAMP", "events.predict_at")])
    for name, objective in scope.objectives.items():
        label = Expression("__label", objective.label, "DOUBLE", f"objectives.{name}.label")
        where = Expression("__where", objective.where, "BOOLEAN", f"objectives.{name}.where")
        evaluate(timed, [label, where])
        if objective.group is not None:
            evaluate(timed, [Expression("__group", objective.group, "VARCHAR", f"objectives.{name}.group")])
    with_filtered(scope, timed)
    with_given(scope, timed)
    return timed


def _try_features(project: Project, tables: dict[str, pl.DataFrame], events: pl.DataFrame) -> None:
    from homeostat.features.sql import build
    from homeostat.features.tables import listed

    needed = listed(project.scope)
    if not project.features_sql.is_file():
        if needed:
            raise ScopeError("features.sql: not there, but objectives name features; write it")
        return
    build(read_features_sql(project), project.scope, tables, events, project.scope.threads, sorted(needed))


def _known_too_early(project: Project) -> Iterator[str]:
    """On the last accepted batch of events: a label that is known before predict-at needs no prediction."""
    import polars as pl

    from homeostat.data.known_at import known_column, with_known_at

    scope, source = project.scope, project.scope.events.source
    last: list[Path] = sorted((project.accepted / source).glob("*.parquet"))[-1:]
    for path in last:
        rows = _judged(scope, with_known_at(source, scope.event_source, pl.read_parquet(path)))
        for name, objective in scope.objectives.items():
            early = int((rows[known_column(objective.known)] < rows["predict_at"]).sum())
            if early:
                where = f"params.yaml: objectives.{name}: in batch {path.stem} the label of {early} of "
                where += count(len(rows), "event")
                yield f"{where} is known before predict_at; set events.predict_at earlier, or known later"


def _filters_known_too_late(project: Project) -> Iterator[str]:
    """On the last accepted batch of events: a filter over a column that is blank when the event is predicted."""
    import polars as pl

    from homeostat.data.known_at import known_column, with_known_at

    scope, source = project.scope, project.scope.events.source
    last: list[Path] = sorted((project.accepted / source).glob("*.parquet"))[-1:] if scope.events.filters else []
    for path in last:
        rows = _judged(scope, with_known_at(source, scope.event_source, pl.read_parquet(path)))
        for group, known in list(scope.event_source.known_at.items())[1:]:  # the first makes an event visible
            late = int((rows[known_column(group)] >= rows["predict_at"]).sum())
            for name, expression in scope.events.filters.items() if late else ():
                if used := columns_in(expression, known.columns):
                    where = f"params.yaml: events.filters.{name}: in batch {path.stem} {', '.join(sorted(used))} of "
                    where += f"{late:,} of {count(len(rows), 'event')}"
                    yield f"{where} becomes known only after predict_at; filter by columns that are known before"
