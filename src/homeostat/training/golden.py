"""Golden events: requests that travel in a release, and what it must answer to them.

With the requests go the few rows of each source that they are computed from, because the tables themselves move on. A
rehearsal goes the whole way of a request: the scope's expressions, features.sql over these rows, models, weights and
the decision, each held to what was sealed, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from homeostat.adapters.parquet import place_of, read_table, write_table
from homeostat.core.errors import DataError
from homeostat.core.event_decision import EventDecision
from homeostat.data.known_at import FAR, as_known, known_column, with_known_at
from homeostat.data.workspace import Workspace
from homeostat.features import sql
from homeostat.features.lookback import LookBack
from homeostat.features.point_in_time import PointInTime, with_predict_at
from homeostat.features.rows import joined
from homeostat.features.tables import listed
from homeostat.training import bundle as bundles
from homeostat.training.event_decisions import decide

if TYPE_CHECKING:
    from homeostat.project.layout import Project
    from homeostat.project.scope import Scope
    from homeostat.project.source_scope import Source
    from homeostat.training.bundle import Bundle

EVENTS = 20  # enough to meet most branches of a model, few enough to answer within a second
ROWS = 2000  # of each source: some 50 KB, and enough that lags, joins and rates are not all empty
ALWAYS = datetime(1, 1, 1)  # a request itself makes its event known
REQUESTS, CONTEXT = "golden/requests.parquet", "golden/context"


def write_requests(project: Project, folder: Path, start: datetime, end: datetime) -> None:
    """Put golden events, of the last batches in the span, into ``folder``, with the rows they are computed from.

    Raises:
        DataError: there are none, or an accepted batch is missing or was changed.
    """
    point = PointInTime(Workspace(project))
    look, requests = _requests(point, start, end)
    scope = project.scope
    write_table(requests.select(list(scope.event_source.columns)), folder / REQUESTS)
    for name, rows in point.tables(_near(project, look), FAR).items():
        source = scope.sources[name]
        part = _latest(source, rows, requests) if source.timed else _joined(source, rows, requests)
        write_table(part.select(list(source.columns)), folder / CONTEXT / f"{name}.parquet")


def write_answers(bundle: Bundle) -> None:
    """Put the answers of a bundle that is not sealed yet to its golden requests beside them."""
    write_table(answered(bundle, features(bundle)), bundle.folder / "golden.parquet")


def features(bundle: Bundle) -> pl.DataFrame:
    """The features of the golden requests, by the bundle's own scope and SQL over the rows beside them."""
    scope, name = bundle.scope, bundle.scope.events.source
    requests = with_predict_at(scope, _timed(scope, name, read_table(bundle.folder / REQUESTS)))
    first, *_ = groups = [known_column(group) for group in scope.event_source.known_at]
    known = requests.with_columns(pl.lit(ALWAYS, dtype=pl.Datetime("us")).alias(first))
    events = as_known(known, scope.event_source, pl.col("predict_at")).drop(groups).sort(scope.key, nulls_last=True)
    tables = {n: _timed(scope, n, read_table(bundle.folder / CONTEXT / f"{n}.parquet")) for n in scope.sources}
    answer = sql.build(bundle.sql, scope, tables, events, 1, listed(scope))
    return joined(scope, events, answer)


def answered(bundle: Bundle, rows: pl.DataFrame) -> pl.DataFrame:
    """Feature rows with what the bundle's own models, weights and costs say of them."""
    scored = bundles.score(bundle, rows)
    scope = bundle.scope
    scores = {name: scored[f"score__{name}"].to_numpy() for name in scope.objectives}
    alert = pl.Series("alert", [one == EventDecision.ACT for one in decide(scope, rows, scores)], dtype=pl.Boolean)
    return rows.with_columns(*scored.select(c for c in scored.columns if c not in rows.columns), alert)


def differences(bundle: Bundle) -> Iterator[str]:
    """Where the bundle, here and now, answers otherwise than was sealed, one line a value; nothing if it is healthy.

    One that was sealed without requests is held to its scores alone.
    """
    sealed = bundle.golden
    if (bundle.folder / REQUESTS).is_file():
        fresh = features(bundle)
        yield from _unequal(sealed.select(c for c in sealed.columns if c in fresh.columns), fresh)
    given = sealed.select(c for c in sealed.columns if not c.startswith(("score__", "baseline__")))
    given = given.drop("risk", "alert", strict=False)
    yield from _unequal(sealed.select(pl.exclude(given.columns)), answered(bundle, given))


def _unequal(sealed: pl.DataFrame, fresh: pl.DataFrame) -> Iterator[str]:
    if sealed.height != fresh.height:
        yield f"{fresh.height} golden rows are answered, {sealed.height} were sealed"
        return
    for column in sealed.columns:
        pairs = zip(sealed[column].to_list(), fresh[column].to_list(), strict=True)
        for row, (was, now) in enumerate(pairs):
            if was != now:
                yield f"{column} of golden row {row} is {now!r}, sealed as {was!r}"


# ---- which events, and which rows beside them


def _requests(point: PointInTime, start: datetime, end: datetime) -> tuple[LookBack, pl.DataFrame]:
    """The look-back of the last batch, and of its events and those before it the ones whose keys hash lowest.

    As known when they are predicted; earlier batches are looked into until there are enough.
    """
    project = point.workspace.project
    key, last, parts = list(project.scope.key), None, []
    inside = (pl.col("event_time") >= start) & (pl.col("event_time") < end)
    for path in sorted(project.features.glob("*.parquet"), reverse=True):
        if not (keys := pl.read_parquet(path, columns=[*key, "event_time"]).filter(inside).select(key)).height:
            continue
        look = point.look_back(path.stem)
        last = last or look
        events = point.known_events(look, point.events(look))
        parts.append(events.join(keys, on=key, how="semi", nulls_equal=True))
        if sum(part.height for part in parts) >= EVENTS or look.period.start < last.start:
            break
    if last is None:
        raise DataError(f"{project.features}: no feature rows of the training window; run dvc repro")
    events = pl.concat(parts)
    places = [place_of(one) for one in events.select(key).iter_rows()]
    return last, events[sorted(np.argsort(places, kind="stable")[:EVENTS].tolist())]


def _near(project: Project, look: LookBack) -> LookBack:
    """The look-back without the batches that are too far back for any row of theirs to travel."""
    kept, rows = [], dict.fromkeys(project.scope.sources, 0)
    for batch in reversed(look.batches):
        if rows[batch.source] < 2 * ROWS:  # the last ones may not be known yet when an event is predicted
            kept.append(batch)
            path = project.accepted / batch.source / f"{batch.label}.parquet"
            rows[batch.source] += pl.scan_parquet(path).select(pl.len()).collect().item() if path.is_file() else 0
    return replace(look, batches=tuple(reversed(kept)))


def _latest(source: Source, rows: pl.DataFrame, requests: pl.DataFrame) -> pl.DataFrame:
    """Of what was known when the last of the events was predicted, the rows of the latest times."""
    first = known_column(next(iter(source.known_at)))
    visible = rows.filter(pl.col(first) < requests["predict_at"].max())
    return visible.sort("event_time", *source.key, nulls_last=True).tail(ROWS)


def _joined(source: Source, rows: pl.DataFrame, requests: pl.DataFrame) -> pl.DataFrame:
    """Of a table without time, the rows that the events share a key with, before others."""
    rows = rows.sort(source.key, nulls_last=True)
    shared = [c for c in source.key if c in requests.columns and requests.schema[c] == rows.schema[c]]
    if not shared:
        return rows.head(ROWS)
    theirs = rows.join(requests.select(shared).unique(), on=shared, how="semi", maintain_order="left")
    others = rows.join(requests.select(shared).unique(), on=shared, how="anti", maintain_order="left")
    return pl.concat([theirs, others]).head(ROWS)


def _timed(scope: Scope, name: str, rows: pl.DataFrame) -> pl.DataFrame:
    return with_known_at(name, scope.sources[name], rows)
