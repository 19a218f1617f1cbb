"""Prediction rows: one an event, written once, by the release that served at the event's predict-at.

While a challenger is tried they stand for the requests: a canary gives the rows of its share of the keys, and what a
shadow says of each event stands beside the row, as ``shadow__<objective>``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from homeostat.adapters.parquet import read_table, write_table
from homeostat.core.costs import alerts
from homeostat.core.periods import period_containing
from homeostat.core.rollout import in_canary
from homeostat.data.workspace import Workspace
from homeostat.features.build import FeatureTables
from homeostat.features.point_in_time import PointInTime
from homeostat.features.upcoming import upcoming
from homeostat.project.private import private_folder
from homeostat.releases import registry
from homeostat.serving.prediction_log import PredictionLog
from homeostat.training import bundle as bundles

if TYPE_CHECKING:
    from homeostat.core.ledger import Ledger, ReleaseEvent
    from homeostat.project.layout import Project
    from homeostat.project.scope import Scope
    from homeostat.training.bundle import Bundle

SHADOW = "shadow__"  # what a challenger said of an event that nobody was told, by objective
Features = Callable[["Bundle"], pl.DataFrame]  # the rows to score, in the features of that bundle


def predict_batch(project: Project, label: str, now: datetime) -> int:
    """Score a batch's events, each as of its own predict-at, by what served then; how many rows are new."""
    ledger, known = project.ledger, registry.ledger(project)
    tables = FeatureTables(Workspace(ledger))

    def features(bundle: Bundle) -> pl.DataFrame:
        return tables.of(label, _sql(ledger, bundle))

    times = tables.of(label)["predict_at"]
    parts = []
    for span in known.spans():
        if not times.is_between(span.since, span.until, closed="left").any():
            continue
        rows = _scored(project, known, span.champion, features)
        rows = _beside(project, known, span.rollout, rows, features, now)
        parts.append(rows.filter(pl.col("predict_at") >= span.since, pl.col("predict_at") < span.until))
    if not parts:
        return 0
    rows = _with_times(pl.concat(parts, how="diagonal_relaxed"), now, pl.col("predict_at"))
    return append(project, label, with_alerts(ledger.scope, rows))


def predict_ahead(project: Project, now: datetime) -> int:
    """Score, as of now and by what serves, the events whose predict-at comes before the next tick; the new rows."""
    ledger, known = project.ledger, registry.ledger(project)
    point = PointInTime(Workspace(ledger))
    if known.champion is None or (table := upcoming(point, now)) is None:
        return 0

    def features(bundle: Bundle) -> pl.DataFrame:
        sql = _sql(ledger, bundle)
        found = table if sql is None else upcoming(point, now, sql)
        assert found is not None  # the same events as above
        return found

    scope = ledger.scope
    rows = _scored(project, known, known.champion, features)
    rows = _beside(project, known, known.rollout, rows, features, now)
    rows = _with_times(rows, now, pl.lit(now, dtype=pl.Datetime("us")))
    rows = with_alerts(scope, rows)
    labels = pl.Series("__label", _labels(scope, rows))
    return sum(append(project, str(label), rows.filter(labels == label)) for label in labels.unique().sort().to_list())


def append(project: Project, label: str, rows: pl.DataFrame) -> int:
    """Add the rows whose events have none yet; how many that were. Rows that are there stay as they are."""
    path = private_folder(project.predictions) / f"{label}.parquet"
    if path.is_file():
        there = read_table(path)
        rows = rows.join(there, list(project.ledger.scope.key), "anti", nulls_equal=True)
        if rows.height:
            write_table(pl.concat([there, rows], how="diagonal_relaxed"), path)
    elif rows.height:
        write_table(rows, path)
    return rows.height


def first_learned(project: Project, known: Ledger) -> Bundle | None:
    """The first release whose models learned: the one that is never retrained."""
    for release in known.releases:
        bundle = registry.restore(project, release.version)
        if not bundles.is_baseline(bundle.training):
            return bundle
    return None


def with_alerts(scope: Scope, rows: pl.DataFrame) -> pl.DataFrame:
    """Mark the events that the capacity of their period allows to act on, the riskiest first."""
    scores = {name: rows[f"score__{name}"].to_numpy() for name in scope.objectives}
    period = pl.Series(_labels(scope, rows)).to_numpy()
    chosen = alerts(scores, scope.objectives, period, scope.costs.capacity, scope.costs.alert)
    return rows.with_columns(pl.Series("alert", chosen))


def _labels(scope: Scope, rows: pl.DataFrame) -> list[str]:
    every, offset = scope.events_period, scope.rhythm.offset
    return [period_containing(t, every, offset).label for t in rows["event_time"]]


def _beside(
    project: Project, known: Ledger, tried: ReleaseEvent | None, rows: pl.DataFrame, features: Features, now: datetime
) -> pl.DataFrame:
    """The champion's rows with the challenger's part in them; where it cannot score, that is noted and they stay."""
    if tried is None:
        return rows
    try:
        theirs = _scored(project, known, tried, features)
    except Exception as error:
        _note(project, tried, str(error) or type(error).__name__, now)
        return rows
    scores = [c for c in theirs.columns if c.startswith("score__")]
    usable = theirs.select(pl.all_horizontal(pl.col(*scores, "risk").is_finite())).to_series().fill_null(False)
    if not usable.all():
        _note(project, tried, f"{(~usable).sum()} of {len(usable)} events have no score", now)
    if tried.share is None:
        seen = [pl.when(usable).then(theirs[c]).alias(f"{SHADOW}{c.removeprefix('score__')}") for c in scores]
        return rows.with_columns(*seen, pl.lit(tried.version).alias("challenger"))
    chosen = usable & pl.Series([in_canary(u, tried.bundle, tried.share) for u in _units(project.ledger.scope, rows)])
    parts = [table.with_row_index("__row").filter(part) for table, part in ((rows, ~chosen), (theirs, chosen))]
    return pl.concat(parts, how="diagonal_relaxed").sort("__row").drop("__row")


def _units(scope: Scope, rows: pl.DataFrame) -> list[tuple[Any, ...]]:
    """What a canary has or has not: an event by its key; a period whole where lists are ranked, which must not mix."""
    if any(o.task == "ranking" for o in scope.objectives.values()):
        return [(label,) for label in _labels(scope, rows)]
    return rows.select(scope.key).rows()


def _note(project: Project, tried: ReleaseEvent, why: str, now: datetime) -> None:
    """Write down, where the service does too, that a challenger could not answer."""
    log = PredictionLog(project)
    log.note_failure(tried, None, why, now)
    log.close()


def _sql(ledger: Project, bundle: Bundle) -> str | None:
    """The bundle's features where they are not the tree's."""
    return None if bundle.sql == ledger.features_text else bundle.sql


def _scored(project: Project, known: Ledger, event: ReleaseEvent, features: Features) -> pl.DataFrame:
    bundle = registry.restore(project, event.version)
    rows = bundles.score(bundle, features(bundle)).with_columns(pl.lit(event.version).alias("release"))
    names = list(bundle.scope.objectives)
    never = first_learned(project, known)
    if never is None or set(never.models) != set(names):
        return rows.with_columns(pl.lit(None, dtype=pl.Float64).alias(f"never__{o}") for o in names)
    theirs = rows if never.hash == bundle.hash else bundles.score(never, features(never))
    return rows.with_columns(theirs[f"score__{o}"].alias(f"never__{o}") for o in names)


def _with_times(rows: pl.DataFrame, now: datetime, as_of: pl.Expr) -> pl.DataFrame:
    return rows.with_columns(as_of.alias("as_of"), pl.lit(now, dtype=pl.Datetime("us")).alias("tick"))
