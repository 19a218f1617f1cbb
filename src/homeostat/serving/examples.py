"""Example events and labels with the answers to them, which can be asked as they stand."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import polars as pl
from pydantic_core import from_json, to_json

from homeostat.adapters.parquet import read_table
from homeostat.serving.batching import computed
from homeostat.serving.prediction_log import entry, prediction_id
from homeostat.serving.requests import Refused
from homeostat.training import golden

if TYPE_CHECKING:
    from homeostat.serving.answer import Answer
    from homeostat.serving.state import State

EXAMPLES = 2
WHOLE = (timedelta(days=7), timedelta(days=1), timedelta(hours=1))  # moved by so much, an event keeps its weekday, hour
Pairs = list[tuple["Answer", tuple[Any, ...]]]  # each answer with the visible columns of its event


def prediction_example(state: State) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Events that come next, or else golden ones of the release; and the answer to them."""
    columns = [state.shapes.columns[n] for n in state.shapes.visible_at]
    pairs = _upcoming(state) or _golden(state, columns)
    events = _listed(columns, (values for _, values in pairs))
    given = state.shapes.events(to_json({"events": events})) if events else []
    event, key, objectives = state.live.event, state.context.scope.key, list(state.live.bundle.scope.objectives)
    predictions = [
        {
            "id": prediction_id(entry(event, answer, columns_sent)), "key": dict(zip(key, answer.key, strict=True)),
            "event_time": answer.event_time, "predict_at": answer.predict_at, "as_of": answer.as_of,
            "scores": dict(zip(objectives, answer.scores, strict=True)), "risk": answer.risk, "alert": answer.alert,
            "decision": answer.decision, "reason": answer.reason, "how": answer.how,
        }
        for (answer, _), columns_sent in zip(pairs, given, strict=True)
    ]  # fmt: skip
    body = {"release": event.version, "bundle": event.bundle, "event": event.number, "worker": 1}
    return from_json(to_json(events)), from_json(to_json(body | {"predictions": predictions}))


def label_example(state: State) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Labels of recent events, or else of golden ones; and the answer where they are new."""
    scope, now = state.context.scope, state.context.now
    golden_events = state.live.bundle.golden.head(EXAMPLES).select(*scope.key, "event_time").iter_rows()
    past = [(a.event_time, a.key) for a in state.precomputed.answers.values() if a.event_time <= now]
    recent = sorted(past, key=itemgetter(0))[-EXAMPLES:]
    events = recent or [(row[-1], row[:-1]) for row in golden_events]
    objective = next(iter(scope.objectives))
    labels = [{"event": dict(zip(scope.key, k, strict=True)), "objective": objective, "value": 0} for _, k in events]
    late = [now > time + scope.events.label_horizon for time, _ in events]
    return from_json(to_json(labels)), [{"status": "kept", "late": one} for one in late]


def _upcoming(state: State) -> Pairs:
    """Precomputed answers, those of future events first."""
    precomputed, now = state.precomputed, state.context.now
    pairs = [
        (answer, precomputed.visible[key])
        for key, answer in precomputed.answers.items()
        if precomputed.find(key, precomputed.visible[key], now) is answer
    ]
    return sorted(pairs, key=lambda one: (one[0].predict_at < now, abs(one[0].predict_at - now)))[:EXAMPLES]


def _golden(state: State, columns: list[str]) -> Pairs:
    """The golden requests of the release, moved to the present where all its data are too old to be asked about."""
    path = state.live.bundle.folder / golden.REQUESTS
    if not path.is_file():
        return []
    requests = read_table(path).head(EXAMPLES)
    newest = state.context.events_of_request(requests.select(list(state.shapes.columns)).to_dict(as_series=False))
    behind: timedelta = state.context.now - newest["event_time"].max()  # type: ignore[operator, assignment]
    events = requests.select(columns)
    tried = (_moved(state, events, by) for by in (timedelta(0), *(behind // whole * whole for whole in WHOLE)))
    return next((pairs for pairs in tried if pairs), [])


def _moved(state: State, events: pl.DataFrame, by: timedelta) -> Pairs:
    """The events with all their times later ``by`` so much, and the answers computed now; none where it refuses."""
    source = state.context.scope.event_source
    times = [name for name in events.columns if source.columns[name] == "time"]
    moved = list(events.with_columns(pl.col(times) + by).iter_rows())
    try:
        given = state.shapes.events(to_json({"events": _listed(events.columns, moved)}))
        by_key = computed(state, given, state.context.now)
    except Refused:
        return []
    keys = [tuple(event[n] for n in state.shapes.key_at) for event in given]
    return [(by_key[key], values) for key, values in zip(keys, moved, strict=True)]


def _listed(columns: list[str], rows: Iterable[tuple[Any, ...]]) -> list[dict[str, Any]]:
    return [dict(zip(columns, values, strict=True)) for values in rows]
