"""The alarm budget proved on the project's own history: false pages by chance, and which changes would be noticed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from statistics import median

import numpy as np
import polars as pl
from numpy.typing import NDArray

from homeostat.checks.alarm_history import CONFIDENCE, History, Pages, pages, read_history
from homeostat.checks.alarm_power import CHANGES, TRIALS, WITHIN, Noticed, noticed
from homeostat.checks.other_rules import beside_lines
from homeostat.core.alarm_budget import Budget, Look, look_by_look, openings
from homeostat.core.text import count, percent, span
from homeostat.monitoring.change import Units
from homeostat.monitoring.outcomes import window_length
from homeostat.project.executor import IN_PROCESS, Executor, in_runs


def check_alarms(units: Units, histories: int, beside: int, executor: Executor = IN_PROCESS) -> Iterator[str]:
    """The proof, a line each: false pages, the same of rules in use elsewhere, and the changes that are noticed.

    ``histories`` of chance are looked at, on the executor's workers, ``beside`` of them by the other rules as well.

    Raises:
        DataError: a batch is missing or damaged.
    """
    scope = units.scope
    if scope.alarms is None:
        yield "no alarm budget, so every incident pages; set one in params.yaml, alarms: {false_pages: 1, in: 90d}"
        return
    history = read_history(units) if units.labels else None
    if history is None:
        yield "no whole window of features yet, so no history to prove it on; run `homeostat run data` first"
        return
    budget, every = Budget(scope.alarms.false_pages, scope.alarms.within), window_length(scope)
    a_look = budget.a_look(every)
    promise = f"{count(budget.pages, 'false page')} in {span(budget.length)}"
    windows = history.windows()
    yield f"budget: {promise}, one evaluation every {span(every)}"
    own = look_by_look(windows, a_look)
    yield f"history: {count(len(own), 'window')}, {len(windows.series):,} series of features, scores and outcomes"
    yield from _own(own, history.ends, every)
    draws = [np.random.default_rng([scope.seed, number]) for number in range(histories)]
    chosen = [history.of_chance(draw) for draw in draws]
    of_chance = sum(in_runs(executor, partial(_paged, history, a_look), chosen), Pages())
    if of_chance.looks:
        yield from _kept(of_chance, budget, every, promise, histories)
        if beside:
            yield from beside_lines(_features(units, history), history, chosen[:beside], budget)
        yield from _changes(history, a_look, np.random.default_rng([scope.seed, histories]), every)


def _paged(history: History, a_look: float, chosen: Sequence[NDArray[np.intp]]) -> list[Pages]:
    """The pages of histories of chance, each by the places of its days."""
    return [pages(look_by_look(history.windows(days), a_look)) for days in chosen]


def _features(units: Units, history: History) -> list[pl.DataFrame]:
    """The feature rows of each day."""
    days = units.between(history.starts[0], history.starts[-1] + units.length)
    return [units.features(units.rows(day)) for day in days]


def _own(looks: Sequence[Look], ends: Sequence[datetime], every: timedelta) -> Iterator[str]:
    paged = pages(looks)
    if not paged.looks:
        wait = looks[-1].limit.wait
        yield f"this budget cannot be promised before {ends[-1] + wait * every:%Y-%m-%d}: needs {wait} more evaluations"
        return
    methods = dict.fromkeys(look.limit.method for look in looks if look.limit.value is not None)
    opened = f"{count(paged.opened, 'page')} in {count(paged.looks, 'evaluation')}"
    yield f"as it came: {opened}; limit by {' and '.join(methods)}"
    for number in openings([look.pages for look in looks]):
        first = looks[number].blamed[0]
        yield f"  {ends[number]:%Y-%m-%d}: {first.subject} ({first.aspect}), {first.ratio:.2g} times as far as usual"


def _kept(paged: Pages, budget: Budget, every: timedelta, promise: str, histories: int) -> Iterator[str]:
    rate, low, high = paged.rate(budget.length / every)
    text = f"{count(histories, 'simulated history')} without a change: {count(paged.opened, 'page')} in "
    text += f"{count(paged.looks, 'evaluation')}, "
    text += f"{rate:.2f} in {span(budget.length)}, at most {high:.2f} ({percent(CONFIDENCE)} Poisson bound)"
    verdict = "kept" if high <= budget.pages else "broken" if low > budget.pages else "kept as far as so few show"
    yield f"{text}: {promise} is {verdict}"


def _changes(history: History, a_look: float, draw: np.random.Generator, every: timedelta) -> Iterator[str]:
    lines = []
    for change in CHANGES:
        made = [n for size in change.sizes if (n := noticed(history, a_look, change, size, draw)) is not None]
        if made:
            lines.append(f"  {change.name}: {', '.join(map(_noticed, made))}")
    if not lines:
        yield "history is too short to say which changes would be noticed"
        return
    tried = f"of {TRIALS} changes of each size"
    yield f"paged about within {count(WITHIN, 'evaluation')}, one every {span(every)}, {tried}, with the median one:"
    yield from lines


def _noticed(one: Noticed) -> str:
    after = [look for look in one.after if look is not None]
    look = f" (after {median(after):g})" if after else ""
    return f"by {percent(one.size)} {percent(one.share)}{look}"
