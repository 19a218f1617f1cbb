"""Every fault of the labels tried on a judged history: how many are found, how soon, as what, and what is done then.

The labels of one batch after another are damaged in memory, measured as those of any batch are, and judged by those
before; the referee then says whether a candidate that learned from them would be released.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from homeostat.core.findings import Decision, Due, Finding
from homeostat.core.label_trust import LabelBatch, label_findings, mean_relation
from homeostat.core.policy import Evidence, decide_action
from homeostat.core.rules import Reason, Rule
from homeostat.models.heuristic import GIVEN
from homeostat.monitoring.label_measures import Usual, due_rows, label_batch, measure_labels, periods_of
from homeostat.monitoring.labels import RECENT
from homeostat.monitoring.outcomes import window_length
from homeostat.project.executor import IN_PROCESS, Executor, in_runs, shared
from homeostat.project.layout import Project

if TYPE_CHECKING:
    from homeostat.core.periods import Period
    from homeostat.project.scope import Scope

Change = Callable[[pl.DataFrame, str, float, random.Random], pl.DataFrame]
BEFORE, LOOKS = 28, 10  # batches before a fault, and of it until it counts as not found


@dataclass(frozen=True)
class LabelFault:
    """``change`` gets the feature rows of a batch, an objective, its size and a source of chance.

    ``sizes``: small, middle and large. ``kinds``: the names under which it should be found.
    """

    change: Change
    sizes: tuple[float, float, float]
    kinds: tuple[str, ...]
    binary: bool = True  # whether it is about yes and no alone
    slices: bool = False  # whether it is about one slice of the scope alone


def one_class(rows: pl.DataFrame, objective: str, size: float, chance: random.Random) -> pl.DataFrame:
    """A share of the rows that did not happen lose their label, as where only what happened is reported."""
    return _lose(rows, objective, (pl.col(f"label__{objective}") == 0) & _hit(rows, size, chance))


def stopped(rows: pl.DataFrame, objective: str, size: float, chance: random.Random) -> pl.DataFrame:
    return _lose(rows, objective, _hit(rows, size, chance))


def flipped(rows: pl.DataFrame, objective: str, size: float, chance: random.Random) -> pl.DataFrame:
    label = f"label__{objective}"
    return rows.with_columns(pl.when(_hit(rows, size, chance)).then(1 - pl.col(label)).otherwise(label).alias(label))


def mixed_up(rows: pl.DataFrame, objective: str, size: float, chance: random.Random) -> pl.DataFrame:
    """A share of the labels are of other events of the batch, as where they are joined by a wrong key."""
    label, place = f"label__{objective}", list(range(rows.height))
    hit = [n for n in place if chance.random() < size]
    for to, of in zip(hit, chance.sample(hit, len(hit)), strict=True):
        place[to] = of
    return rows.with_columns(rows[label][place].alias(label))


def late(rows: pl.DataFrame, objective: str, size: float, chance: random.Random) -> pl.DataFrame:
    """Labels come later by ``size`` days, or by as many times what they take at the median, where that is more."""
    known = f"known__{objective}"
    usual = rows.select((pl.col(known) - pl.col("event_time")).median()).item() or timedelta(0)
    return rows.with_columns((pl.col(known) + size * max(usual, timedelta(days=1))).alias(known))


def feedback_loop(rows: pl.DataFrame, objective: str, size: float, chance: random.Random) -> pl.DataFrame:
    """The share of labelled rows that a model would flag first does not happen, since somebody acted on it.

    The model: each feature's rank, times its rank correlation with the label as it would have been.
    """
    label, numbers = f"label__{objective}", rows.select(pl.col(pl.Float64, pl.Float32, pl.Int64, pl.Int32, pl.Boolean))
    features = numbers.select(pl.exclude("^(label|known|given)__.*$").cast(pl.Float64).rank().fill_null(0))
    if features.is_empty():
        return rows
    ranks = features.with_columns(rows[label].cast(pl.Float64))
    weights = ranks.select(pl.corr(c, label).fill_nan(0).fill_null(0) for c in features.columns).row(0, named=True)
    score = ranks.select(pl.sum_horizontal(pl.col(c) * w for c, w in weights.items())).to_series()
    labelled = rows[label].is_not_null()
    flagged = labelled & (score >= score.filter(labelled).quantile(1 - size))
    return rows.with_columns(pl.when(flagged).then(0).otherwise(label).alias(label))


LABEL_FAULTS: Mapping[str, LabelFault] = {
    "one-class-labels": LabelFault(one_class, (0.9, 1.0, 1.0), ("one value", "not coming", "label rate")),
    "stopped-labels": LabelFault(stopped, (0.7, 0.9, 1.0), ("not coming",), binary=False),
    "late-labels": LabelFault(late, (0.5, 1.0, 3.0), ("pace", "not coming"), binary=False),
    "poisoned-slice": LabelFault(
        flipped, (0.5, 0.8, 1.0), ("implausible rate", "turned relation", "label rate"), slices=True
    ),
    "feedback-loop": LabelFault(
        feedback_loop, (0.1, 0.3, 0.6),
        ("acted on", "turned relation", "lost relation", "implausible rate", "one value", "label rate"),
    ),
    "mixed-up-labels": LabelFault(mixed_up, (0.8, 1.0, 1.0), ("lost relation", "turned relation"), binary=False),
    "flipped-labels": LabelFault(flipped, (0.5, 0.8, 1.0), ("implausible rate", "turned relation", "label rate")),
}


@dataclass(frozen=True)
class LabelTrial:
    """One fault of one objective's labels from a batch on, and what the rules made of it.

    ``after``: how many batches after its first it was found; None: it was not. ``action``: what the referee would do
    where a candidate that had learned from these labels passes its gate, ``acted`` batches after the first.
    """

    fault: str
    objective: str
    batch: str
    after: int | None = None
    kinds: tuple[str, ...] = ()
    action: str = "retrain"
    acted: int | None = None

    @property
    def right(self) -> bool:
        return bool(set(self.kinds) & set(LABEL_FAULTS[self.fault].kinds))

    @property
    def detected(self) -> bool:
        return self.after is not None

    @property
    def let_in(self) -> int:
        """Batches whose labels would have been learned from; an oracle lets in none."""
        return (self.acted or 0) if self.acted_right else LOOKS

    @property
    def acted_right(self) -> bool:
        """Whether nothing learns from the labels, and a person is asked."""
        return self.after is not None and self.action == "ask"


def try_labels(project: Project, seeds: int, size: int, executor: Executor = IN_PROCESS) -> list[LabelTrial]:
    """Try each fault ``seeds`` times, the objectives in turn; ``size`` is the place of its size among the three."""
    scope, periods, wanted = project.scope, periods_of(project), []
    if len(periods) < BEFORE + LOOKS:
        return []
    sound = {name: _sound(project, name, periods) for name in scope.objectives}
    for name, fault in LABEL_FAULTS.items():
        suited = [o for o, objective in scope.objectives.items() if objective.task == "binary" or not fault.binary]
        suited = [o for o in suited if not fault.slices or _largest_slice(scope, sound[o])]
        wanted += [(name, suited[seed % len(suited)], seed) for seed in range(seeds if suited else 0)]
    return in_runs(executor, partial(try_faults, project.root, project.home, sound, size), wanted)


def try_faults(
    root: Path, home: Path, sound: Mapping[str, Sequence[LabelBatch]], size: int, wanted: Sequence[tuple[str, str, int]]
) -> list[LabelTrial]:
    """Try faults, each by its name, the objective and the number of the try; ``sound`` are the labels as they came."""
    project, trials = Project(shared(root), home), []
    periods = periods_of(project)
    for name, objective, seed in wanted:
        chance = random.Random(f"{project.scope.seed} {name} {seed}")
        first = chance.randrange(BEFORE, len(periods) - LOOKS + 1)
        trial, hit = LabelTrial(name, objective, periods[first].label), periods[first : first + LOOKS]
        trials.append(_try(project, trial, sound[objective], hit, LABEL_FAULTS[name].sizes[size], chance))
    return trials


def _try(
    project: Project, trial: LabelTrial, sound: Sequence[LabelBatch], periods: Sequence[Period], size: float,
    chance: random.Random,
) -> LabelTrial:  # fmt: skip
    """Damage the labels from the first of ``periods`` on; ``sound`` are those of all batches, as they came."""
    scope, fault, objective = project.scope, LABEL_FAULTS[trial.fault], trial.objective
    where = _largest_slice(scope, sound) if fault.slices else ""
    first = next(place for place, batch in enumerate(sound) if batch.label == trial.batch)
    batches = list(sound[:first])
    for after, period in enumerate(periods):
        rows, events = due_rows(project, period)
        hit = _in_slice(rows, where)
        damaged = pl.concat([fault.change(rows.filter(hit), objective, size, chance), rows.filter(~hit)])
        batches.append(_measured(scope, damaged, objective, period, events, batches))
        there = {_kind(f) for f in _failed(scope, objective, sound[: first + after + 1])}
        new = [f for f in _failed(scope, objective, batches) if _kind(f) not in there]
        if new:
            kinds = tuple(sorted({*trial.kinds, *map(_kind, new)}))
            trial = replace(trial, after=after if trial.after is None else trial.after, acted=after, kinds=kinds,
                            action=_action(new, period.end, scope.monitoring.roll_back))  # fmt: skip
        if trial.action == "ask":
            break
    return trial


def _action(findings: Sequence[Finding], now: datetime, roll_back: float) -> str:
    """What is done where a candidate is due that has learned from the labels, and passes by them."""
    gate = Decision("release", Reason.PASSED)
    decision = decide_action(findings, Evidence("v0.1.0", 0.95, gate=gate, due=Due("interval", now)), roll_back)
    return "ask" if decision.reason == Reason.LABELS else decision.action


def _largest_slice(scope: Scope, batches: Sequence[LabelBatch]) -> str:
    """The slice with most labels; none if a window has fewer of them than the scope wants to say anything of one."""
    a_window = max(1, window_length(scope) // scope.events_period)
    counts: Counter[str] = Counter()
    for batch in batches:
        counts.update({name: many for name, (many, *_) in batch.slices.items()})
    name, many = max(counts.items(), key=lambda one: (one[1], one[0]), default=("", 0))
    labelled = sum(1 for batch in batches if batch.labelled)
    return name if labelled and many / labelled * a_window >= scope.evaluation.min_slice else ""


def _in_slice(rows: pl.DataFrame, name: str) -> pl.Series:
    """Which rows are of a slice, named as its labels are on record; all, where none is named."""
    if not name:
        return pl.repeat(True, rows.height, dtype=pl.Boolean, eager=True)
    column, _, value = name.partition(" = ")
    return rows[f"{GIVEN}{column}"].cast(pl.String).eq_missing(value)


def _sound(project: Project, objective: str, periods: Sequence[Period]) -> list[LabelBatch]:
    """The labels of each batch as they came."""
    batches: list[LabelBatch] = []
    for period in periods:
        rows, events = due_rows(project, period)
        batches.append(_measured(project.scope, rows, objective, period, events, batches))
    return batches


def _measured(
    scope: Scope, rows: pl.DataFrame, objective: str, period: Period, events: int, before: Sequence[LabelBatch]
) -> LabelBatch:
    usual = Usual(events, {objective: mean_relation(before[-RECENT:])})
    measured = measure_labels(scope, rows, period, period.end, usual)
    return next(label_batch(row) for row in measured if row["objective"] == objective)


def _failed(scope: Scope, objective: str, batches: Sequence[LabelBatch]) -> list[Finding]:
    task, present = scope.objectives[objective].task, [batch for batch in batches if batch.events]
    findings = label_findings(objective, task, present, window_length(scope), scope.evaluation.min_slice)
    return [finding for finding in findings if finding.failed]


def _kind(finding: Finding) -> str:
    return str(finding.rule) if finding.rule == Rule.LABEL_RATE else str(finding.facts["kind"])


def _hit(rows: pl.DataFrame, share: float, chance: random.Random) -> pl.Series:
    return pl.Series([chance.random() < share for _ in range(rows.height)], dtype=pl.Boolean)


def _lose(rows: pl.DataFrame, objective: str, lost: pl.Expr | pl.Series) -> pl.DataFrame:
    names = [f"{part}{objective}" for part in ("label__", "known__")]
    return rows.with_columns(pl.when(lost).then(None).otherwise(pl.col(name)).alias(name) for name in names)
