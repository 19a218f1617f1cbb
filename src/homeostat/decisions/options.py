"""What each action of a decision is expected to cost: its version's alerts on the same mature events as the others'."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from homeostat.core import costs
from homeostat.core.findings import Action, Option
from homeostat.core.options import Costs, weigh_options
from homeostat.decisions.evidence import Candidate, Judge
from homeostat.decisions.pairing import Scores
from homeostat.decisions.session import Session
from homeostat.project.scope import Scope
from homeostat.releases.registry import Registry, Serving
from homeostat.training import bundle as bundles
from homeostat.training import evaluate


@dataclass(frozen=True)
class _Alternative:
    """A version that an action would put in service; ``scores`` (n,) are of all rows of the judge, NaN where none."""

    action: Action
    version: str
    scores: Scores


def expected_costs(
    session: Session, judge: Judge, previous: str, candidate: Candidate | None, now: datetime
) -> tuple[Option, ...]:
    """Keeping the champion, going back to ``previous``, the candidate, and the champion's own baseline.

    The rows are mature, and trained none of the models: the holdout of the candidate, where there is one.
    """
    scope, serving = session.tree.scope, session.registry.load_champion()
    assert serving is not None, "nothing serves"
    keep = _Alternative("nothing", serving.event.version, judge.scores(serving.bundle))
    others = [*_others(judge, session.registry, serving, previous), *_candidate(judge, candidate)]
    labels = evaluate.mature_labels(scope, judge.rows, now)
    both = [keep, *(one for one in others if set(scope.objectives) <= set(one.scores))]
    where = costs.is_labelled(labels) & (judge.rows["event_time"] > now - scope.monitoring.window).to_numpy()
    for one in both:
        where &= np.all([np.isfinite(one.scores[name]) for name in scope.objectives], axis=0)
    rows, mine = judge.rows.filter(where), {name: label[where] for name, label in labels.items()}
    measured = [_costs(scope, rows, mine, one, where) for one in both]
    return weigh_options(measured[0], measured[1:], evaluate.blocks(scope, rows), evaluate.settings(scope))


def _others(judge: Judge, registry: Registry, serving: Serving, previous: str) -> Iterator[_Alternative]:
    if previous:
        yield _Alternative("roll back", previous, judge.scores(registry.load(previous)))
    if not bundles.is_baseline(serving.bundle.training):
        yield _Alternative("fall back", "", judge.scores(serving.bundle, "baseline"))


def _candidate(judge: Judge, candidate: Candidate | None) -> Iterator[_Alternative]:
    if candidate is not None:
        yield _Alternative("retrain", candidate.gate.versions.candidate, judge.held_out_scores(candidate))


def _costs(
    scope: Scope, rows: pl.DataFrame, labels: dict[str, np.ndarray], one: _Alternative, where: np.ndarray
) -> Costs:
    scores = {name: one.scores[name][where] for name in scope.objectives}
    alert = evaluate.alerts_of(scope, rows, scores)
    return Costs(one.action, one.version, costs.cost_of_each(labels, alert, scope.objectives, scope.costs.alert))
