"""One batch of events summed up for the looks of the alarm budget: its features and scores, and their outcomes.

Sums add up over batches, so that a window is the sum of its batches. What is not a number is missing, as for drift.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np
import polars as pl

from homeostat.core import metrics
from homeostat.core.looks import Array, Kind, Series, Sums
from homeostat.project.scope import Scope
from homeostat.training import evaluate

THIRDS = {"low third": (0.05, 0.35), "middle third": (0.35, 0.65), "high third": (0.65, 0.95)}  # of sorted values
ROWS = 5_000  # of a batch, evenly: more tell no more
VALUES = 10  # of a column of categories, or slices of a column, the most frequent
FAR = 1e150  # values beyond have no sums
SHARE_SPREAD = 0.5  # of a share, on the arcsine scale


SERIES = list(Series._fields)
SUMS = ["top", "bottom", "weight", "spread"]
SCHEMA = {
    "until": pl.Datetime("us"), **dict.fromkeys(SERIES, pl.String()), **dict.fromkeys(SUMS, pl.Float64()),
}  # fmt: skip


class Summed(NamedTuple):
    """One series of one batch, as ``core.looks.Sums`` has it; ``spread`` is already times ``weight``."""

    series: Series
    top: float
    bottom: float
    weight: float
    spread: float


def input_sums(
    features: Collection[str], objectives: Iterable[str], rows: pl.DataFrame, kinds: Mapping[str, str]
) -> Iterator[Summed]:
    """Of a batch's feature rows, with ``score__<objective>`` and ``release`` where they were scored.

    ``kinds``: of the models, by release and objective joined by a space. Scores of another kind of model are another
    series: a baseline's say nothing about those of a model that learned.
    """
    rows = _thinned(rows)
    types = {name: kind for name, kind in rows.schema.items() if name in features}
    numbers = [name for name, kind in types.items() if kind.is_numeric()]
    categories = [name for name, kind in types.items() if kind in (pl.String, pl.Boolean)]
    values = rows.select(pl.col(numbers).cast(pl.Float64)).to_numpy() if numbers else np.zeros((len(rows), 0))
    missing = [*(~np.isfinite(values)).sum(axis=0), *(rows[name].null_count() for name in categories)]
    for name, many in zip((*numbers, *categories), missing, strict=True):
        yield _share(name, "missing", float(many), len(rows))
    yield from _thirds(numbers, values)
    for name in categories:
        yield from _values(name, rows[name])
    if "release" in rows.columns:
        for release, part in rows.drop_nulls("release").group_by("release", maintain_order=True):
            yield from _scores(objectives, part, str(release[0]), kinds)


def outcome_sums(scope: Scope, mature_rows: Mapping[str, pl.DataFrame]) -> Iterator[Summed]:
    """Of the mature rows of each objective: ``label__``, ``group__`` and slices, and scores where they were scored."""
    for name, mature in mature_rows.items():
        objective = scope.objectives[name]
        y = mature[f"label__{name}"].cast(pl.Float64).to_numpy()
        if objective.task == "binary":
            yield _share(name, "label rate", float(y.sum()), len(y))
        else:
            yield from _thirds([name], y[:, None], "label, ")
        scores = [f"score__{name}", f"baseline__{name}"]
        if set(scores) <= set(mature.columns):
            yield from _quality(scope, name, mature.drop_nulls(scores))


def window_table(window: datetime, batches: Iterable[Iterable[Summed]]) -> pl.DataFrame:
    """The sums of several batches together, a row a series, in the columns and the order of ``SCHEMA``."""
    totals: dict[Series, Array] = {}
    for batch in batches:
        for one in batch:
            sums = np.array(one[1:])
            totals[one.series] = totals[one.series] + sums if one.series in totals else sums
    rows = [(window, *series, *totals[series]) for series in sorted(totals)]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def as_windows(table: pl.DataFrame, ends: Sequence[datetime]) -> Sums:
    """The windows that end at ``ends``, in order of time, as arrays, from the rows of ``SCHEMA`` of each.

    Of the values of a column, and of the slices of one, the most frequent have a series; a value that is not in a
    window has none of its rows.
    """
    names = table.group_by(SERIES).agg(pl.col("top").sum())
    names = names.sort("top", *SERIES, descending=[True, False, False, False])
    group = pl.col("aspect").str.replace(r"= .*$", "= ")
    place = pl.int_range(pl.len()).over("subject", group)
    names = names.filter(~pl.col("aspect").str.contains("= ") | (place < VALUES)).select(SERIES).sort(SERIES)
    windows = pl.DataFrame({"until": pl.Series(ends, dtype=pl.Datetime("us"))}).with_row_index("row")
    placed = table.join(names.with_row_index("column"), SERIES).join(windows, "until")
    row, column = placed["row"].to_numpy(), placed["column"].to_numpy()
    arrays = np.zeros((4, len(windows), len(names)))
    arrays[:, row, column] = placed.select(SUMS).to_numpy().T
    series = tuple(Series(*one) for one in names.iter_rows())
    _fill_absent(series, arrays)
    return Sums(series, *arrays)


def _fill_absent(series: Sequence[Series], arrays: Array) -> None:
    """A share of no rows for a value that a column did not have in a window, where it had others."""
    rows = {one.subject: place for place, one in enumerate(series) if one.aspect == "missing"}
    for place, one in enumerate(series):
        if one.aspect.startswith("= ") and one.subject in rows:
            absent = arrays[2, :, place] == 0
            arrays[1:, absent, place] = arrays[1:, absent, rows[one.subject]]


def _thinned(rows: pl.DataFrame) -> pl.DataFrame:
    return rows if len(rows) <= ROWS else rows.gather_every(-(-len(rows) // ROWS))


def _share(subject: str, aspect: str, top: float, rows: int) -> Summed:
    return Summed(Series(subject, aspect, "share"), top, float(rows), float(rows), SHARE_SPREAD * rows)


def _thirds(names: list[str], values: Array, prefix: str = "") -> Iterator[Summed]:
    """The means of the lower, middle and upper third of each column, without the outermost values on either side."""
    values = np.sort(np.where(np.isfinite(values), values.clip(-FAR, FAR), np.nan), axis=0)  # NaN comes last
    there = np.isfinite(values).sum(axis=0)
    sums = np.vstack([np.zeros((1, len(names))), np.nancumsum(values, axis=0)])
    for place, name in enumerate(names):
        many = int(there[place])
        if not many:
            continue
        means = []
        for low, high in THIRDS.values():
            first = min(int(low * many), many - 1)
            last = max(int(high * many), first + 1)
            means.append((sums[last, place] - sums[first, place]) / (last - first))
        for aspect, mean in zip(THIRDS, means, strict=True):
            series = Series(name, prefix + aspect, "mean")
            yield Summed(series, mean * many, float(many), float(many), (means[-1] - means[0]) * many)


def _values(name: str, column: pl.Series) -> Iterator[Summed]:
    many = len(column)
    for value, rows in column.cast(pl.String).drop_nulls().value_counts().iter_rows():
        yield _share(name, f"= {value}", float(rows), many)


def _scores(
    objectives: Iterable[str], rows: pl.DataFrame, release: str, kinds: Mapping[str, str]
) -> Iterator[Summed]:
    for objective in objectives:
        if (column := f"score__{objective}") in rows.columns:
            kind = kinds.get(f"{release} {objective}", "model")
            values = rows.select(pl.col(column).cast(pl.Float64)).to_numpy()
            yield from _thirds([objective], values, f"score ({kind}), ")


def _quality(scope: Scope, name: str, rows: pl.DataFrame) -> Iterator[Summed]:
    """Loss over the baseline's, and predicted over observed: of all, and of each slice."""
    if rows.is_empty():
        return
    task, loss = scope.objectives[name].task, evaluate.metrics_of(scope, name)[0]
    columns = (f"{part}__{name}" for part in ("label", "score", "baseline"))
    y, score, baseline = (rows[column].cast(pl.Float64).to_numpy() for column in columns)
    group = evaluate.groups(rows, name) if task == "ranking" else None
    many = float(len(y))
    ours, theirs = (metrics.value(task, loss, y, s, group) for s in (score, baseline))
    if np.isfinite([ours, theirs]).all():
        yield Summed(Series(name, f"{loss} over the baseline's", "loss"), ours * many, theirs * many, many, many)
    if task == "ranking":
        return
    yield _calibration(name, "calibration", y, score)
    for column in scope.evaluation.slices:
        if (given := evaluate.GIVEN + column) in rows.columns:
            of = rows[given].cast(pl.String).to_numpy()
            for value in sorted({v for v in of if v is not None}):
                inside = of == value
                yield _calibration(name, f"calibration, {column} = {value}", y[inside], score[inside])


def _calibration(name: str, aspect: str, y: Array, score: Array) -> Summed:
    """Its chance is that of the sum observed."""
    events = float(np.abs(y).sum()) if set(np.unique(y)) <= {0.0, 1.0} else float(len(y))
    kind: Kind = "ratio"
    return Summed(Series(name, aspect, kind), float(score.sum()), float(y.sum()), events, events)
