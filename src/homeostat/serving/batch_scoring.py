"""Prediction rows: one an event, written once, by the release that served at the event's predict-at.

While a challenger is tried they stand for the requests: a canary gives the rows of its share of the keys, and what a
shadow says of each event stands beside the row, as ``shadow__<objective>``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import polars as pl

from homeostat.adapters.parquet import read_table, write_table
from homeostat.core.ledger import ReleaseEvent
from homeostat.core.periods import EPOCH, period_containing
from homeostat.core.rollout import in_canary
from homeostat.core.text import count
from homeostat.data.workspace import Workspace
from homeostat.features.build import FeatureTables
from homeostat.features.point_in_time import PointInTime
from homeostat.features.sql import read_features_sql
from homeostat.features.upcoming import upcoming
from homeostat.project.layout import Project
from homeostat.project.private import private_folder
from homeostat.project.scope import Scope
from homeostat.releases.registry import Registry
from homeostat.serving.prediction_log import PredictionLog
from homeostat.training import bundle as bundles
from homeostat.training import evaluate
from homeostat.training.bundle import Bundle
from homeostat.training.event_decisions import DECIDED, decide

SHADOW = "shadow__"  # score of a challenger that answers nobody, by objective


def predict_batch(tree: Project, registry: Registry, label: str, now: datetime) -> int:
    """Score a batch's events, each as of its own predict-at, by what served then; how many rows are new.

    The batch has its features: they were made when it was accepted.
    """
    table = read_table(tree.features / f"{label}.parquet")
    scoring = Scoring(tree, registry, table, lambda sql: FeatureTables(Workspace(tree)).of(label, sql), now)
    parts = []
    first = table["predict_at"].min()
    for span in registry.ledger.spans(first) if isinstance(first, datetime) else ():
        if table["predict_at"].is_between(span.since, span.until, closed="left").any():
            rows = scoring.rows(span.champion, span.rollout)
            parts.append(rows.filter(pl.col("predict_at") >= span.since, pl.col("predict_at") < span.until))
    if not parts:
        return 0
    rows = _with_times(pl.concat(parts, how="diagonal_relaxed"), now, pl.col("predict_at"))
    return append(tree, label, with_alerts(tree.scope, rows))


def predict_ahead(tree: Project, registry: Registry, now: datetime) -> int:
    """Score, as of now and by the champion, the events whose predict-at comes before the next tick; the new rows."""
    ledger, scope, point = registry.ledger, tree.scope, PointInTime(Workspace(tree))
    if ledger.champion is None or (table := upcoming(point, now)) is None:
        return 0

    def remade(sql: str) -> pl.DataFrame:
        rows = upcoming(point, now, sql)
        assert rows is not None  # the same events as above
        return rows

    rows = Scoring(tree, registry, table, remade, now).rows(ledger.champion, ledger.rollout)
    rows = with_alerts(scope, _with_times(rows, now, pl.lit(now, dtype=pl.Datetime("us"))))
    labels = _labels(scope, rows)
    return sum(append(tree, label, rows.filter(labels == label)) for label in labels.unique().sort().to_list())


def append(tree: Project, label: str, rows: pl.DataFrame) -> int:
    """Add the rows whose events have none yet; how many that were. Rows that are there stay as they are."""
    path = private_folder(tree.predictions) / f"{label}.parquet"
    if path.is_file():
        there = read_table(path)
        rows = rows.join(there, list(tree.scope.key), "anti", nulls_equal=True)
        if rows.height:
            write_table(pl.concat([there, rows], how="diagonal_relaxed"), path)
    elif rows.height:
        write_table(rows, path)
    return rows.height


class Scoring:
    """Scores one table of events by the releases that served or were tried when they were to be predicted.

    ``table`` has the features of the tree's own SQL; ``remade`` gives the same events with those of another.
    """

    def __init__(
        self, tree: Project, registry: Registry, table: pl.DataFrame, remade: Callable[[str], pl.DataFrame],
        now: datetime,
    ) -> None:  # fmt: skip
        self._tree, self._registry, self._now = tree, registry, now
        self._features = {read_features_sql(tree): table}
        self._remade = remade

    def rows(self, champion: ReleaseEvent, tried: ReleaseEvent | None) -> pl.DataFrame:
        """The champion's rows with the challenger's part in them; where it has no score, which is noted, they stay."""
        rows = self._scored(champion)
        if tried is None:
            return rows
        try:
            theirs = self._scored(tried)
        except Exception as error:
            self._note(tried, str(error) or type(error).__name__)
            return rows
        scores = [c for c in theirs.columns if c.startswith("score__")]
        usable = theirs.select(pl.all_horizontal(pl.col(*scores, "risk").is_finite())).to_series().fill_null(False)
        if not usable.all():
            self._note(tried, f"{(~usable).sum()} of {count(len(usable), 'event')} without a score")
        if tried.share is None:
            shadow = [pl.when(usable).then(theirs[c]).alias(f"{SHADOW}{c.removeprefix('score__')}") for c in scores]
            return rows.with_columns(*shadow, pl.lit(tried.version).alias("challenger"))
        units = _units(self._tree.scope, rows)
        chosen = usable & pl.Series([in_canary(unit, tried.bundle, tried.share) for unit in units])
        parts = [table.with_row_index("__row").filter(part) for table, part in ((rows, ~chosen), (theirs, chosen))]
        return pl.concat(parts, how="diagonal_relaxed").sort("__row").drop("__row")

    def _scored(self, event: ReleaseEvent) -> pl.DataFrame:
        """Scores of a release, with those of its baseline and of the first release that learned beside them."""
        bundle, never = self._registry.load(event.version), self._registry.load_first_learned()
        rows = bundles.score(bundle, self._table(bundle)).with_columns(pl.lit(event.version).alias("release"))
        names = list(bundle.scope.objectives)
        if never is None or set(never.models) != set(names):
            return rows.with_columns(pl.lit(None, dtype=pl.Float64).alias(f"never__{o}") for o in names)
        theirs = rows if never.hash == bundle.hash else bundles.score(never, self._table(never), baselines=False)
        return rows.with_columns(theirs[f"score__{o}"].alias(f"never__{o}") for o in names)

    def _table(self, bundle: Bundle) -> pl.DataFrame:
        if bundle.sql not in self._features:
            self._features[bundle.sql] = self._remade(bundle.sql)
        return self._features[bundle.sql]

    def _note(self, tried: ReleaseEvent, why: str) -> None:
        """Write down, where the service does too, that a challenger could not answer."""
        log = PredictionLog(self._tree)
        log.note_failure(tried, None, why, self._now)
        log.close()


def with_alerts(scope: Scope, rows: pl.DataFrame) -> pl.DataFrame:
    """Mark the events that the capacity of their period allows to act on, the riskiest first.

    Where the scope has filters or abstains, ``DECIDED`` says what is done about each event.
    """
    scores = {name: rows[f"score__{name}"].to_numpy() for name in scope.objectives}
    alert = evaluate.alerts_of(scope, rows, scores)
    rows = rows.with_columns(pl.Series("alert", alert))
    if scope.costs.abstain is None and not scope.events.filters:
        return rows
    return rows.with_columns(pl.Series(DECIDED, list(map(str, decide(scope, rows, scores, alert))), dtype=pl.String))


def _labels(scope: Scope, rows: pl.DataFrame) -> pl.Series:
    """The batch of each row."""
    every, offset = scope.events_period, scope.rhythm.offset
    numbers = evaluate.periods(scope, rows).tolist()
    names = {n: period_containing(EPOCH + offset + n * every, every, offset).label for n in set(numbers)}
    return pl.Series("__label", [names[n] for n in numbers], dtype=pl.String)


def _units(scope: Scope, rows: pl.DataFrame) -> list[tuple[Any, ...]]:
    """What a canary has or has not: an event by its key; a period whole where lists are ranked, which must not mix."""
    if any(o.task == "ranking" for o in scope.objectives.values()):
        return [(label,) for label in _labels(scope, rows)]
    return rows.select(scope.key).rows()


def _with_times(rows: pl.DataFrame, now: datetime, as_of: pl.Expr) -> pl.DataFrame:
    return rows.with_columns(as_of.alias("as_of"), pl.lit(now, dtype=pl.Datetime("us")).alias("tick"))
