"""Prediction rows: one an event, written once, by the release that served at the event's predict-at."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from homeostat import bundles, deployment
from homeostat.adapters.tables import read_table, write_table
from homeostat.core.costs import alerts
from homeostat.core.periods import period_containing
from homeostat.stages import featurize

if TYPE_CHECKING:
    from homeostat.bundles import Bundle
    from homeostat.core.ledger import Ledger, ReleaseEvent
    from homeostat.project import Project
    from homeostat.scope import Scope

Features = Callable[["Bundle"], pl.DataFrame]  # the rows to score, in the features of that bundle


def predict_batch(project: Project, label: str, now: datetime) -> int:
    """Score a batch's events, each as of its own predict-at, by what served then; how many rows are new."""
    ledger, known = project.ledger, deployment.ledger(project)

    def features(bundle: Bundle) -> pl.DataFrame:
        return featurize.features_of(ledger, label, _sql(ledger, bundle))

    times = featurize.features_of(ledger, label)["predict_at"]
    parts = []
    for event, since, until in _terms(known):
        if not times.is_between(since, until, closed="left").any():
            continue
        rows = _scored(project, known, event, features)
        parts.append(rows.filter(pl.col("predict_at") >= since, pl.col("predict_at") < until))
    if not parts:
        return 0
    rows = _with_times(pl.concat(parts), now, pl.col("predict_at"))
    return append(project, label, with_alerts(ledger.scope, rows))


def predict_ahead(project: Project, now: datetime) -> int:
    """Score, as of now and by what serves, the events whose predict-at comes before the next tick; the new rows."""
    ledger, known = project.ledger, deployment.ledger(project)
    if known.champion is None or (table := featurize.upcoming(ledger, now)) is None:
        return 0

    def features(bundle: Bundle) -> pl.DataFrame:
        sql = _sql(ledger, bundle)
        found = table if sql is None else featurize.upcoming(ledger, now, sql)
        assert found is not None  # the same events as above
        return found

    scope = ledger.scope
    rows = _with_times(_scored(project, known, known.champion, features), now, pl.lit(now, dtype=pl.Datetime("us")))
    rows = with_alerts(scope, rows)
    labels = pl.Series("__label", _labels(scope, rows))
    return sum(append(project, str(label), rows.filter(labels == label)) for label in labels.unique().sort().to_list())


def append(project: Project, label: str, rows: pl.DataFrame) -> int:
    """Add the rows whose events have none yet; how many that were. Rows that are there stay as they are."""
    path = project.predictions / f"{label}.parquet"
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
        bundle = deployment.restore(project, release.version)
        if any(o["kind"] != "heuristic" for o in bundle.training["objectives"].values()):
            return bundle
    return None


def with_alerts(scope: Scope, rows: pl.DataFrame) -> pl.DataFrame:
    """Mark the events that the capacity of their period allows to act on, the riskiest first."""
    scores = {name: rows[f"score__{name}"].to_numpy() for name in scope.objectives}
    period = pl.Series(_labels(scope, rows)).to_numpy()
    chosen = alerts(scores, scope.objectives, period, scope.costs.capacity, scope.costs.alert)
    return rows.with_columns(pl.Series("alert", chosen))


def _labels(scope: Scope, rows: pl.DataFrame) -> list[str]:
    every, offset = scope.event_source.period, scope.rhythm.offset
    return [period_containing(t, every, offset).label for t in rows["event_time"]]  # type: ignore[arg-type]


def _terms(known: Ledger) -> list[tuple[ReleaseEvent, datetime, datetime]]:
    """Each event of the ledger with the span in which its release served."""
    starts = [event.at for event in known.events]
    return list(zip(known.events, starts, [*starts[1:], datetime.max], strict=False))


def _sql(ledger: Project, bundle: Bundle) -> str | None:
    """The bundle's features where they are not the tree's."""
    return None if bundle.sql == ledger.features_sql.read_text() else bundle.sql


def _scored(project: Project, known: Ledger, event: ReleaseEvent, features: Features) -> pl.DataFrame:
    bundle = deployment.restore(project, event.version)
    rows = bundles.score(bundle, features(bundle)).with_columns(pl.lit(event.version).alias("release"))
    names = list(bundle.scope.objectives)
    never = first_learned(project, known)
    if never is None or set(never.models) != set(names):
        return rows.with_columns(pl.lit(None, dtype=pl.Float64).alias(f"never__{o}") for o in names)
    theirs = rows if never.hash == bundle.hash else bundles.score(never, features(never))
    return rows.with_columns(theirs[f"score__{o}"].alias(f"never__{o}") for o in names)


def _with_times(rows: pl.DataFrame, now: datetime, as_of: pl.Expr) -> pl.DataFrame:
    return rows.with_columns(as_of.alias("as_of"), pl.lit(now, dtype=pl.Datetime("us")).alias("tick"))
