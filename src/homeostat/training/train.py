"""Stage train: fit the candidate and the baseline of every objective on what is mature, apart from a holdout."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from homeostat import models
from homeostat.core.errors import DataError, ScopeError
from homeostat.features.tables import is_mature, mature, not_left_out, read_features
from homeostat.models import combined, online, targets
from homeostat.models.heuristic import GIVEN
from homeostat.project.executor import IN_PROCESS, Executor
from homeostat.project.scope import Scope
from homeostat.project.whole_files import write_text
from homeostat.project.window import Window, read_window
from homeostat.training.carried import take_over
from homeostat.training.parent import CONTINUED_ON, LEARN, PARENT, Parent, read_parent

if TYPE_CHECKING:
    from homeostat.project.layout import Project


@dataclass(frozen=True)
class Split:
    """The mature rows of one objective; ``learned`` marks those mature when the holdout [start, end) began."""

    start: datetime
    end: datetime
    every: pl.DataFrame
    learned: pl.Series

    @property
    def before(self) -> pl.DataFrame:
        """What the judged model is fitted to; a copy of the rows, made at each call."""
        return self.every.filter(self.learned)

    @property
    def held(self) -> pl.DataFrame:
        """What judges it."""
        return self.every.filter((pl.col("event_time") >= self.start) & (pl.col("event_time") < self.end))


def split(scope: Scope, objective: str, table: pl.DataFrame, as_of: datetime) -> Split:
    """Hold out the last ``windows.holdout`` of events that are mature as of ``as_of``.

    Where nothing came before the holdout there is none: everything trains, and nothing judges.

    Raises:
        DataError: no event is mature.
    """
    every = mature(_columns_of(scope, objective, table), objective, scope, as_of)
    length = scope.train_window(objective)
    every = every.filter(pl.col("event_time") >= as_of - length) if isinstance(length, timedelta) else every
    if len(every) == 0:
        raise DataError(f"objective {objective}: no event is mature by {as_of}; wait, or widen windows.train")
    end = as_of - scope.events.label_horizon
    start = end - scope.windows.holdout
    learned = every.select(is_mature(objective, scope, start)).to_series()
    if not learned.any():
        return Split(end, end, every, learned | True)
    return Split(start, end, every, learned)


def _columns_of(scope: Scope, objective: str, table: pl.DataFrame) -> pl.DataFrame:
    """The columns that an objective's models learn from, with its label and times."""
    own = {"event_time", *(f"{part}{objective}" for part in ("label__", "known__", "group__"))}
    own |= set(scope.objectives[objective].features)
    return table.select(c for c in table.columns if c in own or c.startswith(GIVEN))


def train(project: Project, executor: Executor = IN_PROCESS) -> dict[str, Any]:
    """Rewrite ``models/candidate``; what ``training.json`` says. Large fits go to workers of the ``executor``.

    Raises:
        DataError: an objective has no mature event, features or labels cannot be used, or the parent is not here.
        ScopeError: the window names a parent, and the scope does not say how it is continued.
    """
    window = read_window(project)
    scope = project.scope.on_rung(window.rung)
    table = read_features(project, where=not_left_out(window.left_out))
    short = window.as_of - window.start < scope.windows.warm_up
    kind = "heuristic" if window.baseline or short else scope.training.model
    if window.parent and scope.learn is None:
        fix = "remove that line, or put learn back"
        raise ScopeError(f"{project.window_file}: names a parent, and params.yaml has no learn; {fix}")
    parent = read_parent(project, window.parent) if window.parent else None
    shutil.rmtree(project.candidate, ignore_errors=True)
    until = labels_trusted_until(scope, window)
    rows = {name: split(scope, name, table, until) for name in scope.objectives}
    del table
    carried = take_over(project, window.carried)
    trained = {name: part | {"holdout": _holdout(rows[name])} for name, part in carried.items()}
    together = _fit_together(scope, rows) if kind == combined.KIND else {}
    with ThreadPoolExecutor(_at_once(scope, kind)) as pool:
        scopes, fresh = (scope, project.scope), [name for name in rows if name not in carried]
        fitting = {name: _fits(pool, executor, scopes, name, kind, rows[name], parent) for name in fresh}
        for name, fits in fitting.items():
            made = {part: fit.result() for part, fit in fits.items()} | together.get(name, {})
            trained[name] = _keep(project, scope, name, rows[name], made)
    training: dict[str, Any] = {"as_of": until.isoformat(), "objectives": {name: trained[name] for name in rows}}
    if window.rung:
        training["rung"] = window.rung
    if parent is not None and scope.learn is not None:
        training |= {PARENT: window.parent, LEARN: scope.learn.recipe(kind)}
        for name, own in rows.items():
            known = parent.model(name, "final") if kind == online.KIND else None  # what trees learn from is in no model
            trained[name][CONTINUED_ON] = _continued_on(scope, known, own)
    if window.left_out:
        training["left_out"] = [[time.isoformat() for time in span] for span in window.left_out]
    write_text(json.dumps(training, indent=1) + "\n", project.candidate / "training.json")
    return training


def labels_trusted_until(scope: Scope, window: Window) -> datetime:
    """As of when events are mature: the window's own time, or that at which labels fell in doubt."""
    trusted = (time for time in (window.labels_until, scope.events.labels_until) if time is not None)
    return min([window.as_of, *(time + scope.events.label_horizon for time in trusted)])


def _at_once(scope: Scope, kind: str) -> int:
    """How many models are fitted at a time: each takes ``threads`` of the processors; how many changes no byte.

    LightGBM leaves Python's lock alone while it fits; the other kinds would wait for each other.
    """
    return max(1, (os.cpu_count() or 1) // max(1, scope.threads)) if kind == "lightgbm" else 1


def _fits(
    pool: ThreadPoolExecutor, executor: Executor, scopes: tuple[Scope, Scope], name: str, kind: str, rows: Split,
    parent: Parent | None,
) -> dict[str, Future[models.Model]]:
    """One objective's models under way, by folder: judged and baseline before the holdout, and both for service.

    ``scopes``: of the recipe, and of the baseline, which is the same on every rung. ``parent``: its models are
    continued, the judged one on events before the holdout, as it was fitted.
    """
    own, others = scopes
    wanted = {"baseline": (others, "heuristic", False), "baseline-final": (others, "heuristic", True)}
    if kind != combined.KIND:
        wanted = {part: (own, kind, every) for part, every in _parts(own).items()} | wanted
    return {
        part: pool.submit(fit_model, scope, name, which, rows, every, executor)
        if parent is None or which == "heuristic"
        else pool.submit(continue_model, scope, name, parent.model(name, part), rows, every)
        for part, (scope, which, every) in wanted.items()
    }  # fmt: skip


def _parts(scope: Scope) -> dict[str, bool]:
    """The models that are fitted of an objective, judged and for service, and whether to all that is mature."""
    return {"judged": False, **({"final": True} if scope.training.refit else {})}


def _fit_together(scope: Scope, rows: Mapping[str, Split]) -> dict[str, dict[str, models.Model]]:
    """By objective and folder, the models of one fit of all objectives.

    Raises:
        DataError: features or labels cannot be used.
    """
    together: dict[str, dict[str, models.Model]] = {name: {} for name in rows}
    for part, every in _parts(scope).items():
        tables = {name: own.every if every else own.before for name, own in rows.items()}
        labels = {name: table[f"label__{name}"].to_numpy() for name, table in tables.items()}
        for name, y in labels.items():
            targets.check(scope.objectives[name], y, None)
        made = combined.fit(scope.objectives, scope.training, tables, labels, scope.seed, scope.threads)
        for name, model in made.items():
            together[name][part] = model
    return together


def _keep(
    project: Project, scope: Scope, name: str, rows: Split, made: dict[str, models.Model]
) -> dict[str, Any]:
    """Save the models; what ``training.json`` says of them."""
    made.setdefault("final", made["judged"])
    for part, model in made.items():
        model.save(project.candidate / name / part)
    used = rows.every if project.scope.training.refit else rows.before
    ranks = scope.training.ranks(made["final"].kind, len(used))
    return {
        "kind": made["final"].kind,
        **({"ranks": ranks} if ranks > 1 else {}),
        "rows": len(used),
        "from": _time(used, "min"),
        "to": _time(used, "max"),
        "holdout": _holdout(rows),
        "features": list(made["final"].features),
    }


def _holdout(rows: Split) -> dict[str, Any]:
    return {"from": rows.start.isoformat(), "to": rows.end.isoformat(), "rows": len(rows.held)}


def fit_model(
    scope: Scope, name: str, kind: str, split_rows: Split, every: bool, executor: Executor = IN_PROCESS
) -> models.Model:
    """Fit to every mature row, or to those before the holdout, which are copied only now: each copy is large.

    Raises:
        DataError: features or labels cannot be used.
    """
    objective, rows = scope.objectives[name], split_rows.every if every else split_rows.before
    if kind == online.KIND:
        rows = rows.sort("event_time", maintain_order=True)
    group = rows[f"group__{name}"].fill_null("").to_numpy() if objective.task == "ranking" else None
    y = rows[f"label__{name}"].to_numpy()
    try:
        return models.fit(kind, objective, scope.training, rows, y, scope.seed, scope.threads, group, executor)
    except DataError as error:
        raise DataError(f"objective {name}: {error}") from error


def continue_model(scope: Scope, name: str, parent: models.Model, split_rows: Split, every: bool) -> models.Model:
    """Continue a model on mature rows, or on those before the holdout; see ``learn`` in the scope.

    Raises:
        DataError: features or labels cannot be used, or the parent has other features.
    """
    objective, rows = scope.objectives[name], newest_rows(scope, parent, split_rows, every)
    assert scope.learn is not None, "nothing is continued without it"
    group = rows[f"group__{name}"].fill_null("").to_numpy() if objective.task == "ranking" else None
    y = rows[f"label__{name}"].to_numpy()
    try:
        return models.continue_from(parent, objective, scope.training, scope.learn, rows, y, scope.seed, group)
    except DataError as error:
        raise DataError(f"objective {name}: {error}") from error


def newest_rows(scope: Scope, parent: models.Model | None, split_rows: Split, every: bool) -> pl.DataFrame:
    """The events that a continuation learns from, of one time in order of batch.

    Trees learn again from the last, an online model from those alone that it has not learned.
    """
    assert scope.learn is not None, "nothing is continued without it"
    rows = (split_rows.every if every else split_rows.before).sort("event_time", maintain_order=True)
    if isinstance(parent, online.Online):
        return rows.filter(pl.col("event_time") > parent.until)
    return rows.tail(scope.learn.rows)


def _continued_on(scope: Scope, parent: models.Model | None, rows: Split) -> dict[str, Any]:
    """The events on which the models in service were continued."""
    used = newest_rows(scope, parent, rows, scope.training.refit)
    return {"rows": len(used)} | ({"from": _time(used, "min"), "to": _time(used, "max")} if len(used) else {})


def _time(rows: pl.DataFrame, which: str) -> str:
    times = rows["event_time"]
    time: Any = times.min() if which == "min" else times.max()
    return str(time.isoformat())
