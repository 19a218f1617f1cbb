"""Accepted rows as they were known at any time: the events of a batch, and the tables beside them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING

import polars as pl

from homeostat.adapters.duckdb import Expression, evaluate
from homeostat.adapters.parquet import digest, parse_table
from homeostat.core.errors import DataError, ScopeError
from homeostat.data.casts import TYPES
from homeostat.data.known_at import FAR, as_known, known_column, times, with_known_at
from homeostat.data.label_amendments import received_labels
from homeostat.data.versions import EMPTY, version_path
from homeostat.features.lookback import Batch, LookBack, joint, look_back

if TYPE_CHECKING:
    from homeostat.data.workspace import Workspace
    from homeostat.project.scope import Scope
    from homeostat.project.source_scope import Source

Tables = dict[str, pl.DataFrame]  # by source
Reads = Sequence[tuple[str, Callable[[], pl.DataFrame]]]  # hashes of accepted rows, each with what reads them


class AcceptedRows:
    """Accepted batches with event time and known-at, by how their source is declared and by hash."""

    def __init__(self) -> None:
        self._read: dict[tuple[str, str], pl.DataFrame] = {}  # as they were accepted, to be used yet
        self._kept: OrderedDict[tuple[str, str], pl.DataFrame] = OrderedDict()

    def load(self, source: Source, wanted: Reads) -> None:
        """Read the batches of these hashes that are not at hand."""
        meaning = source.meaning()
        for sha256, read in wanted:
            key = (meaning, sha256)
            if key not in self._kept and key not in self._read:
                self._read[key] = read()

    def get(self, name: str, source: Source, wanted: Reads) -> list[pl.DataFrame]:
        """The rows of each hash; what is worked out for each row is worked out for all new ones together."""
        self.load(source, wanted)
        meaning = source.meaning()
        keys = [(meaning, sha256) for sha256, _ in wanted]
        new = {key: rows for key in keys if (rows := self._read.get(key)) is not None}
        if new:
            parts = list(new.values())
            self._kept |= zip(new, apart(with_known_at(name, source, pl.concat(parts)), parts), strict=True)
        for key in keys:
            self._read.pop(key, None)
            self._kept.move_to_end(key)
        return [self._kept[key] for key in keys]

    def keep(self, batches: int) -> None:
        """Let go of all but the ``batches`` used last."""
        self._read.clear()
        while len(self._kept) > batches:
            self._kept.popitem(last=False)


class PointInTime:
    """Reads the accepted batches of one workspace; ``rows`` are those that were read before, where there are any."""

    def __init__(self, workspace: Workspace, rows: AcceptedRows | None = None) -> None:
        self.workspace = workspace
        self.scope = workspace.scope
        self.rows = AcceptedRows() if rows is None else rows

    def look_back(self, label: str) -> LookBack:
        """The accepted batches that features of the batch of events ``label`` may be made from."""
        look = look_back(self.scope, self.workspace.verdicts, label)
        files = self.workspace.label_amendments.get(label, ())
        return replace(look, received=tuple(one.sha256 for one in files)) if files else look

    def received(self, look: LookBack) -> pl.DataFrame | None:
        """The labels of its events that did not come with the source; None where there are none."""
        files = self.workspace.label_amendments.get(look.period.label, ()) if look.received else ()
        return received_labels(self.workspace.project, files)

    def load(self, look: LookBack) -> None:
        """Read what the look-back may use, in every version: its files may have changed when it is used."""
        for until in {until for batch in look.batches for until, _ in batch.versions}:
            for name, source in self.scope.sources.items():
                self.rows.load(source, self._reads((b, until) for b in look.batches if b.source == name))

    # ---- events

    def events(self, look: LookBack) -> pl.DataFrame:
        """The events of the batch as they are accepted now, with everything known since, and ``predict_at``."""
        return self.events_until(look, FAR)

    def joint_events(self, looks: Sequence[LookBack]) -> list[pl.DataFrame]:
        """``events`` of each batch; what is worked out for each row is worked out for all of them together."""
        parts = [self.accepted([look]) for look in looks]
        return apart(with_predict_at(self.scope, pl.concat(parts)), parts)

    def accepted(self, looks: Iterable[LookBack], time: datetime = FAR) -> pl.DataFrame:
        """The rows of the batches of the events in the version seen as of ``time``, without ``predict_at``."""
        return self._rows(self.scope.events.source, [(b, time) for look in looks for b in self._own(look)])

    def size(self, look: LookBack) -> int:
        """How many rows the batch of the events has, as it is accepted now."""
        verdict = self.workspace.verdicts.get(self.scope.events.source, look.period.label)
        return 0 if verdict is None else verdict.rows_accepted

    def events_until(self, look: LookBack, time: datetime) -> pl.DataFrame:
        """The same in the version seen as of ``time``."""
        return with_predict_at(self.scope, self.accepted([look], time))

    def amended(self, look: LookBack) -> list[datetime]:
        """Until when each version of the events before the one in force was seen."""
        return sorted({until for b in self._own(look) for until, _ in b.versions} - {FAR})

    def known_events(self, look: LookBack, rows: pl.DataFrame) -> pl.DataFrame:
        """The events as known at their predict-at, sorted by key."""
        parts = [self._as_seen(look, part, until) for until, (part,) in _by_epoch(look, [rows])]
        return pl.concat(parts).sort(self.scope.key, nulls_last=True)

    def views(self, look: LookBack, rows: pl.DataFrame) -> Iterator[tuple[pl.DataFrame, Tables]]:
        """The events as known at their predict-at, with the tables they may use; one pair an epoch of versions."""
        for (events,), tables in self.joint_views([look], [rows]):
            yield events, tables

    def joint_views(
        self, looks: Sequence[LookBack], rows: Sequence[pl.DataFrame]
    ) -> Iterator[tuple[list[pl.DataFrame], Tables]]:
        """``views`` of the batches of one of ``groups`` together: the events of each beside the tables of all."""
        together = joint(looks)
        for until, parts in _by_epoch(together, rows):
            events = [self._as_seen(look, part, until) for look, part in zip(looks, parts, strict=True)]
            yield events, self.tables(together, until)

    # ---- tables

    def tables(self, look: LookBack, time: datetime) -> Tables:
        """The source tables in the versions seen as of ``time``; later rows are there too, with their known-at."""
        tables = {}
        for name, source in self.scope.sources.items():
            rows = self._rows(name, [(b, time) for b in look.batches if b.source == name])
            if source.timed:
                rows = rows.filter(pl.col("event_time") >= look.start, pl.col("event_time") < look.period.end)
            tables[name] = rows
        return tables

    def _own(self, look: LookBack) -> Sequence[Batch]:
        """The batch of the events themselves, where it was accepted."""
        return [b for b in look.batches if (b.source, b.label) == (self.scope.events.source, look.period.label)]

    def _as_seen(self, look: LookBack, rows: pl.DataFrame, time: datetime) -> pl.DataFrame:
        """The events ``rows`` in the version seen as of ``time``, blank where not yet known.

        An event that is not known at all by its predict-at is out: nobody could have asked about it. One that only a
        later amendment brought is seen as the amendment brought it.
        """
        key = list(self.scope.key)
        own = self._own(look)
        if any(b.as_of(time) != b.as_of(FAR) for b in own):
            old = self._rows(self.scope.events.source, [(b, time) for b in own])
            old = old.join(rows.select(*key, "predict_at"), on=key, nulls_equal=True)
            rows = pl.concat([old.select(rows.columns), rows.join(old, on=key, how="anti", nulls_equal=True)])
        return masked(self.scope, rows, pl.col("predict_at")).sort(key, nulls_last=True)

    def _rows(self, name: str, wanted: Iterable[tuple[Batch, datetime]]) -> pl.DataFrame:
        """The rows of batches of one source, each in its version as of a time, with event time and known-at."""
        source = self.scope.sources[name]
        parts = self.rows.get(name, source, self._reads(wanted))
        nothing = pl.DataFrame(schema={c: TYPES[kind] for c, kind in source.columns.items()})
        return pl.concat(parts) if parts else with_known_at(name, source, nothing)

    def _reads(self, wanted: Iterable[tuple[Batch, datetime]]) -> Reads:
        """What reads each batch in its version as of a time, where that has rows."""
        versions = [(batch, sha256) for batch, time in wanted if (sha256 := batch.as_of(time)) != EMPTY]
        return [(sha256, partial(self._accepted, batch, sha256)) for batch, sha256 in versions]

    def _accepted(self, batch: Batch, sha256: str) -> pl.DataFrame:
        project = self.workspace.project
        path = project.accepted / batch.source / f"{batch.label}.parquet"
        if sha256 != batch.as_of(FAR):
            path = version_path(project, batch.source, batch.label, sha256)
        data = self.workspace.files.read(path)
        if data is not None and digest(data) != sha256:
            raise DataError(f"{path}: changed since it was accepted; run the stage validate again")
        return parse_table(data, path)


def _by_epoch(look: LookBack, rows: Sequence[pl.DataFrame]) -> Iterator[tuple[datetime, Sequence[pl.DataFrame]]]:
    """The events of each batch by the epoch of versions of their predict-at, named by its end; one at least."""
    epochs = look.epochs
    if len(epochs) == 1 or not any(table.height for table in rows):
        yield FAR, rows
        return
    for start, until in epochs:
        inside = pl.col("predict_at") > start, pl.col("predict_at") <= until
        parts = [table.filter(*inside) for table in rows]
        if any(part.height for part in parts):
            yield until, parts


def apart(table: pl.DataFrame, parts: Sequence[pl.DataFrame]) -> list[pl.DataFrame]:
    """What was made of the rows of ``parts`` one after another, as parts of the same heights."""
    starts = accumulate((part.height for part in parts), initial=0)
    return [table.slice(start, part.height) for start, part in zip(starts, parts, strict=False)]


# ---- when events are predicted


def with_predict_at(scope: Scope, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of the event source with when each is predicted.

    Raises:
        ScopeError: the expression is wrong, or an event has no such time.
    """
    return all_predicted(scope, evaluate(rows, [_predict_at(scope)]))


def times_of_events(scope: Scope) -> list[list[Expression]]:
    """The steps by which rows of the event source come to have event time, known-at and ``predict_at``."""
    source = scope.event_source
    assert source.time is not None, "events have a time"
    return [*times(scope.events.source, source, source.time), [_predict_at(scope)]]


def all_predicted(scope: Scope, rows: pl.DataFrame) -> pl.DataFrame:
    """The same rows, each of which has a ``predict_at``.

    Raises:
        ScopeError: one has none.
    """
    if rows["predict_at"].null_count():
        row = rows.filter(pl.col("predict_at").is_null()).select(scope.key).row(0)
        raise ScopeError(f"params.yaml: events.predict_at: is nothing for the event {row}; fix the expression")
    return rows


def masked(scope: Scope, rows: pl.DataFrame, at: pl.Expr | datetime) -> pl.DataFrame:
    """Events as known at a time, without the columns that say when each group became known."""
    source = scope.event_source
    return as_known(rows, source, at).drop([known_column(g) for g in source.known_at])


def _predict_at(scope: Scope) -> Expression:
    return Expression("predict_at", scope.events.predict_at, "TIMESTAMP", "events.predict_at")
