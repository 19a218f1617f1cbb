"""The labels watched, batch by batch as their events mature: what of them is on record, and what is odd in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import polars as pl

from homeostat.adapters.parquet import read_table, write_table
from homeostat.core.findings import Finding
from homeostat.core.label_trust import LabelBatch, label_findings
from homeostat.core.periods import Period, period_of
from homeostat.data.known_at import FAR
from homeostat.monitoring.outcomes import window_length
from homeostat.project.layout import Project
from homeostat.project.scope import Scope

SCHEMA = {
    "objective": pl.String(), "label": pl.String(), "end": pl.Datetime("us"), "events": pl.Int64(),
    "labelled": pl.Int64(), "mean": pl.Float64(), "common": pl.Float64(), "only": pl.Float64(), "wait": pl.Float64(),
}  # fmt: skip


def check_labels(tree: Project, now: datetime) -> list[Finding]:
    """Put on record the labels of the batches that have matured since, and judge them by those before.

    A batch of which enough has matured to be judged counts as far as it has: a candidate would learn from that too.
    """
    scope = tree.scope
    table = pl.concat([record_labels(tree, now), _maturing(tree, now)])
    findings, length = [], window_length(scope)
    for name, objective in scope.objectives.items():
        rows = table.filter(pl.col("objective") == name).drop("objective").sort("end").iter_rows()
        batches = [batch for row in rows if (batch := LabelBatch(*row)).events]
        findings += label_findings(name, objective.task, batches, length, scope.evaluation.min_slice)
    return findings


def record_labels(tree: Project, now: datetime) -> pl.DataFrame:
    """One row an objective and batch whose events are all mature by ``now``, as its labels were when they were.

    A batch in doubt has no events here: what its labels say is no more trusted than the rest of it.
    """
    path, scope = tree.quality / "labels.parquet", tree.scope
    table = read_table(path) if path.is_file() else pl.DataFrame(schema=SCHEMA)
    done = set(table["label"].unique())
    matured = (p for p in periods_of(tree) if p.label not in done and p.end + scope.events.label_horizon <= now)
    new = [row for period in matured for row in _measured(tree, period, period.end)]
    if new:
        table = pl.concat([table, pl.DataFrame(new, schema=SCHEMA)])
        write_table(table, path)
    mature = now - scope.events.label_horizon
    return table.filter(pl.col("end") <= min(mature, scope.events.labels_until or mature))


def labels_matured(tree: Project, since: datetime, until: datetime) -> int:
    """How many labels of all objectives are of batches that matured after ``since`` and by ``until``."""
    matured = pl.col("end") + tree.scope.events.label_horizon
    return int(record_labels(tree, until).filter(matured > since)["labelled"].sum())


def _maturing(tree: Project, now: datetime) -> pl.DataFrame:
    """The same of batches of which a part has matured, by that part; without those where it is too small to judge."""
    scope, until = tree.scope, now - tree.scope.events.label_horizon
    partly = (period for period in periods_of(tree) if period.start < until < period.end)
    rows = [row for period in partly for row in _measured(tree, period, until)]
    return pl.DataFrame(rows, schema=SCHEMA).filter(pl.col("labelled") >= scope.evaluation.min_slice)


def periods_of(tree: Project) -> list[Period]:
    """The periods of the batches that have features, in order."""
    every, offset = tree.scope.events_period, tree.scope.rhythm.offset
    return [period_of(file.stem, every, offset) for file in sorted(tree.features.glob("*.parquet"))]


def _measured(tree: Project, period: Period, end: datetime) -> Iterator[dict[str, object]]:
    """The labels of the events of a batch before ``end``, as they were when these had matured."""
    names = [f"{part}{o}" for o in tree.scope.objectives for part in ("label__", "known__")]
    table = pl.read_parquet(tree.features / f"{period.label}.parquet", columns=["event_time", *names])
    yield from measure_labels(tree.scope, table, period, end)


def measure_labels(scope: Scope, table: pl.DataFrame, period: Period, end: datetime) -> Iterator[dict[str, object]]:
    """By objective the labels of the feature rows of a batch before ``end``; the columns of ``SCHEMA``."""
    names = [f"{part}{o}" for o in scope.objectives for part in ("label__", "known__")]
    if table.select(pl.any_horizontal(pl.col(c) == FAR for c in names if c.startswith("known__")).any()).item():
        table = table.clear()
    table = table.filter(pl.col("event_time") < end)
    for name in scope.objectives:
        rows = table.drop_nulls(f"label__{name}").filter(pl.col(f"known__{name}") < end + scope.events.label_horizon)
        horizon = scope.events.label_horizon or scope.events_period
        y, wait = rows[f"label__{name}"].cast(pl.Float64), rows[f"known__{name}"] - rows["event_time"]
        most = y.value_counts(sort=True).row(0)[1] if len(y) else 0
        yield {
            "objective": name,
            "label": period.label,
            "end": period.end,
            "events": len(table),
            "labelled": len(y),
            "mean": y.mean(),
            "common": most / len(y) if len(y) else 0.0,
            "only": y[0] if y.n_unique() == 1 else None,
            "wait": (wait / horizon).median() if len(y) else None,
        }
