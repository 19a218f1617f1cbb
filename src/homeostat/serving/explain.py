"""One prediction derived again: release, request, each feature and its contribution, weights, decision.

A computed prediction names the tables that it was made from, so it is recomputed from just these; one from the loop or
from a batch is recomputed from the accepted batches as they are now, and the result says whether it is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from homeostat.core.errors import HomeostatError, UsageError
from homeostat.features.build import FeatureTables
from homeostat.models.contributions import Contributions, contributions
from homeostat.releases.registry import Registry
from homeostat.serving import prediction_log
from homeostat.serving.context import Context, restore_tables
from homeostat.serving.precomputed import answers
from homeostat.training import bundle as bundles

if TYPE_CHECKING:
    from homeostat.project.layout import Project
    from homeostat.training.bundle import Bundle

TOP = 12  # features shown for an objective: those of the largest contributions


@dataclass(frozen=True)
class Explained:
    """A prediction as it was given, and as it is derived now."""

    entry: Mapping[str, Any]
    bundle: Bundle
    row: pl.DataFrame | None  # the event's features
    scores: tuple[float, ...] | None
    risk: float | None
    alert: bool | None
    parts: Mapping[str, Contributions | None]
    lacking: str = ""  # why it could not be derived
    beside: Sequence[Mapping[str, Any]] = ()  # log lines: scores of a shadow, or why a challenger could not answer

    @property
    def same(self) -> bool:
        """Whether it is derived to the last bit."""
        given = (tuple(self.entry["scores"]), self.entry["risk"], self.entry["alert"])
        return (self.scores, self.risk, self.alert) == given


def explain(project: Project, name: str) -> Explained:
    """Derive a prediction of the log again.

    Raises:
        UsageError: there is no such prediction.
        HomeostatError: its release is missing.
    """
    entry = prediction_log.find(project, name)
    if entry is None:
        raise UsageError(f"{name}: no such prediction in the log; an answer of /predict gives each its id")
    bundle, beside = Registry.open(project).load(entry["release"]), prediction_log.lines_about(project, name)
    try:
        row = _features(project, bundle, entry)
    except HomeostatError as error:
        return Explained(entry, bundle, None, None, None, None, {}, str(error), beside)
    (answer,) = answers(
        bundle, bundles.score(bundle, row, baselines=False), [_time(entry["as_of"])], entry["how"], [""]
    )
    parts = {objective: contributions(model, row) for objective, model in bundle.models.items()}
    return Explained(entry, bundle, row, answer.scores, answer.risk, answer.alert, parts, beside=beside)


def _features(project: Project, bundle: Bundle, entry: Mapping[str, Any]) -> pl.DataFrame:
    """The one row of features that the prediction was made from."""
    as_of = _time(entry["as_of"])
    if entry["how"] in ("computed", "ahead"):
        context, tables = restore_tables(project, entry["context"])
        return context.features_from(bundle.sql, tables, _given(context, entry), as_of)
    context = Context(project, as_of)
    rows = _given(context, entry)
    if entry["how"] == "features" or entry["as_of"] == entry["predict_at"]:
        sql = None if bundle.sql == context.sql else bundle.sql
        table = FeatureTables(context.point.workspace).of(entry["context"], sql)
        return table.join(rows.select(context.scope.key), list(context.scope.key), "semi", nulls_equal=True)
    return context.features(bundle.sql, rows, as_of)[0]


def _given(context: Context, entry: Mapping[str, Any]) -> pl.DataFrame:
    """The event as it was requested."""
    columns = context.scope.event_source.columns
    if len(columns) != len(entry["given"]):
        raise UsageError(
            f"{entry['id']}: the columns of the event source have changed since; look at {entry['release']}'s commit"
        )
    pairs = zip(columns.items(), entry["given"], strict=True)
    return context.events_of_request({
        name: [_time(value) if kind == "time" and value is not None else value] for (name, kind), value in pairs
    })  # fmt: skip


def lines(explained: Explained) -> Iterator[str]:
    """The explanation, for a person."""
    entry, scope = explained.entry, explained.bundle.scope
    yield f"prediction {entry['id']}  at {entry['at']}, as of {entry['as_of']}, {_HOW[entry['how']]}"
    yield f"release    {entry['release']} (event {entry['event']}, bundle {entry['bundle'][:12]})"
    yield from _beside(explained)
    yield f"event      {entry['event_time']}, needed by {entry['predict_at']}: {_plain(entry['given'])}"
    if explained.row is None:
        yield f"it cannot be derived again: {explained.lacking}"
        return
    for (name, objective), score in zip(scope.objectives.items(), entry["scores"], strict=True):
        yield f"{name}: score {score!r} times weight {objective.weight:g}"
        yield from _parts(explained, name)
    decision = entry.get("decision") or ("alert" if entry["alert"] else "no alert")  # older answers carried none
    yield f"risk       {entry['risk']!r} against the cost of an alert, {scope.costs.alert:g}: {decision}"
    if "reason" in entry:
        yield f"reason     {entry['reason']}"
    if explained.same:
        yield "recomputed to the last bit"
    else:
        yield f"RECOMPUTED DIFFERENTLY: scores {explained.scores}, risk {explained.risk!r}, alert {explained.alert}"
        if entry["how"] not in ("computed", "ahead"):
            yield "the accepted batches or the source have changed since the loop made it"


def _beside(explained: Explained) -> Iterator[str]:
    for line in explained.beside:
        if "error" in line:
            yield f"challenger {line['release']} could not answer: {line['error']}"
        else:
            pairs = zip(explained.bundle.scope.objectives, line["scores"], strict=False)
            scores = ", ".join(f"{name} {score!r}" for name, score in pairs)
            yield f"challenger {line['release']} in shadow: {scores}"


def _parts(explained: Explained, name: str) -> Iterator[str]:
    assert explained.row is not None
    values = explained.row.row(0, named=True)
    parts = explained.parts[name]
    if parts is None:
        for feature in explained.bundle.models[name].features:
            yield f"  {feature} = {values[feature]!r}"
        return
    yield f"  {parts.base:+.4f}  base value"
    ordered = sorted(parts.by_feature.items(), key=lambda pair: -abs(pair[1]))
    for feature, part in ordered[:TOP]:
        yield f"  {part:+.4f}  {feature} = {values[feature]!r}"
    if rest := ordered[TOP:]:
        yield f"  {sum(part for _, part in rest):+.4f}  {len(rest)} other features"
    on = " before the sigmoid" if explained.bundle.scope.objectives[name].task == "binary" else ""
    yield f"  {parts.total:+.4f}  in total{on}"


_HOW = {
    "computed": "computed on request", "ahead": "computed ahead of the request", "prediction": "made by the loop",
    "features": "from a batch's feature row",
}  # fmt: skip


def _plain(values: list[Any]) -> str:
    return ", ".join("-" if value is None else str(value) for value in values)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
