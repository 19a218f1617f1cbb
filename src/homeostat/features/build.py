"""Stage featurize: one table a batch, each event with what was known at its predict-at, and its labels."""

from __future__ import annotations

import json
import shutil
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from homeostat.adapters import parquet
from homeostat.adapters.import_graph import work_hash
from homeostat.core.errors import DataError, ScopeError
from homeostat.core.periods import Period, period_containing, period_of
from homeostat.data import sources
from homeostat.data.ingest import periods
from homeostat.data.validate import UNTIL, read_verdict, version_path
from homeostat.features import sql as duckdb
from homeostat.features.sql import FAR, Expression, as_known, evaluate, known_column, times, with_known_at

if TYPE_CHECKING:
    from homeostat.project.layout import Project
    from homeostat.project.scope import Scope

EMPTY = ""  # the hash of a version in which nothing was accepted
_prepared: OrderedDict[tuple[str, str], pl.DataFrame] = OrderedDict()


@dataclass(frozen=True)
class Batch:
    """One batch of a source: ``versions`` are (until when, hash of the accepted rows); the last is in force."""

    source: str
    label: str
    versions: tuple[tuple[datetime, str], ...]

    def as_of(self, time: datetime) -> str:
        """The hash of the version that is seen as of ``time``: an amendment is known strictly before it is used."""
        return next(sha256 for until, sha256 in self.versions if time <= until)


@dataclass(frozen=True)
class LookBack:
    """What the features of one batch of events may be made from: rows of ``start`` to ``period.end``."""

    period: Period
    start: datetime
    batches: tuple[Batch, ...]

    @property
    def epochs(self) -> list[tuple[datetime, datetime]]:
        """Spans of time, open at the start, in which each batch has one version; one, where nothing was amended."""
        ends = sorted({until for batch in self.batches for until, _ in batch.versions} | {FAR})
        return list(zip([datetime.min, *ends[:-1]], ends, strict=True))


# ---- one batch


def featurize(project: Project, label: str) -> Path:
    """Write ``data/features/<label>.parquet``, and beside it what it follows from; what still holds is kept.

    Raises:
        ScopeError: features.sql or an expression of the scope cannot be used.
        DataError: an accepted batch is missing or was changed.
    """
    sql = project.features_text
    look = look_back(project, label)
    path, note = project.features / f"{label}.parquet", project.features / f"{label}.json"
    key = _key(project, sql, look)
    if note.is_file() and path.is_file():
        said = json.loads(note.read_text())
        if said == {"key": key, "sha256": parquet.digest(path.read_bytes())}:
            return path
    note.unlink(missing_ok=True)
    parquet.write_table(_table(project, look, sql, listed(project.scope)), path)
    said = {"key": key, "sha256": parquet.digest(path.read_bytes())}
    parquet.write_text(json.dumps(said, indent=1) + "\n", note)
    return path


def features_of(project: Project, label: str, sql: str | None = None) -> pl.DataFrame:
    """The features of one batch; by another SQL text than the project's, from a cache by content.

    Raises:
        ScopeError, DataError: as ``featurize``.
    """
    if sql is None or (project.features_sql.is_file() and sql == project.features_sql.read_text()):
        return parquet.read_table(featurize(project, label))
    look = look_back(project, label)
    path = project.cache / "features" / f"{_key(project, sql, look)[:32]}.parquet"
    if not path.is_file():
        parquet.write_table(_table(project, look, sql, ()), path)
    return parquet.read_table(path)


def read_features(project: Project, labels: Iterable[str] | None = None) -> pl.DataFrame:
    """The feature tables of these batches (None: of all that are there), one below the other in order of batch.

    No batch gives no rows, in the columns of the others.

    Raises:
        DataError: a table is missing, or they were not made by one features.sql.
    """
    there = sorted(p.stem for p in project.features.glob("*.parquet"))
    wanted = there if labels is None else sorted(labels)
    found = [parquet.read_table(project.features / f"{label}.parquet") for label in wanted]
    if not found and there:
        return parquet.read_table(project.features / f"{there[0]}.parquet").clear()
    if not found:
        raise DataError(f"{project.features}: holds no features; run the stage featurize first")
    try:
        return pl.concat(found)
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"{project.features}: its tables have different columns; run the stage featurize again"
        ) from error


def mature(table: pl.DataFrame, objective_name: str, scope: Scope, now: datetime) -> pl.DataFrame:
    """The rows that may train or judge as of ``now``: labelled, known, and past the label horizon."""
    return table.filter(
        pl.col(f"label__{objective_name}").is_not_null(),
        pl.col(f"known__{objective_name}") < now,
        pl.col("event_time") <= now - scope.events.label_horizon,
    )


def listed(scope: Scope) -> tuple[str, ...]:
    """Every feature that an objective lists, once."""
    return tuple(dict.fromkeys(name for o in scope.objectives.values() for name in o.features))


def _table(project: Project, look: LookBack, sql: str, needed: Iterable[str]) -> pl.DataFrame:
    scope = project.scope
    rows = event_rows(project, look)
    parts = []
    for events, seen in views(project, look, rows):
        features = duckdb.build(sql, scope, seen, events, scope.threads, needed)
        parts.append(joined(scope, events, features))
    forget(2 * len(look.batches))  # another look-back may take turns with this one
    whole = pl.concat(parts).sort(scope.key, nulls_last=True)
    return _with_labels(scope, whole, labels(project, look, rows))


def forget(keep: int) -> None:
    """Let go of what was read of accepted batches, but for the ``keep`` used last."""
    while len(_prepared) > keep:
        _prepared.popitem(last=False)


def joined(scope: Scope, events: pl.DataFrame, features: pl.DataFrame) -> pl.DataFrame:
    """Key, times, features and what is given; both tables hold the same events."""
    key = list(scope.key)
    given = _given(scope, events).sort(key, nulls_last=True)
    features = features.select(pl.exclude(key))
    return pl.concat(
        [given.select(*key, "event_time", "predict_at"), features, given.select("^given__.*$")], how="horizontal"
    )


def _with_labels(scope: Scope, table: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    key = list(scope.key)
    return table.join(found, on=key, how="left", nulls_equal=True, maintain_order="left")


def _given(scope: Scope, events: pl.DataFrame) -> pl.DataFrame:
    """Events with the columns that slices and the baseline go by, as ``given__<column>``, and its rule."""
    baseline = scope.training.baseline
    named = dict.fromkeys([*scope.evaluation.slices, *baseline.by, *([baseline.column] if baseline.column else [])])
    found = events.with_columns(pl.col(c).alias(f"given__{c}") for c in named)
    if baseline.sql is None:
        return found
    return evaluate(found, [Expression("given__sql", baseline.sql, "DOUBLE", "training.baseline.sql")])


# ---- what was known


def look_back(project: Project, label: str) -> LookBack:
    """The accepted batches that features of a batch of events may be made from."""
    scope = project.scope
    every = scope.event_source.period
    if not isinstance(every, timedelta):
        raise ScopeError(f"params.yaml: sources.{scope.events.source}.period: events need one such as 1d")
    period = period_of(label, every, scope.rhythm.offset)
    start = period.start - scope.features.history
    batches = []
    for name, source in scope.sources.items():
        for batch in ["once"] if source.period == "once" else _labels(scope, source.period, start, period.end):
            verdict = read_verdict(project, name, batch)
            if verdict is not None and verdict.files:
                batches.append(Batch(name, batch, _versions(verdict.files)))
    return LookBack(period, start, tuple(batches))


def _labels(scope: Scope, every: timedelta, start: datetime, end: datetime) -> Iterator[str]:
    """The periods of a source that a span of time touches."""
    period = period_containing(start, every, scope.rhythm.offset)
    while period.start < end:
        yield period.label
        period = period_containing(period.end, every, scope.rhythm.offset)


def _versions(files: Mapping[str, str]) -> tuple[tuple[datetime, str], ...]:
    earlier = [(datetime.fromisoformat(k.removeprefix(UNTIL)), v) for k, v in files.items() if k.startswith(UNTIL)]
    return (*sorted(earlier), (FAR, files.get("accepted", EMPTY)))


def event_rows(project: Project, look: LookBack) -> pl.DataFrame:
    """The events of the batch as they are accepted now, with everything known since, and ``predict_at``."""
    scope = project.scope
    own = [b for b in look.batches if (b.source, b.label) == (scope.events.source, look.period.label)]
    return with_predict_at(scope, _rows(project, scope.events.source, [(b, FAR) for b in own]))


def with_predict_at(scope: Scope, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of the event source with when each is predicted."""
    return all_predicted(scope, evaluate(rows, [_predict_at(scope)]))


def times_of_events(scope: Scope) -> list[list[Expression]]:
    """The steps by which rows of the event source come to have event time, known-at and ``predict_at``."""
    source = scope.event_source
    assert source.time is not None, "events have a time"
    return [*times(scope.events.source, source, source.time), [_predict_at(scope)]]


def _predict_at(scope: Scope) -> Expression:
    return Expression("predict_at", scope.events.predict_at, "TIMESTAMP", "events.predict_at")


def all_predicted(scope: Scope, found: pl.DataFrame) -> pl.DataFrame:
    """The same rows, each of which has a ``predict_at``.

    Raises:
        ScopeError: one has none.
    """
    if found["predict_at"].null_count():
        row = found.filter(pl.col("predict_at").is_null()).select(scope.key).row(0)
        raise ScopeError(f"params.yaml: events.predict_at: is nothing for the event {row}; fix the expression")
    return found


def views(
    project: Project, look: LookBack, rows: pl.DataFrame
) -> Iterator[tuple[pl.DataFrame, dict[str, pl.DataFrame]]]:
    """The events as known at their predict-at, with the tables they may use; one pair a span that sees one version."""
    for until, part in _spans(look, rows):
        yield _as_seen(project, look, part, until), tables_of(project, look, until)


def known_events(project: Project, look: LookBack, rows: pl.DataFrame) -> pl.DataFrame:
    """The events as known at their predict-at, sorted by key."""
    parts = [_as_seen(project, look, part, until) for until, part in _spans(look, rows)]
    return pl.concat(parts).sort(project.scope.key, nulls_last=True)


def _spans(look: LookBack, rows: pl.DataFrame) -> list[tuple[datetime, pl.DataFrame]]:
    """The events by the span of time that their predict-at lies in, named by its end; one at least."""
    parts = [rows.filter(pl.col("predict_at") > a, pl.col("predict_at") <= u) for a, u in look.epochs]
    found = [(until, part) for (_, until), part in zip(look.epochs, parts, strict=True) if part.height]
    return found or [(FAR, rows)]


def tables_of(project: Project, look: LookBack, time: datetime) -> dict[str, pl.DataFrame]:
    """The source tables in the versions seen as of ``time``; later rows and columns are there, with their known-at."""
    found = {}
    for name, source in project.scope.sources.items():
        rows = _rows(project, name, [(b, time) for b in look.batches if b.source == name])
        if source.timed:
            rows = rows.filter(pl.col("event_time") >= look.start, pl.col("event_time") < look.period.end)
        found[name] = rows
    return found


def _as_seen(project: Project, look: LookBack, rows: pl.DataFrame, time: datetime) -> pl.DataFrame:
    """The events ``rows`` in the version seen as of ``time``, blank where not yet known.

    An event that is not known at all by its predict-at is out: nobody could have asked about it. One that only a later
    amendment brought is seen as the amendment brought it.
    """
    scope = project.scope
    key = list(scope.key)
    source = scope.event_source
    own = [b for b in look.batches if (b.source, b.label) == (scope.events.source, look.period.label)]
    if any(b.as_of(time) != b.as_of(FAR) for b in own):
        old = _rows(project, scope.events.source, [(b, time) for b in own])
        old = old.join(rows.select(*key, "predict_at"), on=key, nulls_equal=True)
        rows = pl.concat([old.select(rows.columns), rows.join(old, on=key, how="anti", nulls_equal=True)])
    return _masked(scope, rows, pl.col("predict_at")).sort(source.key, nulls_last=True)


def _masked(scope: Scope, rows: pl.DataFrame, at: pl.Expr | datetime) -> pl.DataFrame:
    source = scope.event_source
    return as_known(rows, source, at).drop([known_column(g) for g in source.known_at])


def _rows(project: Project, name: str, wanted: Iterable[tuple[Batch, datetime]]) -> pl.DataFrame:
    """The rows of batches of one source, each in its version as of a time, with event time and known-at."""
    source = project.scope.sources[name]
    nothing = pl.DataFrame(schema={c: sources.TYPES[kind] for c, kind in source.columns.items()})
    parts = []
    spec = source.model_dump_json()
    for batch, time in wanted:
        sha256 = batch.as_of(time)
        if sha256 == EMPTY:
            continue
        key = (spec, sha256)
        if key not in _prepared:
            _prepared[key] = with_known_at(name, source, _accepted(project, batch, sha256))
        _prepared.move_to_end(key)
        parts.append(_prepared[key])
    return pl.concat(parts) if parts else with_known_at(name, source, nothing)


def _accepted(project: Project, batch: Batch, sha256: str) -> pl.DataFrame:
    path = project.accepted / batch.source / f"{batch.label}.parquet"
    if sha256 != batch.as_of(FAR):
        path = version_path(project, batch.source, batch.label, sha256)
    if path.is_file() and parquet.digest(path.read_bytes()) != sha256:
        raise DataError(f"{path}: changed since it was accepted; run the stage validate again")
    return parquet.read_table(path)


# ---- labels


def labels(project: Project, look: LookBack, rows: pl.DataFrame) -> pl.DataFrame:
    """Key, and for each objective label, when it became known, and group; over the events as accepted now.

    A label that an amendment brought or changed became known with it.
    """
    scope = project.scope
    found = _labelled(scope, rows)
    own = [b for b in look.batches if (b.source, b.label) == (scope.events.source, look.period.label)]
    for until in sorted({until for b in own for until, _ in b.versions} - {FAR}):
        old = _labelled(scope, _rows(project, scope.events.source, [(b, until) for b in own]))
        found = _known_since(scope, found, old, until)
    return found.select(*scope.key, *label_columns(scope))


def _labelled(scope: Scope, rows: pl.DataFrame) -> pl.DataFrame:
    asked = []
    for name, objective in scope.objectives.items():
        place = f"objectives.{name}"
        label = f"CASE WHEN ({objective.where}\n) THEN CAST(({objective.label}\n) AS DOUBLE) END"
        asked.append(
            Expression(f"where__{name}", objective.where, "BOOLEAN", f"{place}.where")
        )  # blamed by its own name
        asked.append(Expression(f"label__{name}", label, "DOUBLE", f"{place}.label"))
        if objective.group is not None:
            asked.append(Expression(f"group__{name}", objective.group, "VARCHAR", f"{place}.group"))
    found = evaluate(rows, asked)
    return found.with_columns(
        pl.when(pl.col(f"label__{name}").is_not_null(), pl.col(known_column(objective.known)) < FAR)
        .then(pl.col(known_column(objective.known)))
        .alias(f"known__{name}")
        for name, objective in scope.objectives.items()
    )


def label_columns(scope: Scope) -> dict[str, pl.DataType]:
    """The columns of a feature table that say what happened, in order."""
    kinds: dict[str, pl.DataType] = {"label": pl.Float64(), "known": pl.Datetime("us")}
    found = {f"{kind}__{name}": dtype for kind, dtype in kinds.items() for name in scope.objectives}
    return found | {f"group__{n}": pl.String() for n, o in scope.objectives.items() if o.group is not None}


def _known_since(scope: Scope, found: pl.DataFrame, old: pl.DataFrame, time: datetime) -> pl.DataFrame:
    """``found`` with labels that differ from the ``old`` version known no sooner than its end, ``time``."""
    key = list(scope.key)
    names = [f"label__{name}" for name in scope.objectives]
    before = found.select(key).join(
        old.select(*key, *names), on=key, how="left", nulls_equal=True, maintain_order="left"
    )
    later = pl.lit(time, dtype=pl.Datetime("us"))
    return found.with_columns(
        pl.when(found[f"label__{name}"].eq_missing(before[f"label__{name}"]))
        .then(pl.col(f"known__{name}"))
        .otherwise(pl.max_horizontal(f"known__{name}", pl.when(pl.col(f"known__{name}").is_not_null()).then(later)))
        .alias(f"known__{name}")
        for name in scope.objectives
    )


# ---- events ahead


def upcoming(project: Project, now: datetime, sql: str | None = None) -> pl.DataFrame | None:
    """The features, as of ``now``, of events whose predict-at falls from now until the next tick; None without any.

    Each event is met by one tick, the last before its predict-at. Events of a batch that has not been accepted yet are
    read from the source, rows whose keys repeat aside; what is not known yet is blank, labels too.

    Raises:
        ScopeError, DataError: as ``featurize``, and where the source cannot be read.
    """
    scope = project.scope
    text = project.features_text if sql is None else sql
    ahead = _ahead(project, now)
    if ahead is None:
        return None
    parts = []
    for period, rows in ahead.items():
        asked = rows.filter(pl.col("predict_at") >= now, pl.col("predict_at") < now + scope.rhythm.tick)
        events = _masked(scope, asked, now).sort(scope.key, nulls_last=True)
        if events.height:
            seen = _tables_ahead(project, period, now, ahead)
            as_of = events.with_columns(pl.lit(now, dtype=pl.Datetime("us")).alias("predict_at"))
            features = duckdb.build(text, scope, seen, as_of, scope.threads, listed(scope) if sql is None else ())
            parts.append(_unlabelled(scope, joined(scope, events, features)))
    return pl.concat(parts) if parts else None


def _ahead(project: Project, now: datetime) -> dict[Period, pl.DataFrame] | None:
    """By period, the rows of the event source from now on as far as the tick's events reach."""
    scope = project.scope
    every = scope.event_source.period
    assert isinstance(every, timedelta)
    here = period_containing(now, every, scope.rhythm.offset)
    sample = ahead_rows(project, here)
    if sample is None:
        sample = ahead_rows(project, period_containing(here.end, every, scope.rhythm.offset))
    if sample is None or not sample.height:
        return None
    lead = sample["event_time"] - sample["predict_at"]
    first = min(now, now + lead.min())  # type: ignore[operator]
    last = max(now, now + scope.rhythm.tick + lead.max())  # type: ignore[operator]
    found = {}
    for label in _labels(scope, every, first, last + timedelta(microseconds=1)):
        period = period_of(label, every, scope.rhythm.offset)
        rows = ahead_rows(project, period)
        if rows is not None:
            found[period] = rows
    return found


def ahead_rows(project: Project, period: Period) -> pl.DataFrame | None:
    """The events of a period as they are accepted, or as the source tells them now; None where it does not."""
    scope = project.scope
    name = scope.events.source
    verdict = read_verdict(project, name, period.label)
    if verdict is not None and verdict.files.get("accepted"):
        return event_rows(project, look_back(project, period.label))
    delivery = sources.read_delivery(name, scope.event_source, period, project.root, project.cache)
    if delivery is None or sources.unlike(scope.event_source, delivery.rows) is not None:
        return None  # a batch that is not as declared is judged when it has come, and predicted once it is fixed
    rows = delivery.rows.select(list(scope.event_source.columns)).unique(maintain_order=True)
    rows = rows.filter(~rows.select(scope.key).is_duplicated())
    return with_predict_at(scope, with_known_at(name, scope.event_source, rows))


def _tables_ahead(
    project: Project, period: Period, now: datetime, ahead: Mapping[Period, pl.DataFrame]
) -> dict[str, pl.DataFrame]:
    """The source tables for the events of a period, cut to what is known as of now; the events' own reaches ahead."""
    scope = project.scope
    look = look_back(project, period.label)
    found = tables_of(project, look, now)
    name = scope.events.source
    have = {b.label for b in look.batches if b.source == name}
    more = [rows.select(found[name].columns) for p, rows in ahead.items() if p.label not in have and p <= period]
    found[name] = pl.concat([found[name], *more])
    return {n: as_known(rows, scope.sources[n], now) for n, rows in found.items()}


def _unlabelled(scope: Scope, table: pl.DataFrame) -> pl.DataFrame:
    return table.with_columns(pl.lit(None, dtype=kind).alias(name) for name, kind in label_columns(scope).items())


# ---- what a table follows from


def _key(project: Project, sql: str, look: LookBack) -> str:
    """A hash of everything that decides on a table."""
    scope = project.scope
    said = {
        "sql": sql,
        "code": work_hash("homeostat.features.build"),
        "look": str(look),
        "sources": {name: source.model_dump(mode="json") for name, source in scope.sources.items()},
        "events": scope.events.model_dump(mode="json"),
        "history": scope.features.history.total_seconds(),
        "objectives": {
            name: objective.model_dump(mode="json", include={"label", "where", "known", "group"})
            for name, objective in scope.objectives.items()
        },
        "given": [scope.evaluation.slices, scope.training.baseline.model_dump(mode="json")],
        "needed": listed(scope),
    }
    return parquet.digest(json.dumps(said, default=str).encode())


def build_window(project: Project) -> str:
    """Make the features of every batch of the window; take out those that it does not call for; a line on them."""
    wanted = [p.label for p in periods(project, project.scope.events.source)]
    project.features.mkdir(parents=True, exist_ok=True)
    for path in sorted(project.features.iterdir()):
        if path.stem not in wanted and path.name != ".gitignore":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            print(f"removed features/{path.name}: the window does not call for it")
    events = sum(_events_in(featurize(project, label)) for label in wanted)
    verdicts = [read_verdict(project, project.scope.events.source, label) for label in wanted]
    if not events and any(v.rows_accepted for v in verdicts if v):
        raise ScopeError(
            "params.yaml: events.predict_at: no event is known before it is predicted, so none has features; predict "
            f"later, or say in sources.{project.scope.events.source}.known_at that the row is known earlier"
        )
    return f"features: {events} events in {len(wanted)} batches"


def _events_in(path: Path) -> int:
    return pl.scan_parquet(path).select(pl.len()).collect().item()
