"""The data that features are made from: batches accepted by now, and future events that the source already has.

A context is one state of these. The tables of a period are kept in DuckDB's own form and queried again and again; a new
state is a new context, made while the old one still answers.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from homeostat.adapters.parquet import digest, read_table, write_table
from homeostat.core.errors import DataError
from homeostat.core.periods import Period, period_containing, period_of
from homeostat.data.casts import TYPES
from homeostat.data.known_at import FAR, as_known, known_column
from homeostat.data.workspace import Workspace
from homeostat.features.lookback import Batch, LookBack
from homeostat.features.point_in_time import AcceptedRows, PointInTime, times_of_events
from homeostat.features.query_cache import Evaluation, Standing
from homeostat.features.rows import joined
from homeostat.features.sql import read_features_sql
from homeostat.features.tables import listed
from homeostat.features.upcoming import ahead_rows
from homeostat.project.layout import Project, working_tree
from homeostat.project.whole_files import write_text
from homeostat.serving import paths

if TYPE_CHECKING:
    from homeostat.project.scope import Scope
    from homeostat.serving.answer import Precomputed

ALWAYS = datetime(1, 1, 1)  # before any time: a request itself makes its events visible
LOADED = 6  # periods whose tables are kept in memory
MOMENTS = 1440  # of a tick, so one a minute where data arrive daily
MAX_AHEAD = 48  # periods ahead that are read, at most
_loading = threading.Lock()  # rows of accepted batches are shared, by one thread at a time


@dataclass(frozen=True)
class Tables:
    """The tables that features of one period are made from, in one version, and what they were read from."""

    id: str
    look: LookBack
    until: datetime
    ahead: pl.DataFrame | None  # rows of the event source that are in no accepted batch
    standing: Standing


class Context:
    """The state of the data as of ``now``, and features by it."""

    def __init__(self, project: Project, now: datetime, rows: AcceptedRows | None = None) -> None:
        tree = working_tree(project)
        self.tree = Project(tree.root, tree.home)  # a new one reads the scope again, which may have changed
        self.point = PointInTime(Workspace(self.tree), rows)
        self.now = now
        self._tables: OrderedDict[tuple[str, datetime], Tables] = OrderedDict()  # the last used last
        self.precomputed: dict[str, Precomputed] = {}  # by version
        self._saved: set[str] = set()  # ids of tables that are on record
        self._one_query = threading.Lock()  # a connection answers one thread at a time

    @cached_property
    def scope(self) -> Scope:
        return self.tree.scope

    @cached_property
    def sql(self) -> str:
        """The tree's own features."""
        return read_features_sql(self.tree)

    @cached_property
    def here(self) -> Period:
        """The present period."""
        return period_containing(self.now, self.every, self.scope.rhythm.offset)

    @property
    def every(self) -> timedelta:
        return self.scope.events_period

    def period(self, time: datetime) -> Period:
        return period_containing(time, self.every, self.scope.rhythm.offset)

    def moment(self, now: datetime) -> datetime:
        """``now`` rounded down, so that what depends on it is computed once for all requests of that moment."""
        return now - (now - datetime.min) % (self.scope.rhythm.tick / MOMENTS)

    def events_of_request(self, columns: Mapping[str, list[Any]]) -> pl.DataFrame:
        """Events of requests as a table, with event time, known-at times and ``predict_at``; null where they have none.

        Raises:
            ScopeError: an expression of the scope cannot take their values.
        """
        rows = pl.DataFrame(columns, schema=self._columns)
        return self._times.of(rows)

    @cached_property
    def _columns(self) -> pl.Schema:
        return pl.Schema({c: TYPES[kind] for c, kind in self.scope.event_source.columns.items()})

    @cached_property
    def _times(self) -> Evaluation:
        return Evaluation(self._columns, times_of_events(self.scope))

    def features(self, sql: str, rows: pl.DataFrame, now: datetime) -> tuple[pl.DataFrame, pl.Series]:
        """The features of ``rows`` (of ``events_of_request``), as of now or of their predict-at where that is past.

        Columns as in a batch: key, times, features, given columns; and for each row the id of the tables used.

        Raises:
            ScopeError: features.sql cannot take their values.
            DataError: an accepted batch is missing or was changed.
        """
        at = pl.min_horizontal("predict_at", pl.lit(now, dtype=pl.Datetime("us"))).alias("__as_of")
        with self._one_query:
            return self._features(sql, rows.with_columns(at))

    def _features(self, sql: str, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
        labels = pl.Series("__period", [self.period(t).label for t in rows["event_time"]])
        parts, ids = [], []
        for label in labels.unique(maintain_order=True):
            of_period = rows.filter(labels == label)
            for tables, part in self._by_version(label, of_period):
                features = self._run(sql, tables, part)
                parts.append(features)
                ids += [tables.id] * features.height
        return pl.concat(parts), pl.Series("context", ids)

    def _by_version(self, label: str, rows: pl.DataFrame) -> Iterator[tuple[Tables, pl.DataFrame]]:
        """The rows of a period by the version of its tables that is current at their as-of time."""
        start = ALWAYS
        for until in self.versions(label):
            part = rows.filter(pl.col("__as_of") > start, pl.col("__as_of") <= until)
            if part.height:
                tables = self.tables(label, until)
                self._save(tables)
                yield tables, part
            start = until

    def features_from(self, sql: str, tables: Tables, rows: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
        """The features of ``rows`` (of ``events_of_request``) from just these tables, as of a time."""
        return self._run(sql, tables, rows.with_columns(pl.lit(as_of, dtype=pl.Datetime("us")).alias("__as_of")))

    def _run(self, sql: str, tables: Tables, rows: pl.DataFrame) -> pl.DataFrame:
        events, as_of = self._as_known(rows)
        needed = listed(self.scope) if sql == self.sql else ()  # another release's SQL belongs to its own scope
        features = tables.standing.answer(sql, self.scope, as_of, needed)
        return joined(self.scope, events, features)

    def _as_known(self, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The events without values that become known later, once with predict-at and once with the as-of time."""
        source = self.scope.event_source
        first = known_column(next(iter(source.known_at)))
        visible = rows.with_columns(pl.lit(ALWAYS, dtype=pl.Datetime("us")).alias(first))
        events = as_known(visible, source, pl.col("__as_of")).sort(source.key, nulls_last=True)
        events = events.drop([known_column(g) for g in source.known_at])
        return events.drop("__as_of"), events.drop("predict_at").rename({"__as_of": "predict_at"})

    # ---- tables

    def versions(self, label: str) -> list[datetime]:
        """Until when each version of a period's tables is current; the last is for ever."""
        return [until for _, until in self.look(label).epochs]

    def look(self, label: str) -> LookBack:
        with _loading:
            if label not in self._looks:
                self._looks[label] = self.point.look_back(label)
            return self._looks[label]

    @cached_property
    def _looks(self) -> dict[str, LookBack]:
        return {}

    def tables(self, label: str, until: datetime = FAR) -> Tables:
        """The tables of a period, read where they are not in memory."""
        tables = self._tables.get((label, until))
        if tables is None:
            tables = self._tables[label, until] = self._read(label, until)
            while len(self._tables) > LOADED:
                self._tables.popitem(last=False)
        self._tables.move_to_end((label, until))
        return tables

    def _read(self, label: str, until: datetime) -> Tables:
        look = self.look(label)
        name = self.scope.events.source
        have = {b.label for b in look.batches if b.source == name}
        with _loading:
            tables = self.point.tables(look, until)
            more = [r for p in self._until(look.period) if p.label not in have and (r := self._ahead(p)) is not None]
        ahead = pl.concat([rows.select(tables[name].columns) for rows in more]) if more else None
        if ahead is not None:
            tables[name] = pl.concat([tables[name], ahead])
        return Tables(_id(look, until, ahead), look, until, ahead, Standing(tables, self.scope.threads))

    def _until(self, period: Period) -> Iterator[Period]:
        """The periods from the present one to ``period``; from ``period`` itself where it is past."""
        at = min(self.here, period)
        while at <= period:
            yield at
            at = self.period(at.end)

    def _ahead(self, period: Period) -> pl.DataFrame | None:
        if period.label not in self._ahead_rows:
            self._ahead_rows[period.label] = ahead_rows(self.point, period)
        return self._ahead_rows[period.label]

    @cached_property
    def _ahead_rows(self) -> dict[str, pl.DataFrame | None]:
        return {}

    # ---- upcoming requests

    def upcoming(self) -> list[tuple[Period, pl.DataFrame]]:
        """The periods whose events will be requested before the next tick, and these events."""
        periods = []
        at = self.period(self.here.start - self.every)
        for _ in range(MAX_AHEAD):
            with _loading:
                rows = self._ahead(at)
            if rows is not None:
                periods.append((at, rows))
                if rows["predict_at"].min() >= self.now + self.scope.rhythm.tick:  # type: ignore[operator]
                    break
            elif at > self.here:
                break
            at = self.period(at.end)
        return periods

    def warm(self, sql: str) -> None:
        """Read the tables of the upcoming periods and query them once, so that the first request is fast too."""
        nothing = self.events_of_request({c: [] for c in self.scope.event_source.columns})
        none = nothing.with_columns(pl.col("predict_at").alias("__as_of"))
        for period, _ in self.upcoming()[:3]:
            with self._one_query:
                tables = self.tables(period.label)
                self._run(sql, tables, none)
        batches = self.look(self.here.label).batches
        with _loading:
            self.point.rows.keep(2 * len(batches))

    def _save(self, tables: Tables) -> None:
        """Put ``tables`` on record, once: the batches by their hashes, and the rows that are in no batch."""
        if tables.id in self._saved:
            return
        folder = paths.contexts(self.tree)
        if not (folder / f"{tables.id}.json").is_file():
            if tables.ahead is not None:
                write_table(tables.ahead, folder / f"{tables.id}.parquet")
            body = {
                "period": tables.look.period.label, "start": tables.look.start, "until": tables.until,
                "batches": [asdict(b) for b in tables.look.batches],
            }  # fmt: skip
            write_text(json.dumps(body, default=str) + "\n", folder / f"{tables.id}.json")
        self._saved.add(tables.id)


def restore_tables(project: Project, name: str) -> tuple[Context, Tables]:
    """The tables of that id, as they were.

    Raises:
        DataError: the record, or a batch that it names, is missing.
    """
    folder = paths.contexts(project)
    try:
        body = json.loads((folder / f"{name}.json").read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{folder / name}.json: not there or damaged; restore it from a copy") from error
    context = Context(project, ALWAYS)
    period = period_of(body["period"], context.every, context.scope.rhythm.offset)
    look = LookBack(period, datetime.fromisoformat(body["start"]), tuple(_batch(b) for b in body["batches"]))
    until = datetime.fromisoformat(body["until"])
    tables = context.point.tables(look, until)
    path = folder / f"{name}.parquet"
    ahead = read_table(path) if path.is_file() else None
    if ahead is not None:
        tables[context.scope.events.source] = pl.concat([tables[context.scope.events.source], ahead])
    return context, Tables(name, look, until, ahead, Standing(tables, context.scope.threads))


def _batch(body: Mapping[str, Any]) -> Batch:
    versions = tuple((datetime.fromisoformat(until), sha256) for until, sha256 in body["versions"])
    return Batch(body["source"], body["label"], versions)


def _id(look: LookBack, until: datetime, ahead: pl.DataFrame | None) -> str:
    rows = "" if ahead is None else ahead.write_json()
    body = json.dumps([asdict(look), until, digest(rows.encode())], default=str)
    return digest(body.encode())[:24]
