"""A candidate beside the champion, on the same rows: losses of each objective and slice, and the endpoint."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from homeostat.adapters.parquet import digest
from homeostat.core import costs, metrics
from homeostat.core.errors import ScopeError
from homeostat.core.evaluation import parts_of
from homeostat.core.intervals import tidy
from homeostat.core.margins import Margin, draft_margin
from homeostat.core.paired_losses import Losses, Paired, pair_costs, pair_losses
from homeostat.core.promises import CALIBRATION, WindowFigures
from homeostat.core.release_gate import WEIGHTED_LOSS, PairedObjective
from homeostat.models.heuristic import GIVEN
from homeostat.training import evaluate

if TYPE_CHECKING:
    import polars as pl

    from homeostat.project.scope import Scope
    from homeostat.training.bundle import Bundle

Scores = Mapping[str, np.ndarray]  # by objective, (n,) each
RECIPE = {"task", "label", "where", "known", "features", "group"}  # of an objective; its weight trains nothing
# By kind of model, the parts of training that others do not read.
OF_KIND = {
    "heuristic": {"baseline"}, "linear": set(), "online": {"online"}, "lightgbm": {"lightgbm"},
    "combined": {"lightgbm", "weights"},
}  # fmt: skip


def recipe(bundle: Bundle) -> str:
    """What the models of a release are made by, whatever the data: features, labels, kinds and parameters; a hash.

    The code of this package is left out: a new version of it is no new recipe, and has to pass as a newer model does.
    """
    return _recipe(bundle.recipe, bundle.sql, bundle)


def is_made_alike(bundle: Bundle, scope: Scope, sql: str) -> bool:
    """Whether a scope and a features.sql make models by the recipe of a release; not, where its rung is gone."""
    try:
        return recipe(bundle) == _recipe(scope.on_rung(bundle.rung), sql, bundle)
    except ScopeError:
        return False


def _recipe(scope: Scope, sql: str, bundle: Bundle) -> str:
    kinds = {name: trained["kind"] for name, trained in bundle.training["objectives"].items()}
    read = {part for kind in kinds.values() for part in OF_KIND[kind]}
    unread = {"model", "calibrate", "ladder"} | ({part for parts in OF_KIND.values() for part in parts} - read)
    parts = {
        "sql": sql,
        "objectives": {name: objective.model_dump(include=RECIPE) for name, objective in scope.objectives.items()},
        "training": scope.training.model_dump(exclude=unread),
        "window": str(scope.windows.train),
        "kinds": kinds,
    }
    _, rule = scope.training.rules.get(f"sql__{bundle.rung}", ((), None))
    parts |= {"rule": rule.sql} if rule and rule.sql else {}
    own = {name: str(objective.train) for name, objective in scope.objectives.items() if objective.train is not None}
    parts |= {"windows": own} if own else {}
    return digest(json.dumps(parts, sort_keys=True).encode())


def same_models(candidate: Bundle, champion: Bundle) -> bool:
    """Whether the candidate's judged models are, byte for byte, the champion's judged ones or those in service."""
    ours = _bytes(candidate.folder / "judged")
    return any(ours == _bytes(champion.folder / kind) for kind in ("judged", "models"))


def _bytes(folder: Path) -> dict[str, bytes]:
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def margins(scope: Scope, training: Mapping[str, Any], windows: Sequence[WindowFigures]) -> dict[str, Margin]:
    """By objective the scope's own margin, or one drafted from past windows of the candidate's kind of model."""
    drafted = {}
    for name in scope.objectives:
        kind, loss = training["objectives"][name]["kind"], evaluate.metrics_of(scope, name)[0]
        alike = [w for w in windows if (w.objective, w.kind) == (name, kind)]
        drafted[name] = draft_margin(alike, loss, scope.release.not_worse, scope.monitoring.roll_back)
    return drafted | {name: Margin(share) for name, share in scope.release.margin.items()}


@dataclass(frozen=True)
class Pairing:
    """Scores of two models on the same feature rows; labels count that are mature by ``now``."""

    scope: Scope
    rows: pl.DataFrame
    scores: Scores
    other: Scores
    now: datetime

    @cached_property
    def labels(self) -> dict[str, np.ndarray]:
        return evaluate.mature_labels(self.scope, self.rows, self.now)

    @cached_property
    def block(self) -> np.ndarray:
        return evaluate.blocks(self.scope, self.rows)

    @cached_property
    def common(self) -> tuple[str, ...]:
        """The objectives that both score."""
        return tuple(name for name in self.scores if name in self.other)

    def objectives(self, but: Collection[str] = ()) -> dict[str, PairedObjective]:
        """The loss of each objective that is not in ``but``, overall and in each slice."""
        return {name: self._objective(name) for name in self.common if name not in but}

    def _objective(self, name: str) -> PairedObjective:
        losses, settings = self._losses(name), evaluate.settings(self.scope)
        rows, block = self.rows[losses.place], self.block[losses.place]

        def of(part: np.ndarray) -> Paired:
            return pair_losses([losses.part(part)], block[part], settings)

        slices = {
            column: {value: of(part) for value, part in parts_of(rows[GIVEN + column].to_numpy())}
            for column in self.scope.evaluation.slices
        }
        level = None
        if CALIBRATION in metrics.METRICS[losses.task]:
            level = tidy(metrics.value(losses.task, CALIBRATION, losses.y, losses.other))
        return PairedObjective(losses.loss, of(np.arange(len(rows))), slices, level)

    def endpoint(self, name: str) -> Paired:
        """``MONEY``: what an event costs under the alerts of each; ``WEIGHTED_LOSS``: all losses, added by weight."""
        scope, settings = self.scope, evaluate.settings(self.scope)
        if name == WEIGHTED_LOSS:
            weights = {objective: scope.objectives[objective].weight for objective in self.common}
            parts = [replace(self._losses(objective), weight=weight) for objective, weight in weights.items()]
            return pair_losses(parts, self.block, settings)
        here = costs.is_labelled(self.labels)
        cost, theirs = (self._cost(scores)[here] for scores in (self.scores, self.other))
        return pair_costs(cost, theirs, self.block[here], settings)

    def _cost(self, scores: Scores) -> np.ndarray:
        ours = {name: score for name, score in scores.items() if name in self.scope.objectives}
        alert = evaluate.alerts_of(self.scope, self.rows, ours)
        return costs.cost_of_each(self.labels, alert, self.scope.objectives, self.scope.costs.alert)

    def _losses(self, name: str) -> Losses:
        place = np.flatnonzero(~np.isnan(self.labels[name]))
        objective, loss = self.scope.objectives[name], evaluate.metrics_of(self.scope, name)[0]
        group = evaluate.groups(self.rows, name)[place] if objective.task == "ranking" else None
        y, score, other = (of[place] for of in (self.labels[name], self.scores[name], self.other[name]))
        return Losses(objective.task, loss, y, score, other, place, group)
