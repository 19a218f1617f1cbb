"""The labels of one batch measured: how many, how they came, and how they go with the features."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any

import polars as pl

from homeostat.core.intervals import FEWEST
from homeostat.core.label_trust import FACTOR, LabelBatch
from homeostat.core.periods import Period, period_of
from homeostat.data.known_at import FAR
from homeostat.models.heuristic import GIVEN
from homeostat.project.layout import Project
from homeostat.project.scope import Scope

FIRST = 0.2  # share of the events that a relation puts first: as many as there may be people to act on
LABEL = "__label"  # beside the features, while their relation to it is measured
SCHEMA = {
    "objective": pl.String(), "label": pl.String(), "end": pl.Datetime("us"), "events": pl.Int64(),
    "labelled": pl.Int64(), "mean": pl.Float64(), "common": pl.Float64(), "only": pl.Float64(), "wait": pl.Float64(),
    "relation": pl.List(pl.Struct({"feature": pl.String(), "value": pl.Float64()})),
    "slices": pl.List(
        pl.Struct({"slice": pl.String(), "labelled": pl.Int64(), "mean": pl.Float64(), "order": pl.Float64()})
    ),
    "top": pl.Int64(), "top_mean": pl.Float64(),
}  # fmt: skip


@dataclass(frozen=True)
class Usual:
    """How many events a batch usually has, and by objective the usual relation of its label with the features."""

    events: int
    relation: Mapping[str, Mapping[str, float]]


def label_batch(row: Mapping[str, Any]) -> LabelBatch:
    """A row of what is on record."""
    values = {name: value for name, value in row.items() if name not in ("objective", "relation", "slices")}
    relation = {r["feature"]: r["value"] for r in row["relation"]}
    slices = {s["slice"]: (s["labelled"], s["mean"], s["order"]) for s in row["slices"]}
    return LabelBatch(**values, relation=relation, slices=slices)


def periods_of(tree: Project, but: Collection[str] = ()) -> list[Period]:
    """The periods of the batches that have features, in order; without those labelled so."""
    every, offset = tree.scope.events_period, tree.scope.rhythm.offset
    labels = sorted(file.stem for file in tree.features.glob("*.parquet"))
    return [period_of(label, every, offset) for label in labels if label not in but]


def due_rows(tree: Project, period: Period) -> tuple[pl.DataFrame, int]:
    """The feature rows by which the labels of a batch are measured, and how many events a batch usually has.

    Its own, and, where the labels of most of them come later than the label horizon, those of earlier batches whose
    labels came in the period of a batch: what a candidate learns from, from one to the next.
    """
    scope, horizon = tree.scope, tree.scope.events.label_horizon
    names = [f"known__{o}" for o in scope.objectives]
    own = pl.read_parquet(tree.features / f"{period.label}.parquet")
    in_time = own.select(pl.max_horizontal((pl.col(c) < period.end + horizon).sum() for c in names)).item() or 0
    earlier = [p for p in periods_of(tree) if period.start - scope.features.history <= p.start < period.start]
    if FACTOR * in_time >= own.height or not earlier:
        return own, own.height
    tables = pl.scan_parquet([tree.features / f"{p.label}.parquet" for p in earlier])
    came = pl.any_horizontal(
        pl.col(c).is_between(period.start + horizon, period.end + horizon, closed="left") for c in names
    )
    every = tables.select(pl.len()).collect().item()
    return pl.concat([tables.filter(came).collect(), own], how="diagonal_relaxed"), round(every / len(earlier))


def measure_labels(
    scope: Scope, table: pl.DataFrame, period: Period, end: datetime, usual: Usual
) -> Iterator[dict[str, object]]:
    """By objective the labels of a batch's ``due_rows`` before ``end``; the columns of ``SCHEMA``.

    Of labels that come late there is no pace: which they are, and so how long they took, differs from batch to batch.
    """
    names = [f"{part}{o}" for o in scope.objectives for part in ("label__", "known__")]
    own = table.filter(pl.col("event_time") >= period.start)
    if own.select(pl.any_horizontal(pl.col(c) == FAR for c in names if c.startswith("known__")).any()).item():
        table = table.clear()
    table, horizon = table.filter(pl.col("event_time") < end), scope.events.label_horizon
    for name, objective in scope.objectives.items():
        labelled = table.drop_nulls(f"label__{name}").filter(pl.col(f"known__{name}") < end + horizon)
        is_own = labelled["event_time"] >= period.start
        earlier = labelled.filter(~is_own).filter(pl.col(f"known__{name}") >= period.start + horizon)
        late = earlier.height > is_own.sum()
        rows = earlier if late else labelled.filter(is_own)
        y, wait = rows[f"label__{name}"].cast(pl.Float64), rows[f"known__{name}"] - rows["event_time"]
        most, ranks = y.value_counts(sort=True).row(0)[1] if len(y) else 0, _ranks(rows, objective.features)
        score = _scores(ranks, y, usual.relation.get(name, {}))
        first = y.filter(score > score.quantile(1 - FIRST)) if len(y) >= FEWEST else y.clear()
        yield {
            "objective": name,
            "label": period.label,
            "end": period.end,
            "events": usual.events if late else int((table["event_time"] >= period.start).sum()),
            "labelled": len(y),
            "mean": y.mean(),
            "common": most / len(y) if len(y) else 0.0,
            "only": y[0] if y.n_unique() == 1 else None,
            "wait": (wait / (horizon or scope.events_period)).median() if len(y) and not late else None,
            "relation": [{"feature": c, "value": v} for c, v in _relation(ranks, y).items()],
            "slices": list(_slices(rows, y, score, scope.evaluation.slices)),
            "top": len(first),
            "top_mean": first.mean(),
        }


def _scores(ranks: pl.DataFrame, y: pl.Series, relation: Mapping[str, float]) -> pl.Series:
    """What the usual ``relation`` of the labels with the features says of each event; zero where there is none."""
    usual = [pl.col(c) * w for c, w in relation.items() if c in ranks.columns]
    return ranks.select(pl.sum_horizontal(usual)).to_series() if usual else y * 0


def _ranks(rows: pl.DataFrame, features: Sequence[str]) -> pl.DataFrame:
    """The ranks of the features that are numbers, less their mean, in units of their spread; of a missing value 0."""
    kinds = rows.schema
    names = [c for c in features if c in kinds and (kinds[c].is_numeric() or kinds[c] == pl.Boolean)]
    ranks = rows.select(pl.col(names).cast(pl.Float64).rank())
    units = ranks.select((pl.all() - pl.all().mean()) / pl.all().std())
    return units.select(pl.when(pl.all().is_finite()).then(pl.all()).otherwise(0.0))


def _relation(ranks: pl.DataFrame, y: pl.Series) -> dict[str, float]:
    """The rank correlation of the label with each feature."""
    if len(y) < FEWEST or not ranks.columns:
        return {}
    both = ranks.with_columns(y.rank().alias(LABEL))
    values = both.select(pl.corr(c, LABEL).alias(c) for c in ranks.columns)
    return {c: v for c, v in values.row(0, named=True).items() if v is not None and isfinite(v)}


def _slices(
    rows: pl.DataFrame, y: pl.Series, score: pl.Series, columns: Sequence[str]
) -> Iterator[dict[str, object]]:
    """The labels of each slice of the scope; ``score`` says how the usual relation of all orders them."""
    for column in (c for c in columns if f"{GIVEN}{c}" in rows.columns):
        of = pl.DataFrame({"value": rows[f"{GIVEN}{column}"].cast(pl.String), "y": y, "score": score})
        counts = of.drop_nulls(["value", "y"]).group_by("value")
        order = pl.corr("y", "score", method="spearman")
        table = counts.agg(pl.len(), pl.col("y").mean(), order.alias("order")).sort("value")
        for value, many, mean, goes in table.iter_rows():
            goes = goes if goes is not None and isfinite(goes) else None
            yield {"slice": f"{column} = {value}", "labelled": many, "mean": mean, "order": goes}
