"""How good scores are, overall, by month and by slice; and how much better than others on the same rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeostat.core.intervals import Measure, Resamples, Settings, block_sums, measures, resampled_sums, summary, tidy
from homeostat.core.metrics import METRICS, Array, Sums

Slices = Mapping[str, NDArray[Any]]
ABSENT = "(none)"  # the slice of rows without a value


@dataclass(frozen=True)
class Scored:
    """Labels and scores of n events; ``block`` holds ids of the blocks that are resampled together."""

    y: Array
    score: Array
    block: NDArray[np.int64]
    month: NDArray[Any]
    slices: Slices = field(default_factory=dict)
    group: NDArray[Any] | None = None


@dataclass(frozen=True)
class Judged:
    """One set of rows; ``metrics`` is empty where there are too few of them to judge."""

    rows: int
    base_rate: float | None
    metrics: Mapping[str, Measure] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Judged:
        return cls(raw["rows"], raw["base_rate"], {k: Measure.from_dict(v) for k, v in raw["metrics"].items()})


@dataclass(frozen=True)
class Evaluation:
    """One objective's scores; months and slices (column, then value) hold those that have rows."""

    objective: str
    task: str
    loss: str
    min_rows: int
    overall: Judged
    months: Mapping[str, Judged] = field(default_factory=dict)
    slices: Mapping[str, Mapping[str, Judged]] = field(default_factory=dict)

    def metric(self, name: str) -> Measure:
        """One metric over all rows."""
        return self.overall.metrics.get(name, Measure(None))

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Evaluation:
        return cls(
            raw["objective"], raw["task"], raw["loss"], raw["min_rows"], Judged.from_dict(raw["overall"]),
            {month: Judged.from_dict(part) for month, part in raw["months"].items()},
            {column: {v: Judged.from_dict(p) for v, p in parts.items()} for column, parts in raw["slices"].items()},
        )  # fmt: skip


@dataclass(frozen=True)
class Compared:
    """Two scores of the same rows: the loss of each, and by what share the first is above the other (below: < 0)."""

    rows: int
    loss: float | None = None
    other_loss: float | None = None
    share: Measure = Measure(None)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Compared:
        """What is on record of it; an older record has more."""
        return cls(raw["rows"], raw["loss"], raw["other_loss"], Measure.from_dict(raw["share"]))


@dataclass(frozen=True)
class Comparison:
    """A score against another on the same rows, overall and by slice; ``loss`` names what is compared."""

    loss: str
    min_rows: int
    overall: Compared
    slices: Mapping[str, Mapping[str, Compared]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Comparison:
        slices = {c: {v: Compared.from_dict(p) for v, p in parts.items()} for c, parts in raw["slices"].items()}
        return cls(raw["loss"], raw["min_rows"], Compared.from_dict(raw["overall"]), slices)


def evaluate(objective: str, task: str, metrics: tuple[str, ...], scored: Scored, settings: Settings) -> Evaluation:
    """Measure ``metrics`` (the first is the loss), and calibration in any case, for the gate asks for it."""
    names = tuple(dict.fromkeys((*metrics, *(["calibration"] if "calibration" in METRICS[task] else []))))

    def judged(rows: NDArray[np.intp]) -> Judged:
        return _judge(task, names, scored, rows, settings)

    return Evaluation(
        objective, task, metrics[0], settings.min_slice, judged(np.arange(len(scored.y))),
        {month: judged(rows) for month, rows in parts_of(scored.month)},
        {column: {v: judged(rows) for v, rows in parts_of(values)} for column, values in scored.slices.items()},
    )  # fmt: skip


def compare(
    task: str,
    loss: str,
    y: Array,
    score: Array,
    other_score: Array,
    block: NDArray[Any],
    slices: Slices,
    settings: Settings,
    group: NDArray[Any] | None = None,
) -> Comparison:
    """The loss of ``score`` against that of ``other_score``: both see the same rows in the same resamples.

    The intervals of slices allow for how many there are: the worst of many looks bad by chance alone.
    """
    parts = {column: dict(parts_of(values)) for column, values in slices.items()}
    many = sum(len(rows) >= settings.min_slice for values in parts.values() for rows in values.values())

    def compared(rows: NDArray[np.intp], among: int) -> Compared:
        if len(rows) < settings.min_slice:
            return Compared(len(rows))
        drawn = Resamples.draw(block[rows], settings)
        part = None if group is None else group[rows]
        return _compare(task, loss, y[rows], (score[rows], other_score[rows]), part, drawn, settings, among)

    return Comparison(
        loss, settings.min_slice, compared(np.arange(len(y)), 1),
        {column: {v: compared(rows, many) for v, rows in values.items()} for column, values in parts.items()},
    )  # fmt: skip


def compare_split(
    task: str,
    loss: str,
    y: Array,
    score: Array,
    first: NDArray[np.bool_],
    block: NDArray[Any],
    settings: Settings,
    group: NDArray[Any] | None = None,
) -> Comparison:
    """The loss of the rows of ``first`` against that of the others: two versions, each on its own part.

    Both parts see the same blocks in the same resamples, so that what moves a whole day moves both.
    """
    parts = [np.flatnonzero(part) for part in (first, ~first)]
    if min(len(part) for part in parts) < settings.min_slice:
        return Comparison(loss, settings.min_slice, Compared(len(parts[0])))
    drawn = Resamples.draw(block, settings)
    metric = METRICS[task][loss]
    assert isinstance(metric, Sums), "every loss is a function of sums"
    sums = [
        block_sums(
            metric.terms(y[part], score[part], None if group is None else group[part]),
            Resamples(drawn.block[part], drawn.counts),
        )
        for part in parts
    ]
    here, there = (metric.finish(s.sum(axis=1)) for s in sums)
    drawn_here, drawn_there = (metric.finish(resampled_sums(s, drawn)) for s in sums)
    share = summary(_share(here, there), _share(drawn_here, drawn_there), drawn, settings)
    return Comparison(loss, settings.min_slice, Compared(len(parts[0]), tidy(here), tidy(there), share))


def parts_of(values: NDArray[Any]) -> Iterator[tuple[str, NDArray[np.intp]]]:
    """Each distinct value as text, in order, with the places of its rows, in order."""
    texts = np.array([ABSENT if v is None else str(v) for v in values], dtype=np.str_)
    names, codes = np.unique(texts, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(names)))
    for place, name in enumerate(names):
        yield str(name), order[ends[place - 1] if place else 0 : ends[place]]


def _judge(task: str, names: tuple[str, ...], scored: Scored, rows: NDArray[np.intp], settings: Settings) -> Judged:
    y, score = scored.y[rows], scored.score[rows]
    base = tidy(y.mean()) if len(y) else None
    if len(rows) < settings.min_slice:
        return Judged(len(rows), base)
    drawn = Resamples.draw(scored.block[rows], settings)
    group = None if scored.group is None else scored.group[rows]
    metrics = {name: METRICS[task][name] for name in names}
    return Judged(len(rows), base, measures(metrics, y, score, group, drawn, settings))


def _compare(
    task: str,
    loss: str,
    y: Array,
    scores: tuple[Array, Array],
    group: NDArray[Any] | None,
    drawn: Resamples,
    settings: Settings,
    among: int,
) -> Compared:
    metric = METRICS[task][loss]
    assert isinstance(metric, Sums), "every loss is a function of sums"
    sums = [block_sums(metric.terms(y, score, group), drawn) for score in scores]
    here, there = (metric.finish(s.sum(axis=1)) for s in sums)
    drawn_here, drawn_there = (metric.finish(resampled_sums(s, drawn)) for s in sums)
    share = summary(_share(here, there), _share(drawn_here, drawn_there), drawn, settings, among)
    return Compared(len(y), tidy(here), tidy(there), share)


def _share(here: Any, there: Any) -> Any:
    """By what share the first is above the other; nothing where both are nothing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(here == there, 0.0 * np.asarray(here), (here - there) / there)
