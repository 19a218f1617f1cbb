"""Predictions and their outcomes: figures from the prediction rows alone, joined with the labels that have come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import polars.selectors as cs

from homeostat.core import metrics
from homeostat.core.errors import DataError
from homeostat.core.event_decision import UNDECIDED, EventDecision
from homeostat.core.ledger import release_line
from homeostat.core.periods import labels_overlapping
from homeostat.features.filters import FILTERED
from homeostat.features.tables import mature
from homeostat.project.window import read_window
from homeostat.training import evaluate
from homeostat.training.event_decisions import DECIDED

if TYPE_CHECKING:
    from homeostat.project.layout import Project
    from homeostat.project.scope import Scope

MODELS = {"served": "score__", "never": "never__", "baseline": "baseline__"}
SCORED = ("event_time", "release", "alert", FILTERED, DECIDED)


@dataclass(frozen=True)
class Observed:
    """Matured scored events of one objective, in order of time; ``never`` is NaN where there was no such score."""

    y: np.ndarray
    score: np.ndarray
    baseline: np.ndarray
    never: np.ndarray
    block: np.ndarray
    group: np.ndarray | None
    release: np.ndarray
    key: pl.DataFrame
    slices: dict[str, np.ndarray]


def monthly(project: Project, now: datetime | None = None) -> pl.DataFrame:
    """One row an objective, model and month: rows, each metric of the task, and money, of events mature by ``now``.

    Columns: objective, model (served, never or baseline), month (YYYY-MM), rows, the metrics, money: what the month
    cost under the alerts of that model, all objectives together. ``now`` is the project's own time unless given.
    """
    scope = project.scope
    names = {m: pl.Float64() for o in scope.objectives for m in evaluate.metrics_of(scope, o)}
    schema = {"objective": pl.String(), "model": pl.String(), "month": pl.String(), "rows": pl.Int64(), **names}
    table = rows(project)
    if table.is_empty():
        return pl.DataFrame(schema={**schema, "money": pl.Float64()})
    now = _now(project) if now is None else now
    table = table.with_columns(pl.Series("month", evaluate.months(scope, table)))
    parts = [
        figure | {"money": money}
        for model in MODELS
        for part, alert in _by_month(scope, table, model)
        for money in [evaluate.realised(scope, part, alert, now).cost.value]
        for figure in _figures(scope, part, model, now)
    ]
    return pl.DataFrame(parts, schema={**schema, "money": pl.Float64()}).sort(
        pl.col("objective").replace_strict(list(scope.objectives), range(len(scope.objectives))),
        pl.col("model").replace_strict(list(MODELS), range(len(MODELS))),
        "month",
    )


def observed(scope: Scope, table: pl.DataFrame, until: datetime, release: str | None = None) -> dict[str, Observed]:
    """By objective, the scored events of ``table`` (of ``rows``) that are mature as of ``until``.

    ``release``: those alone that it scored, or another of its line.

    An event with labels that is not mature yet is left out: labels that come early are a biased sample.
    """
    if release is not None and not table.is_empty():
        table = table.filter(of_line(release))
    if table.is_empty():
        return {}
    return {name: _observed(scope, table, name, until) for name in scope.objectives}


def of_line(release: str) -> pl.Expr:
    """Of a prediction row, whether a release of that line made it: a full retrain or a continuation of it.

    A continuation seldom serves until its own predictions have outcomes, and differs little from the one before.
    """
    return pl.col("release").str.starts_with(f"{release_line(release)}.")


def figures(scope: Scope, objective: str, rows: Observed) -> dict[str, float | None]:
    """Each metric of the objective on observed outcomes; None where there are too few to say."""
    task = scope.objectives[objective].task
    values = {m: metrics.value(task, m, rows.y, rows.score, rows.group) for m in evaluate.metrics_of(scope, objective)}
    return {m: float(value) if np.isfinite(value) else None for m, value in values.items()}


def money(scope: Scope, table: pl.DataFrame, until: datetime) -> dict[str, Any]:
    """What the alerts on ``table`` (of ``rows``) came to on events mature as of ``until``: ``core.costs.Money``.

    Beside it, where events were filtered or left undecided, ``undecided``: how many of ``table`` by what is done.
    """
    body = evaluate.realised(scope, table, table["alert"].fill_null(False).to_numpy(), until).to_dict()
    many = Counter(table[DECIDED].drop_nulls().to_list()) if DECIDED in table.columns else Counter()
    undecided = {str(one): many[one] for one in (EventDecision.FILTERED, *UNDECIDED) if many[one]}
    return body | ({"undecided": undecided} if undecided else {})


def rows(
    project: Project, since: datetime | None = None, until: datetime | None = None, also: Sequence[str] = ()
) -> pl.DataFrame:
    """Every event that was scored, once, with its labels where its batch was accepted; in order of event time.

    ``also`` names further columns of the prediction rows, where these have them.
    Of rows with one key the first that was written counts. Empty, without columns, where nothing was predicted.

    Raises:
        DataError: a file is damaged.
    """
    scope = project.scope
    key = list(scope.key)
    scores = [f"{prefix}{name}" for prefix in MODELS.values() for name in scope.objectives]
    table = _read(_files(scope, project.predictions, since, until), [*key, *SCORED, *scores, *also])
    if table is None:
        return pl.DataFrame()
    table = table.unique(key, keep="first", maintain_order=True)
    if since is not None:
        table = table.filter(pl.col("event_time") >= since)
    if until is not None:
        table = table.filter(pl.col("event_time") < until)
    names = [f"{part}{name}" for name in scope.objectives for part in ("label__", "known__", "group__")]
    names += [evaluate.GIVEN + column for column in scope.evaluation.slices]
    labels = _read(_files(scope, labelled(project).features, since, until), [*key, *names])
    if labels is None:
        raise DataError(f"{labelled(project).features}: holds no features; run the stage featurize first")
    joined = table.join(labels, on=key, how="left", nulls_equal=True, maintain_order="left")
    return joined.with_columns(pl.lit(None, pl.Float64).alias(c) for c in scores if c not in joined.columns).sort(
        "event_time", maintain_order=True
    )


def window_length(scope: Scope) -> timedelta:
    """Of a window of observed outcomes: one round of decisions."""
    return max(scope.rhythm.decide, scope.events_period)


def labelled(project: Project) -> Project:
    """The tree whose labels count: that of scheduled work, where there is one."""
    return project.worktree if project.worktree.features.is_dir() else project


def _now(project: Project) -> datetime:
    return read_window(labelled(project)).as_of


def _by_month(scope: Scope, table: pl.DataFrame, model: str) -> Iterator[tuple[pl.DataFrame, np.ndarray]]:
    """The rows that the model scored, month by month, with its alerts: those of the served one as they were given.

    An objective that a row has no score of, for it came later, adds no risk there.
    """
    names = {name: f"{MODELS[model]}{name}" for name in scope.objectives}
    table = table.filter(pl.any_horizontal(pl.col(column).is_not_null() for column in names.values()))
    if table.is_empty():
        return
    alert = table["alert"].fill_null(False)
    if model != "served":
        scores = {name: table[column].fill_null(0.0).to_numpy() for name, column in names.items()}
        alert = pl.Series("alert", evaluate.alerts_of(scope, table, scores))
    for part in table.with_columns(alert).partition_by("month", maintain_order=True):
        yield part, part["alert"].to_numpy()


def _figures(scope: Scope, part: pl.DataFrame, model: str, now: datetime) -> Iterator[dict[str, Any]]:
    """Each objective's row of one model and month, where any of its scored events is mature."""
    for name, objective in scope.objectives.items():
        table = mature(part, name, scope, now).drop_nulls(f"{MODELS[model]}{name}")
        if table.is_empty():
            continue
        y, score, group = _arrays(scope, table, name, MODELS[model])
        measured = {m: metrics.value(objective.task, m, y, score, group) for m in evaluate.metrics_of(scope, name)}
        values = {m: value if np.isfinite(value) else None for m, value in measured.items()}
        yield {"objective": name, "model": model, "month": table["month"][0], "rows": len(table), **values}


def _observed(scope: Scope, table: pl.DataFrame, name: str, now: datetime) -> Observed:
    table = mature(table, name, scope, now).drop_nulls([f"score__{name}", f"baseline__{name}"])
    y, score, group = _arrays(scope, table, name, "score__")
    never = table[f"never__{name}"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    return Observed(
        y, score, table[f"baseline__{name}"].to_numpy(), never, evaluate.blocks(scope, table), group,
        table["release"].to_numpy(), table.select(scope.key),
        {c: table[given].to_numpy() for c in scope.evaluation.slices if (given := evaluate.GIVEN + c) in table.columns},
    )  # fmt: skip


def _arrays(
    scope: Scope, table: pl.DataFrame, name: str, prefix: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    grouped = scope.objectives[name].task == "ranking"
    group = evaluate.groups(table, name) if grouped else None
    return table[f"label__{name}"].to_numpy(), table[f"{prefix}{name}"].to_numpy(), group


def _files(scope: Scope, folder: Path, since: datetime | None, until: datetime | None) -> list[Path]:
    """The files of the batches that overlap the span, in order of batch."""
    labels = (path.stem for path in folder.glob("*.parquet"))
    every, offset = scope.events_period, scope.rhythm.offset
    return [folder / f"{label}.parquet" for label in labels_overlapping(labels, every, offset, since, until)]


def _read(paths: Iterable[Path], columns: list[str]) -> pl.DataFrame | None:
    """These columns, where they are there, of files one below the other; None for no file."""
    tables = []
    for path in paths:
        try:
            tables.append(pl.scan_parquet(path).select(cs.by_name(*columns, require_all=False)).collect())
        except pl.exceptions.PolarsError as error:
            raise DataError(f"{path}: damaged, not a whole Parquet file; restore it from a backup") from error
    return pl.concat(tables, how="diagonal_relaxed") if tables else None
