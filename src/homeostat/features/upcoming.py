"""The features of events ahead, as of now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import polars as pl

from homeostat.core.periods import Period, period_containing, period_of
from homeostat.data.known_at import as_known, with_known_at
from homeostat.data.sources import unlike
from homeostat.features import sql as feature_sql
from homeostat.features.labels import label_columns
from homeostat.features.lookback import labels_between
from homeostat.features.point_in_time import PointInTime, masked, with_predict_at
from homeostat.features.rows import joined
from homeostat.features.sql import read_features_sql
from homeostat.features.tables import listed


def upcoming(point: PointInTime, now: datetime, sql: str | None = None) -> pl.DataFrame | None:
    """The features, as of ``now``, of events whose predict-at falls from now until the next tick; None without any.

    Each event is met by one tick, the last before its predict-at. Events of a batch that has not been accepted yet are
    read from the source, rows whose keys repeat aside; what is not known yet is blank, labels too.

    Raises:
        ScopeError, DataError: as ``FeatureTables.of``, and where the source cannot be read.
    """
    scope = point.scope
    text = read_features_sql(point.workspace.project) if sql is None else sql
    ahead = _ahead(point, now)
    if ahead is None:
        return None
    parts = []
    for period, rows in ahead.items():
        due = rows.filter(pl.col("predict_at") >= now, pl.col("predict_at") < now + scope.rhythm.tick)
        events = masked(scope, due, now).sort(scope.key, nulls_last=True)
        if events.height:
            tables = _tables_ahead(point, period, now, ahead)
            as_of = events.with_columns(pl.lit(now, dtype=pl.Datetime("us")).alias("predict_at"))
            needed = listed(scope) if sql is None else ()
            features = feature_sql.build(text, scope, tables, as_of, scope.threads, needed)
            blank = (pl.lit(None, dtype=kind).alias(name) for name, kind in label_columns(scope).items())
            parts.append(joined(scope, events, features).with_columns(blank))
    return pl.concat(parts) if parts else None


def ahead_rows(point: PointInTime, period: Period) -> pl.DataFrame | None:
    """The events of a period as they are accepted, or as the source has them now; None where it does not."""
    scope, workspace = point.scope, point.workspace
    name = scope.events.source
    verdict = workspace.verdicts.get(name, period.label)
    if verdict is not None and verdict.files.get("accepted"):
        return point.events(point.look_back(period.label))
    delivery = workspace.sources.delivery(name, scope.event_source, period)
    if delivery is None or unlike(scope.event_source, delivery.rows) is not None:
        return None  # a batch that is not as declared is judged when it has come, and predicted once it is fixed
    rows = delivery.rows.select(list(scope.event_source.columns)).unique(maintain_order=True)
    rows = rows.filter(~rows.select(scope.key).is_duplicated())
    return with_predict_at(scope, with_known_at(name, scope.event_source, rows))


def _ahead(point: PointInTime, now: datetime) -> dict[Period, pl.DataFrame] | None:
    """By period, the rows of the event source from now on as far as the tick's events reach."""
    scope = point.scope
    every, offset = scope.events_period, scope.rhythm.offset
    here = period_containing(now, every, offset)
    sample = ahead_rows(point, here)
    if sample is None:
        sample = ahead_rows(point, period_containing(here.end, every, offset))
    if sample is None or not sample.height:
        return None
    lead = sample["event_time"] - sample["predict_at"]
    first = min(now, now + lead.min())  # type: ignore[operator]
    last = max(now, now + scope.rhythm.tick + lead.max())  # type: ignore[operator]
    ahead = {}
    for label in labels_between(scope, every, first, last + timedelta(microseconds=1)):
        period = period_of(label, every, offset)
        rows = ahead_rows(point, period)
        if rows is not None:
            ahead[period] = rows
    return ahead


def _tables_ahead(
    point: PointInTime, period: Period, now: datetime, ahead: Mapping[Period, pl.DataFrame]
) -> dict[str, pl.DataFrame]:
    """The source tables for the events of a period, cut to what is known as of now; the events' own reaches ahead."""
    scope, name = point.scope, point.scope.events.source
    look = point.look_back(period.label)
    tables = point.tables(look, now)
    have = {b.label for b in look.batches if b.source == name}
    more = [rows.select(tables[name].columns) for p, rows in ahead.items() if p.label not in have and p <= period]
    tables[name] = pl.concat([tables[name], *more])
    return {n: as_known(rows, scope.sources[n], now) for n, rows in tables.items()}
