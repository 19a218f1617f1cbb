"""The labels watched, batch by batch as their events mature: what of them is on record, and what is odd in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

import polars as pl

from homeostat.adapters.parquet import read_or_none, write_table
from homeostat.core.findings import Finding
from homeostat.core.label_trust import LabelBatch, label_findings, mean_relation
from homeostat.core.periods import Period, period_containing
from homeostat.monitoring.label_measures import SCHEMA, Usual, due_rows, label_batch, measure_labels, periods_of
from homeostat.monitoring.outcomes import window_length
from homeostat.project.layout import Project

RECENT = 28  # batches on record that say what relation is usual
Batches = Mapping[str, Sequence[LabelBatch]]  # by objective, in order of time


class LabelRecord:
    """The labels of each batch as they were when the last of its events had matured; ``labels.parquet``.

    It is read once, and grows as batches mature. A batch in doubt has no events here: what its labels say is no more
    trusted than the rest of it.
    """

    def __init__(self, tree: Project) -> None:
        self._tree, self._path = tree, tree.quality / "labels.parquet"
        table = read_or_none(self._path)
        whole = table is not None and table.schema == SCHEMA  # else damaged, or of an earlier version: measured again
        self._table = table if table is not None and whole else pl.DataFrame(schema=SCHEMA)
        self._batches = _by_objective(self._table)

    def until(self, now: datetime) -> dict[str, list[LabelBatch]]:
        """By objective the batches whose events are all mature by ``now`` and trusted by the scope, in order of time.

        Those that have matured since are put on record first.
        """
        events = self._tree.scope.events
        mature = now - events.label_horizon
        self._measure(mature)
        end = min(mature, events.labels_until or mature)
        return {name: [b for b in self._batches.get(name, ()) if b.end <= end] for name in self._tree.scope.objectives}

    def maturing(self, now: datetime, before: Batches) -> dict[str, list[LabelBatch]]:
        """The same of batches of which a part has matured, by that part; without those where it is too small to judge.

        ``before``: the batches that say what relation is usual.
        """
        scope, until = self._tree.scope, now - self._tree.scope.events.label_horizon
        period = period_containing(until, scope.events_period, scope.rhythm.offset)
        if period.start == until or not (self._tree.features / f"{period.label}.parquet").is_file():
            return {}
        table = _measured(self._tree, period, until, before)
        return _by_objective(table.filter(pl.col("labelled") >= scope.evaluation.min_slice))

    def matured(self, since: datetime, until: datetime) -> dict[str, int]:
        """By objective how many labels are of batches that matured after ``since`` and by ``until``."""
        start = since - self._tree.scope.events.label_horizon
        return {name: sum(b.labelled for b in of if b.end > start) for name, of in self.until(until).items()}

    def _measure(self, mature: datetime) -> None:
        done = set(self._table["label"].unique())
        new = [p for p in periods_of(self._tree, but=done) if p.end <= mature]
        for period in new:  # one by one: the relation that is usual is that of the batches before
            table = _measured(self._tree, period, period.end, self._batches)
            self._table = pl.concat([self._table, table])
            for name, batches in _by_objective(table).items():
                self._batches[name] = sorted([*self._batches[name], *batches], key=lambda batch: batch.end)
        if new:
            write_table(self._table, self._path)


def check_labels(tree: Project, record: LabelRecord, now: datetime) -> list[Finding]:
    """Put on record the labels of the batches that have matured since, and judge them by those before.

    A batch of which enough has matured to be judged counts as far as it has: a candidate would learn from that too.
    """
    scope, whole = tree.scope, record.until(now)
    part, findings = record.maturing(now, whole), []
    for name, objective in scope.objectives.items():
        batches = [batch for batch in [*whole[name], *part.get(name, ())] if batch.events]
        findings += label_findings(name, objective.task, batches, window_length(scope), scope.evaluation.min_slice)
    return findings


def _usual_relation(batches: Batches) -> dict[str, dict[str, float]]:
    """By objective the mean relation of its label with the features, of the last batches."""
    return {name: mean_relation(of[-RECENT:]) for name, of in batches.items()}


def _measured(tree: Project, period: Period, end: datetime, before: Batches) -> pl.DataFrame:
    """The labels of the events of a batch before ``end``, as they were when these had matured."""
    rows, events = due_rows(tree, period)
    usual = Usual(events, _usual_relation(before))
    return pl.DataFrame(list(measure_labels(tree.scope, rows, period, end, usual)), schema=SCHEMA)


def _by_objective(table: pl.DataFrame) -> dict[str, list[LabelBatch]]:
    batches: dict[str, list[LabelBatch]] = defaultdict(list)
    for row in table.sort("end").iter_rows(named=True):
        batches[row["objective"]].append(label_batch(row))
    return batches
