"""What features may look at besides the request: batches accepted by now, and the events that the source tells ahead.

A context stands for one state of these. The tables of a period are held in DuckDB's own form and asked again and
again; a new state is a new context, made beside the old one, so that the service goes on answering.
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

from homeostat.adapters.parquet import digest, read_table, write_table, write_text
from homeostat.core.errors import DataError
from homeostat.core.periods import Period, period_containing, period_of
from homeostat.data.casts import TYPES
from homeostat.data.known_at import FAR, as_known, known_column
from homeostat.data.workspace import Workspace
from homeostat.features.lookback import Batch, LookBack
from homeostat.features.point_in_time import AcceptedRows, PointInTime, all_predicted, times_of_events
from homeostat.features.query_cache import Evaluation, Standing
from homeostat.features.rows import joined
from homeostat.features.tables import listed
from homeostat.features.upcoming import ahead_rows
from homeostat.project.layout import Project
from homeostat.serving import paths

if TYPE_CHECKING:
    from homeostat.project.scope import Scope
    from homeostat.serving.precomputed import Ready

ALWAYS = datetime(1, 1, 1)  # a request itself makes its events known
HELD = 6  # periods whose tables are kept
MOMENTS = 1440  # of a tick, so one a minute where data come daily
REACH = 48  # periods ahead that are looked at, at most
_loading = threading.Lock()  # what was read of accepted batches is shared, for one thread at a time


@dataclass(frozen=True)
class Tables:
    """What the events of one period may be made from, in one version, and how to find it again."""

    id: str
    look: LookBack
    until: datetime
    ahead: pl.DataFrame | None  # rows of the event source that no accepted batch holds
    standing: Standing


class Context:
    """The state of the data as of ``now``, and features by it."""

    def __init__(self, project: Project, now: datetime, rows: AcceptedRows | None = None) -> None:
        tree = paths.working(project)
        self.tree = Project(tree.root, tree.home)  # the scope is read again: it may have moved on
        self.point = PointInTime(Workspace(self.tree), rows)
        self.now = now
        self._held: OrderedDict[tuple[str, datetime], Tables] = OrderedDict()
        self.prepared: dict[str, Ready] = {}  # by version, what is answered at once
        self._kept: set[str] = set()
        self._turn = threading.Lock()  # a session answers one thread at a time

    @cached_property
    def scope(self) -> Scope:
        return self.tree.scope

    @cached_property
    def sql(self) -> str:
        """The tree's own features."""
        return self.tree.features_text

    @cached_property
    def here(self) -> Period:
        """The period that it is now."""
        return period_containing(self.now, self.every, self.scope.rhythm.offset)

    @property
    def every(self) -> timedelta:
        return self.scope.events_period

    def period(self, time: datetime) -> Period:
        return period_containing(time, self.every, self.scope.rhythm.offset)

    def moment(self, now: datetime) -> datetime:
        """The time that requests at ``now`` are answered as of: what follows from it is made once for all of them."""
        return now - (now - datetime.min) % (self.scope.rhythm.tick / MOMENTS)

    def asked(self, columns: Mapping[str, list[Any]]) -> pl.DataFrame:
        """Events of requests, with event time, known-at and ``predict_at``.

        Raises:
            ScopeError: an expression of the scope cannot take their values.
        """
        rows = pl.DataFrame(columns, schema=self._columns)
        return all_predicted(self.scope, self._times.of(rows))

    @cached_property
    def _columns(self) -> pl.Schema:
        return pl.Schema({c: TYPES[kind] for c, kind in self.scope.event_source.columns.items()})

    @cached_property
    def _times(self) -> Evaluation:
        return Evaluation(self._columns, times_of_events(self.scope))

    def features(self, sql: str, rows: pl.DataFrame, now: datetime) -> tuple[pl.DataFrame, pl.Series]:
        """The features of ``rows`` (of ``asked``), as of now or of their predict-at where that is past.

        As in a batch: key, times, features, what is given; and for each row the id of the tables it was made from.

        Raises:
            ScopeError: features.sql cannot take their values.
            DataError: an accepted batch is missing or was changed.
        """
        at = pl.min_horizontal("predict_at", pl.lit(now, dtype=pl.Datetime("us"))).alias("__as_of")
        with self._turn:
            return self._features(sql, rows.with_columns(at))

    def _features(self, sql: str, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
        labels = pl.Series("__period", [self.period(t).label for t in rows["event_time"]])
        parts, ids = [], []
        for label in labels.unique(maintain_order=True):
            of_period = rows.filter(labels == label)
            for tables, part in self._by_version(label, of_period):
                found = self._answered(sql, tables, part)
                parts.append(found)
                ids += [tables.id] * found.height
        return pl.concat(parts), pl.Series("context", ids)

    def _by_version(self, label: str, rows: pl.DataFrame) -> Iterator[tuple[Tables, pl.DataFrame]]:
        """The rows of a period by the version of its tables that their as-of time sees."""
        start = ALWAYS
        for until in self.versions(label):
            part = rows.filter(pl.col("__as_of") > start, pl.col("__as_of") <= until)
            if part.height:
                tables = self.tables(label, until)
                self._keep(tables)
                yield tables, part
            start = until

    def answered(self, sql: str, tables: Tables, rows: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
        """The features of ``rows`` (of ``asked``) by just these tables, as of a time."""
        return self._answered(sql, tables, rows.with_columns(pl.lit(as_of, dtype=pl.Datetime("us")).alias("__as_of")))

    def _answered(self, sql: str, tables: Tables, rows: pl.DataFrame) -> pl.DataFrame:
        events, as_of = self._as_known(rows)
        needed = listed(self.scope) if sql == self.sql else ()  # another release's answers to its own scope
        found = tables.standing.answer(sql, self.scope, as_of, needed)
        return joined(self.scope, events, found)

    def _as_known(self, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The events blank where nothing is known yet, with their own predict-at, and with that of the answer."""
        source = self.scope.event_source
        first = known_column(next(iter(source.known_at)))
        known = rows.with_columns(pl.lit(ALWAYS, dtype=pl.Datetime("us")).alias(first))
        known = as_known(known, source, pl.col("__as_of")).sort(source.key, nulls_last=True)
        known = known.drop([known_column(g) for g in source.known_at])
        return known.drop("__as_of"), known.drop("predict_at").rename({"__as_of": "predict_at"})

    # ---- tables

    def versions(self, label: str) -> list[datetime]:
        """Until when each version of a period's tables is seen; the last is for ever."""
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
        """The tables of a period, made where they are not held yet."""
        found = self._held.get((label, until))
        if found is None:
            found = self._made(label, until)
            self._held[label, until] = found
            while len(self._held) > HELD:
                self._held.popitem(last=False)
        self._held.move_to_end((label, until))
        return found

    def _made(self, label: str, until: datetime) -> Tables:
        look = self.look(label)
        name = self.scope.events.source
        have = {b.label for b in look.batches if b.source == name}
        with _loading:
            found = self.point.tables(look, until)
            more = [r for p in self._until(look.period) if p.label not in have and (r := self._ahead(p)) is not None]
        ahead = pl.concat([rows.select(found[name].columns) for rows in more]) if more else None
        if ahead is not None:
            found[name] = pl.concat([found[name], ahead])
        return Tables(_id(look, until, ahead), look, until, ahead, Standing(found, self.scope.threads))

    def _until(self, period: Period) -> Iterator[Period]:
        """From the period that it is now to ``period``, which may lie before."""
        at = min(self.here, period)
        while at <= period:
            yield at
            at = self.period(at.end)

    def _ahead(self, period: Period) -> pl.DataFrame | None:
        if period.label not in self._told:
            self._told[period.label] = ahead_rows(self.point, period)
        return self._told[period.label]

    @cached_property
    def _told(self) -> dict[str, pl.DataFrame | None]:
        return {}

    # ---- what is about to be asked

    def coming(self) -> list[tuple[Period, pl.DataFrame]]:
        """The periods at hand whose events somebody will ask about until the next tick, and these events."""
        found = []
        at = self.period(self.here.start - self.every)
        for _ in range(REACH):
            with _loading:
                rows = self._ahead(at)
            if rows is not None:
                found.append((at, rows))
                if rows["predict_at"].min() >= self.now + self.scope.rhythm.tick:  # type: ignore[operator]
                    break
            elif at > self.here:
                break
            at = self.period(at.end)
        return found

    def warm(self, sql: str) -> None:
        """Make the tables of the periods at hand, and let them answer once."""
        nothing = self.asked({c: [] for c in self.scope.event_source.columns})
        none = nothing.with_columns(pl.col("predict_at").alias("__as_of"))
        for period, _ in self.coming()[:3]:
            with self._turn:
                tables = self.tables(period.label)
                self._answered(sql, tables, none)
        batches = self.look(self.here.label).batches
        with _loading:
            self.point.rows.keep(2 * len(batches))

    def _keep(self, tables: Tables) -> None:
        """Write down what ``tables`` were, once: the batches by their hashes, and rows that no batch holds."""
        if tables.id in self._kept:
            return
        folder = paths.contexts(self.tree)
        if not (folder / f"{tables.id}.json").is_file():
            if tables.ahead is not None:
                write_table(tables.ahead, folder / f"{tables.id}.parquet")
            said = {
                "period": tables.look.period.label, "start": tables.look.start, "until": tables.until,
                "batches": [asdict(b) for b in tables.look.batches],
            }  # fmt: skip
            write_text(json.dumps(said, default=str) + "\n", folder / f"{tables.id}.json")
        self._kept.add(tables.id)


def found_again(project: Project, name: str) -> tuple[Context, Tables]:
    """The tables of that id, as they were.

    Raises:
        DataError: the note, or a batch that it names, is not there any more.
    """
    folder = paths.contexts(project)
    try:
        said = json.loads((folder / f"{name}.json").read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{folder / name}.json: not there or damaged; restore it from a copy") from error
    context = Context(project, ALWAYS)
    period = period_of(said["period"], context.every, context.scope.rhythm.offset)
    look = LookBack(period, datetime.fromisoformat(said["start"]), tuple(_batch(b) for b in said["batches"]))
    until = datetime.fromisoformat(said["until"])
    found = context.point.tables(look, until)
    path = folder / f"{name}.parquet"
    ahead = read_table(path) if path.is_file() else None
    if ahead is not None:
        found[context.scope.events.source] = pl.concat([found[context.scope.events.source], ahead])
    return context, Tables(name, look, until, ahead, Standing(found, context.scope.threads))


def _batch(said: Mapping[str, Any]) -> Batch:
    versions = tuple((datetime.fromisoformat(until), sha256) for until, sha256 in said["versions"])
    return Batch(said["source"], said["label"], versions)


def _id(look: LookBack, until: datetime, ahead: pl.DataFrame | None) -> str:
    rows = "" if ahead is None else ahead.write_json()
    said = json.dumps([asdict(look), until, digest(rows.encode())], default=str)
    return digest(said.encode())[:24]
