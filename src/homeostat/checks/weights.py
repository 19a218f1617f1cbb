"""Other weights on the champion's held-out scores: what each would capture, cost and leave unserved."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from homeostat.adapters import dvc
from homeostat.adapters.parquet import read_table
from homeostat.core.costs import threshold
from homeostat.core.errors import UsageError
from homeostat.core.optional_gates import covers
from homeostat.core.oracle_share import BY_COSTS, ORACLE, Saved
from homeostat.core.sentences import sentence
from homeostat.core.text import percent
from homeostat.core.weight_sweep import Held, Point, points, sweep
from homeostat.features.tables import read_features
from homeostat.models.heuristic import GIVEN
from homeostat.project.scope_values import priced, with_values
from homeostat.project.whole_files import write_text
from homeostat.releases.registry import Registry, Serving
from homeostat.training import evaluate
from homeostat.training.event_decisions import filtered

if TYPE_CHECKING:
    from homeostat.core.intervals import Measure
    from homeostat.project.layout import Project
    from homeostat.project.scope import Scope

SCORES = "models/holdout_scores.parquet"


@dataclass(frozen=True)
class Swept:
    """The points of a sweep over held-out ``rows`` of the release in service; ``marked`` are weights by name."""

    serving: Serving
    rows: pl.DataFrame
    held: Held
    points: list[Point]
    marked: Mapping[str, Mapping[str, float]]


def swept(project: Project) -> Swept:
    """What other weights would do; prices are those of the folder's scope.

    Raises:
        UsageError: nothing is in service yet, or the scope has other objectives.
        EnvironmentFault: the cache lacks the champion's held-out scores.
    """
    serving = Registry.open(project).load_champion()
    if serving is None:
        raise UsageError("nothing serves yet, so there are no held-out scores; release a version first")
    scope = project.scope
    if set(serving.bundle.scope.objectives) != set(scope.objectives):
        raise UsageError(f"params.yaml: has other objectives than {serving.event.version}; wait for the next candidate")
    rows = _held_out(project, serving)
    held, price = _held(project, serving, rows), scope.costs
    theirs = {name: objective.weight for name, objective in serving.bundle.scope.objectives.items()}
    tried = points(scope.objectives)
    tried += [theirs] if theirs not in tried else []
    made = sweep(
        held, scope.objectives, tried, price.capacity, price.alert, scope.evaluation.min_slice, price.abstain
    )
    return Swept(serving, rows, held, made, {"params.yaml": tried[0], serving.event.version: theirs})


def page(project: Project, of: Swept) -> Iterator[str]:
    """The sweep, a line a point, the cheapest first; then what decisions by costs save."""
    scope, price, rows, serving = project.scope, project.scope.costs, of.rows, of.serving
    yield f"{len(rows):,} held-out events of {serving.event.version}, at most {price.capacity} alerts in each period"
    yield "captured: share of what happened that alerts reached; cost: by the weights of params.yaml, in the unit of"
    yield "costs.alert; saved: share of the cost without alerts; *: on the Pareto front of what is captured"
    yield ""
    yield from _table(of.points, of.marked)
    yield ""
    yield from _decided(scope, evaluate.saved_of(scope, rows, of.held.scores, _judged_at(serving)))
    alert = evaluate.alerts_of(scope, rows, of.held.scores)
    coverage = evaluate.coverage_of(scope, rows, of.held.scores, alert, _judged_at(serving))
    if coverage is not None:
        yield sentence(covers(coverage, scope.costs.abstain.most if scope.costs.abstain else 1.0))


def write(project: Project, values: Mapping[str, float]) -> Iterator[str]:
    """Set weights and costs in the folder's ``params.yaml``, its comments as they were; the change as a diff.

    Raises:
        UsageError, ScopeError: as ``with_values``.
    """
    path = project.root / "params.yaml"
    before = path.read_text(encoding="utf-8")
    after = with_values(before, values)
    if after == before:
        yield f"params.yaml: has {', '.join(f'{name}={priced(project.scope)[name]:g}' for name in values)} already"
        return
    write_text(after, path)
    yield from difflib.unified_diff(
        before.splitlines(), after.splitlines(), "params.yaml as it was", "params.yaml", n=0, lineterm=""
    )
    yield f"next: commit it to branch {project.scope.branch}, then homeostat run deployment (or promote weights)"


def _held_out(project: Project, serving: Serving) -> pl.DataFrame:
    """The rows of the champion's holdout with its judged scores of them."""
    from homeostat.project.layout import working_tree

    scores = read_table(dvc.restore_out(project.home, serving.event.commit, SCORES, project.cache / "holdout.parquet"))
    training = serving.bundle.training
    rows = evaluate.held_out(training, read_features(working_tree(project)))
    return rows.join(scores, on=list(project.scope.key), how="inner", nulls_equal=True, maintain_order="left")


def _judged_at(serving: Serving) -> datetime:
    """When the holdout of a release was judged: what was mature then counts."""
    return datetime.fromisoformat(serving.bundle.training["as_of"])


def _held(project: Project, serving: Serving, rows: pl.DataFrame) -> Held:
    scope = project.scope
    return Held(
        {name: rows[f"score__{name}"].to_numpy() for name in scope.objectives},
        evaluate.mature_labels(scope, rows, _judged_at(serving)), evaluate.periods(scope, rows),
        {column: rows[GIVEN + column].to_numpy() for column in scope.evaluation.slices}, filtered(rows),
    )  # fmt: skip


def _table(made: list[Point], marked: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    names = list(made[0].weights)
    heading = ["", *names, "alerts", *(f"{name} captured" for name in names), "cost", "saved", "worst slice", ""]
    lines = [heading]
    for point in sorted(made, key=lambda one: one.cost):
        worst, of = point.worst, [name for name, weights in marked.items() if weights == point.weights]
        lines.append([
            "*" if point.front else "", *(f"{point.weights[name]:g}" for name in names), f"{point.alerts:,}",
            *(percent(point.captured[name]) for name in names), f"{point.cost:,.0f}", percent(point.saved),
            f"{worst.column} {worst.value} {percent(worst.saved)}" if worst else "none is large enough",
            f"<- {', '.join(of)}" if of else "",
        ])  # fmt: skip
    yield from _aligned(lines)


def _decided(scope: Scope, saved: Mapping[str, Saved]) -> Iterator[str]:
    """What decisions by costs save of what an oracle would, beside other ways to decide, and the thresholds."""
    level = percent(scope.evaluation.confidence)
    if saved:
        yield f"share of the saving of an oracle, which knows the outcomes and has the same capacity ({level} CI):"
        lines = [["decided by", "alerts", "cost", "share", "less than by costs"]]
        for way, one in saved.items():
            behind = "" if way in (BY_COSTS, ORACLE) else _points(one.behind)
            lines.append([way, f"{one.alerts:,}", f"{one.cost:,.0f}", _points(one.share), behind])
        yield from _aligned(lines)
    for name, objective in scope.objectives.items():
        from_on = threshold(objective, scope.costs.alert)
        if from_on is not None:
            yield f"{name}: alone worth an alert above a score of {from_on:.3g}, by weight {objective.weight:g}"


def _points(share: Measure) -> str:
    if share.value is None:
        return "too few to say"
    within = "" if share.low is None else f" ({100 * share.low:.1f} to {100 * (share.high or 0):.1f})"
    return f"{100 * share.value:.1f} %{within}"


def _aligned(lines: list[list[str]]) -> Iterator[str]:
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    for line in lines:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
