"""Contradictions between sections of the scope."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from homeostat.project.part import require
from homeostat.project.questions import check_answers
from homeostat.project.sql_columns import columns_in
from homeostat.project.value_types import format_duration

if TYPE_CHECKING:
    from homeostat.project.scope import Scope


def check(scope: Scope) -> None:
    """Refuse sections that contradict each other.

    Raises:
        Contradiction: two of them; with the lines of both.
    """
    require("events" not in scope.sources, ("sources", "events"), "features.sql calls the events so; rename it")
    named = f"names {scope.events.source!r}, which is not among sources; correct it"
    require(scope.events.source in scope.sources, ("events", "source"), named)
    timeless = f"names {scope.events.source!r}, which has no time; events need one"
    require(scope.event_source.timed, ("events", "source"), timeless)
    waiting = format_duration(scope.events.label_horizon)
    blind = f"must be longer than events.label_horizon ({waiting}); no event in it would be mature"
    horizon = ("events", "label_horizon")
    require(scope.monitoring.window > scope.events.label_horizon, ("monitoring", "window"), blind, horizon)
    if scope.alarms is not None:
        every = max(scope.rhythm.decide, scope.events_period)
        looks = f"allows a page at every check, one every {format_duration(every)}; lower it or lengthen alarms.in"
        path = ("alarms", "false_pages")
        require(scope.alarms.false_pages * every < scope.alarms.within, path, looks, ("alarms", "in"))
    if scope.business is not None:
        named = f"names {scope.business.source!r}, which is no source with a time; correct it"
        timed = scope.business.source in scope.sources and scope.sources[scope.business.source].timed
        require(timed, ("business", "source"), named)
    _check_objectives(scope)
    _check_schedules(scope)
    _check_features(scope)
    _check_columns(scope)
    _check_abstain(scope)
    _check_filters(scope)
    _check_ladder(scope)
    _check_learn(scope)
    _check_scale(scope)
    _check_combined(scope)
    abstain, ladder = scope.costs.abstain, scope.training.ladder
    asks = scope.approval is not None or (abstain is not None and abstain.then == "person")
    check_answers(scope.questions, scope.training.model != "heuristic", ladder is not None, asks)


def _check_objectives(scope: Scope) -> None:
    for name, objective in scope.objectives.items():
        path = ("objectives", name)
        groups = ", ".join(scope.event_source.known_at)
        stray = f"names {objective.known!r}, which is no known_at group of {scope.events.source}; use {groups}"
        require(objective.known in scope.event_source.known_at, (*path, "known"), stray)
        ranked = (objective.task == "ranking") == (objective.group is not None)
        require(ranked, path, "group goes with task ranking, and ranking needs it; add or remove group")
        measured = getattr(scope.evaluation.metrics, objective.task)
        none = f"is empty, but objective {name} is judged by it; name the loss"
        require(measured, ("evaluation", "metrics", objective.task), none)
    for name in scope.release.margin:
        stray = f"names {name!r}; use one of {', '.join(scope.objectives)}"
        require(name in scope.objectives, ("release", "margin", name), stray)
    weightless = "every objective weighs 0, so no risk is ever above another; give one a weight"
    last = ("objectives", list(scope.objectives)[-1], "weight")
    require(any(o.weight for o in scope.objectives.values()), ("objectives",), weightless, last)


def _check_schedules(scope: Scope) -> None:
    """Check each objective's own window and schedule as the scope's are."""
    for name, objective in scope.objectives.items():
        path, held = ("objectives", name), format_duration(scope.windows.holdout)
        short = f"must be longer than windows.holdout ({held}); nothing is left to train on"
        longer = not isinstance(objective.train, timedelta) or objective.train > scope.windows.holdout
        require(longer, (*path, "train"), short, ("windows", "holdout"))
        if objective.retrain is not None:
            scope.rhythm.check_retrain(objective.retrain, (*path, "retrain"))


def _check_features(scope: Scope) -> None:
    for list_name in ("allowed", "barred"):
        for number, name in enumerate(getattr(scope.features, list_name)):
            objective, dot, _ = name.partition(".")
            stray = f"names {name!r}; write objective.column, the objective one of {', '.join(scope.objectives)}"
            require(dot and objective in scope.objectives, ("features", list_name, number), stray)
    for number, name in enumerate(scope.features.barred):
        both = f"{name} is both barred and allowed; remove it from one"
        place = scope.features.allowed.index(name) if name in scope.features.allowed else None
        require(place is None, ("features", "barred", number), both, ("features", "allowed", place or 0))
    for name, objective in scope.objectives.items():
        _check_list(scope, name, objective.features, ("objectives", name, "features"))
    _check_groups(scope)


def _check_groups(scope: Scope) -> None:
    """Check that each group holds features, and that a feature is in one group."""
    every = {feature for name in scope.objectives for feature in scope.features_of(name)}
    places: dict[str, tuple[int | str, ...]] = {}
    for name, group in scope.features.groups.items():
        for number, feature in enumerate(group.of):
            path = ("features", "groups", name, "of", number)
            require(feature in every, path, f"names {feature!r}, which no objective lists as a feature; correct it")
            twice = f"names {feature!r}, which is in a group already; remove it from one"
            require(feature not in places, path, twice, places.get(feature, ()))
            places[feature] = path


def _check_list(scope: Scope, objective: str, features: tuple[str, ...], path: tuple[int | str, ...]) -> None:
    """Check the features that the models of an objective are made from."""
    for number, feature in enumerate(features):
        place = (*path, number)
        require(features.index(feature) == number, place, f"names {feature!r} twice; remove one")
        barred, name = f"uses {feature!r}, which features.barred bars; remove it from one", f"{objective}.{feature}"
        bar = scope.features.barred.index(name) if name in scope.features.barred else None
        require(bar is None, place, barred, ("features", "barred", bar or 0))


def _check_ladder(scope: Scope) -> None:
    """Check that each rung has features to learn from, and that it is judged when decisions are taken."""
    scope.training.check_rhythm(scope.rhythm.decide)
    ladder, path = scope.training.ladder, ("training", "ladder", "rungs")
    for rung, recipe in ladder.rungs.items() if ladder else ():
        for name, features in recipe.features.items():
            stray = f"names {name!r}; use one of {', '.join(scope.objectives)}"
            require(name in scope.objectives, (*path, rung, "features", name), stray)
            _check_list(scope, name, features, (*path, rung, "features", name))
        for name, objective in scope.objectives.items():
            none = f"learns, and objective {name} has no features; name some"
            learns = recipe.model != "heuristic"
            has = objective.features or name in recipe.features or not learns
            require(has, (*path, rung), none, ("objectives", name, "features"))


def _check_learn(scope: Scope) -> None:
    """Check that there is something to continue, that labels have come by then, and that nobody has to be asked."""
    learn, approval = scope.learn, scope.approval
    if learn is None:
        return
    learn.check_rhythm(scope.events.label_horizon, scope.rhythm.tick, scope.rhythm.retrain)
    rungs = scope.training.ladder.rungs.values() if scope.training.ladder else ()
    kinds = {scope.training.model, *(rung.model for rung in rungs)}
    none = f"continues lightgbm or online, and training.model is {scope.training.model}; use one of these"
    require(bool(kinds & {"lightgbm", "online"}), ("learn",), none, ("training", "model"))
    for name in sorted(learn.of_trees):
        idle = "goes with trees, and model: online learns each event once; remove it"
        require("lightgbm" in kinds, ("learn", name), idle, ("training", "model"))
    asks = "releases each step by itself, and approval.actions lists retrain, which waits; remove one of them"
    require(approval is None or "retrain" not in approval.actions, ("learn",), asks, ("approval", "actions"))


def _check_scale(scope: Scope) -> None:
    """Check that there are workers for the ranks of a model that is fitted by several."""
    spread, path = scope.training.distribute, ("training", "distribute")
    if spread is None:
        return
    needs = f"needs {spread.ranks} workers, and scale names none; add scale: {{workers: {spread.ranks}}}"
    require(scope.scale is not None, path, needs)
    assert scope.scale is not None
    most, place = scope.scale.most
    fewer = f"is more than the {most} workers that there are at most; correct one of them"
    require(most is None or spread.ranks <= most, (*path, "ranks"), fewer, ("scale", place))


def _check_combined(scope: Scope) -> None:
    """Check that a model of all objectives together has several of one task, and a weight of each in its loss."""
    first = next(iter(scope.objectives.values()))
    for path, recipe in scope.training.recipes.items():
        for name in recipe.weights:
            stray = f"names {name!r}; use one of {', '.join(scope.objectives)}"
            require(name in scope.objectives, (*path, "weights", name), stray)
        if recipe.model != "combined":
            idle = "goes with model: combined; remove it"
            require(not recipe.weights, (*path, "weights"), idle, (*path, "model"))
            continue
        alone = "adds up the losses of several objectives, and there is one; use lightgbm"
        require(len(scope.objectives) > 1, (*path, "model"), alone, ("objectives",))
        for name, objective in scope.objectives.items():
            task = f"adds up losses of one task, and {name} is another, or a ranking; use another kind"
            alike = objective.task == first.task != "ranking"
            require(alike, (*path, "model"), task, ("objectives", name, "task"))
            lacks = f"needs a weight of each objective's loss, and {name} has none; write weights: {{{name}: 1}}"
            weights = recipe.weights or scope.training.weights
            require(name in weights, (*path, "model"), lacks, ("objectives", name))


def _check_columns(scope: Scope) -> None:
    """Check that slices, the baseline and rules of the ladder use columns of the events."""
    features = {feature for name in scope.objectives for feature in scope.features_of(name)}
    for number, column in enumerate(scope.evaluation.slices):
        stray = f"names {column!r}, which is no column of {scope.events.source}; correct it"
        path = ("evaluation", "slices", number)
        require(column in scope.event_source.columns, path, stray)
        twice = f"names {column!r} twice; remove one"
        require(scope.evaluation.slices.index(column) == number, path, twice)
        _check_known_before(scope, column, path)
    for where, rule in scope.training.rules.values():
        columns: list[tuple[tuple[int | str, ...], str | None]] = [(("column",), rule.column)]
        columns += [(("by", n), c) for n, c in enumerate(rule.by)]
        for entry, used in columns:
            stray = f"names {used!r}, which is no column of {scope.events.source} and no feature; correct it"
            there = used is None or used in scope.event_source.columns or used in features
            require(there, (*where, *entry), stray)
            _check_known_before(scope, used or "", (*where, *entry))
    barred = [name.partition(".")[2] for name in scope.features.barred]
    for number, column in enumerate(scope.evaluation.slices):
        place = barred.index(column) if column in barred else 0
        away = f"names {column!r}, which is barred: its slices would tell the label; remove one of them"
        path = ("evaluation", "slices", number)
        require(column not in barred, path, away, ("features", "barred", place))
    for number, column in enumerate(scope.evaluation.fairness):
        path, no_slice = ("evaluation", "fairness", number), f"names {column!r}, which is no slice; add it there"
        require(column in scope.evaluation.slices, path, no_slice, ("evaluation", "slices"))
    unmeasured = "needs columns to compare groups by, and there are none; name them there"
    measured = scope.release.fairness is None or scope.evaluation.fairness
    require(measured, ("release", "fairness"), unmeasured, ("evaluation", "fairness"))
    floor, gap = scope.release.slice_floor, scope.release.slice_gap
    for name, value in (("slice_floor", floor), ("slice_gap", gap)):
        none = "needs slices, and there are none; name columns there"
        require(value is None or scope.evaluation.slices, ("release", name), none, ("evaluation", "slices"))


def _check_known_before(scope: Scope, column: str, path: tuple[int | str, ...]) -> None:
    """Check that a column of the events does not become known with a label: it would tell it."""
    source = scope.event_source
    first = next(iter(source.known_at))  # it makes an event visible, so it is known whenever one is predicted
    for name, objective in scope.objectives.items():
        group = source.known_at[objective.known]
        late = f"names {column!r}, which becomes known with the label of {name}, after predict-at; name another"
        where = ("sources", scope.events.source, "known_at", objective.known)
        require(objective.known == first or column not in group.columns, path, late, where)


def _check_abstain(scope: Scope) -> None:
    """Check that some event can be decided, and that ranges are of scores that measure something."""
    abstain, path = scope.costs.abstain, ("costs", "abstain")
    if abstain is None:
        return
    for name, (low, high) in abstain.scores.items():
        place = (*path, "scores", name)
        stray = f"names {name!r}; use one of {', '.join(scope.objectives)}"
        require(name in scope.objectives, place, stray)
        task, of_task = scope.objectives[name].task, ("objectives", name, "task")
        beyond = f"goes from {low:g} to {high:g}, and scores of a binary objective from 0 to 1; correct it"
        require(task != "binary" or 0 <= low < high <= 1, place, beyond, of_task)
        whole = "covers every score from 0 to 1, so that no event would be decided; narrow it"
        require(task != "binary" or (low, high) != (0, 1), place, whole, of_task)
    for name, objective in scope.objectives.items():
        order = f"needs scores that measure; those of {name}, a ranking, only order: remove it"
        require(objective.task != "ranking", path, order, ("objectives", name, "task"))
    wide = "is not below the cost of an alert, so that no event would ever be left alone; lower it"
    require((abstain.margin or 0) < scope.costs.alert, (*path, "margin"), wide, ("costs", "alert"))


def _check_filters(scope: Scope) -> None:
    """Check that filters use no column that makes a label known: that becomes known after predict-at."""
    source = scope.event_source
    first = next(iter(source.known_at))  # it makes an event visible, so it is known whenever one is predicted
    for name, expression in scope.events.filters.items():
        used = columns_in(expression, source.columns)
        for objective, target in scope.objectives.items():
            for column in source.known_at[target.known].columns if target.known != first else ():
                late = (
                    f"uses {column!r}, which becomes known with the label of {objective}, after predict-at; use "
                    "columns that are known before"
                )
                group = ("sources", scope.events.source, "known_at", target.known)
                require(column not in used, ("events", "filters", name), late, group)
