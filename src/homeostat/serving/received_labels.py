"""The labels that the service has received, put on record as amendments, so that training and monitoring read them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from homeostat.core.periods import period_containing
from homeostat.data.casts import TYPES
from homeostat.data.label_amendments import (
    OBJECTIVE,
    RECEIVED,
    VALUE,
    amend_labels,
    read_label_amendments,
    received_labels,
)
from homeostat.serving import jsonl, paths
from homeostat.serving.label_log import event_times
from homeostat.serving.requests import Label

if TYPE_CHECKING:
    from homeostat.project.layout import Project
    from homeostat.project.scope import Scope

WHO = "/labels"
BATCH = "__batch"  # of an event, where it follows from its key


def amend_with_received(tree: Project, now: datetime) -> list[str]:
    """Put on record the labels received by ``now`` that are not yet, of events that have features; then a sentence for
    each batch in which some differ from the source's own.

    A label of an event that no batch has brought yet waits in the journal.

    Raises:
        DataError: an amendment is damaged.
    """
    rows = _received(tree, now)
    if rows is None:
        return []
    before = read_label_amendments(tree)
    done = received_labels(tree, before)
    key = [*tree.scope.key, OBJECTIVE]
    rows = rows if done is None else _without(rows, done, [*key, VALUE])
    for batch, events in _batches(tree, rows):
        own = _source_labels(tree, batch, events if done is None else _without(events, done, key))
        amend_labels(tree, batch, events, own.filter(pl.col(VALUE) != pl.col("source")).height, WHO, now)
    return [one.sentence for one in read_label_amendments(tree)[len(before) :] if one.differ]


def _without(rows: pl.DataFrame, others: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    return rows.join(others, on=key, how="anti", nulls_equal=True)


def _received(tree: Project, now: datetime) -> pl.DataFrame | None:
    """The key of each event, objective, value, and when it was received: the last of each; None where there is none."""
    path = paths.labels(tree)
    scope = tree.scope
    entries = [entry for entry in (jsonl.read(path) if path.is_file() else ()) if _usable(scope, entry)]
    last = {(entry["objective"], json.dumps(entry["key"])): entry for entry in entries}
    came = [entry for entry in last.values() if datetime.fromisoformat(entry["at"]) <= now]
    if not came:
        return None
    columns: dict[str, pl.Series] = {}
    for place, name in enumerate(scope.key):
        kind = scope.event_source.columns[name]
        values = [_value(kind, entry["key"][place]) for entry in came]
        columns[name] = pl.Series(name, values, TYPES[kind], strict=False)
    return pl.DataFrame(columns).with_columns(
        pl.Series(OBJECTIVE, [entry["objective"] for entry in came], pl.String),
        pl.Series(VALUE, [float(entry["value"]) for entry in came], pl.Float64),
        pl.Series(RECEIVED, [datetime.fromisoformat(entry["at"]) for entry in came], pl.Datetime("us")),
    )


def _usable(scope: Scope, entry: dict[str, Any]) -> bool:
    """Whether a label is of an event and an objective that the scope has now: it may have been another then."""
    return entry["objective"] in scope.objectives and len(entry["key"]) == len(scope.key)


def _value(kind: str, value: Any) -> Any:
    return datetime.fromisoformat(value) if kind == "time" and value is not None else value


def _batches(tree: Project, rows: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """The rows by the batch whose features hold their event; those of no batch are left out."""
    key, scope = list(tree.scope.key), tree.scope
    labels = [Label(event, "", 0.0, None) for event in rows.select(key).iter_rows()]
    times = event_times(scope, labels) if labels else []
    every, offset = scope.events_period, scope.rhythm.offset
    named = ["" if time is None else period_containing(time, every, offset).label for time in times]
    rows = rows.with_columns(pl.Series(BATCH, named, pl.String))
    for path in sorted(tree.features.glob("*.parquet")):
        here = rows.filter(pl.col(BATCH).is_in(["", path.stem]))
        if not here.is_empty():
            events = pl.read_parquet(path, columns=key)
            here = here.join(events, on=key, how="semi", nulls_equal=True).drop(BATCH)
            if not here.is_empty():
                yield path.stem, here


def _source_labels(tree: Project, batch: str, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows whose event has a label of its source, with that as ``source``."""
    key = list(tree.scope.key)
    names: Sequence[str] = [f"label__{name}" for name in tree.scope.objectives]
    table = pl.read_parquet(tree.features / f"{batch}.parquet", columns=[*key, *names])
    own = table.unpivot(names, index=key, variable_name=OBJECTIVE, value_name="source").drop_nulls("source")
    own = own.with_columns(pl.col(OBJECTIVE).str.strip_prefix("label__"))
    return rows.join(own, on=[*key, OBJECTIVE], how="inner", nulls_equal=True)
