"""A release just put in service, beside the one before it: their scores of the same events, until labels tell more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

import numpy as np
import polars as pl

from homeostat.adapters.parquet import read_table
from homeostat.core.findings import Finding
from homeostat.core.ledger import ReleaseEvent
from homeostat.core.periods import label_of, period_of
from homeostat.core.rules import Rule
from homeostat.core.switch import Pair, switch_finding
from homeostat.features.sql import read_features_sql
from homeostat.project.layout import Project
from homeostat.releases.registry import Registry
from homeostat.training import evaluate
from homeostat.training.bundle import Bundle

BATCHES = 5  # that are compared after a switch: then there are labels, or what was served before is long ago
COMPARED = 2000  # rows of a table, at most about twice that: more tell no more, and cost time at every tick


class SwitchCheck:
    """Compares the champion with what served before it; how the two differ on the holdout is worked out once."""

    def __init__(self, tree: Project) -> None:
        self._tree = tree
        self._holdouts: dict[tuple[str, str, str], Pair] = {}  # by both bundles and the objective

    def findings(self, registry: Registry, now: datetime) -> list[Finding]:
        """The scores of the last batch against those of the release before; after a promotion only.

        Nothing where the two releases have other features or objectives, or no batch was scored since. It is over some
        batches after the switch, and with a rollback: what is rolled back to was compared when it was new.
        """
        tree = self._tree
        switch, before = _switch(registry)
        if switch is None:
            return []
        labels = _labels(tree, switch.at, now)
        if before is None or switch.action == "rollback" or len(labels) > BATCHES:
            return [Finding(Rule.SWITCH, name, "pass", facts={"over": True}) for name in tree.scope.objectives]
        if not labels:
            return []
        new, old = registry.load(switch.version), registry.load(before.version)
        comparable = new.sql == old.sql == read_features_sql(tree) and set(new.models) == set(old.models)
        return list(self._compared(new, old, switch, labels[-1])) if comparable else []

    def _compared(self, new: Bundle, old: Bundle, switch: ReleaseEvent, label: str) -> Iterator[Finding]:
        current = _scored(self._tree, switch, label)
        for name, objective in self._tree.scope.objectives.items():
            if name in new.models:
                since = _pair(self._tree, current, name, old)
                yield switch_finding(name, objective.task, self._holdout(new, old, name), since)

    def _holdout(self, new: Bundle, old: Bundle, objective: str) -> Pair:
        key = (new.hash, old.hash, objective)
        if key not in self._holdouts:
            self._holdouts[key] = _pair(self._tree, new.reference, objective, old)
        return self._holdouts[key]


def _switch(registry: Registry) -> tuple[ReleaseEvent | None, ReleaseEvent | None]:
    """The event that put the champion in service, and the one that put there what served before it."""
    terms = registry.ledger.terms
    champion = registry.ledger.champion
    before = [event for event in terms if champion is not None and event.number < champion.number]
    return champion, before[-1] if before else None


def _labels(tree: Project, since: datetime, now: datetime) -> list[str]:
    """The batches that the release has scored from their first event on, in order, until one more than are compared."""
    scope = tree.scope
    every, offset = scope.events_period, scope.rhythm.offset
    first = label_of(since, every, offset)
    names = sorted(path.stem for path in tree.predictions.glob("*.parquet") if path.stem >= first)
    spans = (period_of(name, every, offset) for name in names if (tree.features / f"{name}.parquet").is_file())
    return list(islice((span.label for span in spans if span.start >= since and span.end <= now), BATCHES + 1))


def _scored(tree: Project, switch: ReleaseEvent, label: str) -> pl.DataFrame:
    """The features of a batch's events that the release has scored, with its scores."""
    rows = read_table(tree.predictions / f"{label}.parquet").filter(pl.col("release") == switch.version)
    features = read_table(tree.features / f"{label}.parquet")
    scores = [c for c in rows.columns if c.startswith("score__")]
    key = list(tree.scope.key)
    return features.join(rows.select(*key, *scores), key, "inner", nulls_equal=True, maintain_order="left")


def _pair(tree: Project, table: pl.DataFrame, objective: str, old: Bundle) -> Pair:
    """The rows that have a score of the new release, with the old one's: of the reference these are its holdout."""
    rows = table.drop_nulls(f"score__{objective}")
    rows = rows.gather_every(max(len(rows) // COMPARED, 1))
    score = old.models[objective].predict(rows) if len(rows) else np.array([])
    return Pair(rows[f"score__{objective}"].to_numpy(), score, evaluate.blocks(tree.scope, rows))
