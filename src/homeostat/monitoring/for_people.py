"""Events that the scores leave to a person (``costs.abstain``): of the loop's predictions and the service's answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from homeostat.core.event_decision import EventDecision
from homeostat.core.text import count
from homeostat.monitoring import outcomes
from homeostat.project.window import read_window
from homeostat.serving import prediction_log
from homeostat.training.event_decisions import DECIDED

if TYPE_CHECKING:
    from homeostat.project.layout import Project

ANSWER = "act on each or leave it; its outcome counts once its label is in, with the data or by POST /labels"


@dataclass(frozen=True)
class ForPeople:
    """An event that waits for a person; ``scores`` by objective."""

    key: tuple[Any, ...]
    event_time: datetime
    scores: dict[str, float]
    release: str


def waiting(project: Project) -> list[ForPeople]:
    """The events left to a person whose labels are not due yet, each once, in order of time."""
    scope = project.scope
    tree = outcomes.labelled(project)
    if scope.costs.abstain is None or not tree.window_file.is_file():
        return []
    since = read_window(tree).as_of - scope.events.label_horizon
    every = {one.key: one for one in (*_predicted(project, since), *_answered(project, since))}
    return sorted(every.values(), key=lambda one: (one.event_time, str(one.key)))


def lines(project: Project, last: int) -> Iterator[str]:
    """The list for a person: a line an event, the last ones, and how to answer."""
    events, names = waiting(project), project.scope.key
    if not events:
        return
    yield f"{count(len(events), 'event')} left to a person by costs.abstain: {ANSWER}"
    for one in events[-last:]:
        key = ", ".join(f"{name} {value}" for name, value in zip(names, one.key, strict=True))
        scores = ", ".join(f"{name} {score:.3f}" for name, score in one.scores.items())
        yield f"  {one.event_time:%Y-%m-%d %H:%M}  {key}: {scores} ({one.release})"
    if len(events) > last:
        yield f"  and {len(events) - last} before; --last {len(events)} lists them all"


def _predicted(project: Project, since: datetime) -> Iterator[ForPeople]:
    """Of the loop's prediction rows."""
    scope = project.scope
    table = outcomes.rows(project, since)
    if DECIDED not in table.columns:
        return
    left = table.filter(pl.col(DECIDED) == EventDecision.PERSON, pl.col("event_time") > since)
    scores = [f"score__{name}" for name in scope.objectives]
    for row in left.select(*scope.key, "event_time", "release", *scores).iter_rows():
        key, (event_time, release, *values) = row[: len(scope.key)], row[len(scope.key) :]
        yield ForPeople(key, event_time, dict(zip(scope.objectives, values, strict=True)), release)


def _answered(project: Project, since: datetime) -> Iterator[ForPeople]:
    """Of the service's answers."""
    scope = project.scope
    columns = scope.event_source.columns
    for line in prediction_log.lines_since(project, since):
        if line.get("decision") != EventDecision.PERSON or len(line["given"]) != len(columns):
            continue
        event_time = datetime.fromisoformat(line["event_time"])
        if event_time > since:
            given = dict(zip(columns, line["given"], strict=True))
            key = tuple(
                datetime.fromisoformat(given[name]) if columns[name] == "time" and given[name] else given[name]
                for name in scope.key
            )
            scores = dict(zip(scope.objectives, line["scores"], strict=False))
            yield ForPeople(key, event_time, scores, line["release"])
