"""Whether each feature earns its place: models without it, on the same held-out events, in loss and in money.

A group of ``features.groups`` is left out as a whole, since many features say the same; a feature of none by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from homeostat.core import costs
from homeostat.core.ml_test_score import EARNS, HARMS, NO_PAY, UNSHOWN
from homeostat.core.paired_losses import Paired, pair_costs
from homeostat.core.text import change, count, percent
from homeostat.features.tables import not_left_out, read_features
from homeostat.features.worth import write_worth
from homeostat.project.window import read_window
from homeostat.training.evaluate import alerts_of, blocks, compare_models, mature_labels, settings
from homeostat.training.train import Split, fit_model, labels_trusted_until, split

if TYPE_CHECKING:
    import polars as pl

    from homeostat.core.evaluation import Compared
    from homeostat.project.layout import Project
    from homeostat.project.scope import Scope

Scores = Mapping[str, np.ndarray]  # by objective, (n,) each, of all rows that are held out


@dataclass(frozen=True)
class Part:
    """Features that are left out together; ``cost`` of having them, for 1,000 events."""

    name: str
    features: frozenset[str]
    cost: float = 0.0


def parts_of(scope: Scope) -> list[Part]:
    """The groups of the scope, then every feature that is in none."""
    groups = [Part(name, frozenset(group.of), group.cost) for name, group in scope.features.groups.items()]
    grouped = {feature for part in groups for feature in part.features}
    every = dict.fromkeys(feature for objective in scope.objectives.values() for feature in objective.features)
    return groups + [Part(feature, frozenset([feature])) for feature in every if feature not in grouped]


def ablation(tree: Project) -> Iterator[str]:
    """A line a part: what each loss and the money of alerts would be without it, and whether it earns its place.

    The verdicts are kept on record, once all are there.

    Raises:
        DataError: no event is mature, or features or labels cannot be used.
    """
    scope, window = tree.scope, read_window(tree)
    until = labels_trusted_until(scope, window)
    table = read_features(tree, where=not_left_out(window.left_out))
    splits = {name: split(scope, name, table, until) for name in scope.objectives}
    start, end = (getattr(next(iter(splits.values())), side) for side in ("start", "end"))
    held = table.filter((table["event_time"] >= start) & (table["event_time"] < end))
    del table
    if held.is_empty():
        yield "nothing is held out to judge by: there is too little history"
        return
    whole = {name: _score(scope, name, rows, held) for name, rows in splits.items()}
    level = percent(scope.evaluation.confidence)
    yield f"without it, on {count(len(held), 'held-out event')}: loss by objective, cost of 1,000 events ({level} CI)"
    parts, verdicts = parts_of(scope), {}
    width = max(map(len, (part.name for part in parts)), default=0)
    for part in parts:
        *shown, verdicts[part.name] = _judged(scope, part, splits, held, whole, until)
        yield f"{part.name:{width}}  {'; '.join([*shown, verdicts[part.name]])}"
    write_worth(tree, verdicts)


def _judged(
    scope: Scope, part: Part, splits: Mapping[str, Split], held: pl.DataFrame, whole: Scores, until: datetime
) -> list[str]:
    """Each loss and the money without a part, and last the verdict on it."""
    without = dict(whole)
    for name, rows in splits.items():
        kept = tuple(f for f in scope.objectives[name].features if f not in part.features)
        if kept and kept != scope.objectives[name].features:
            objective = scope.objectives[name].model_copy(update={"features": kept})
            other = scope.model_copy(update={"objectives": {**scope.objectives, name: objective}})
            without[name] = _score(other, name, rows, held)
    touched = [name for name in whole if without[name] is not whole[name]]
    if not touched:
        return ["cannot be left out: an objective has no other feature"]
    ours, theirs = ({name: scores[name] for name in touched} for scores in (without, whole))
    compared = {name: one.overall for name, one in compare_models(scope, held, ours, theirs, until).items()}
    money = _money(scope, held, without, whole, until)
    shown = [f"{name} {_share(one)}" for name, one in compared.items()]
    return [*shown, f"cost {_cost(money)}", verdict(list(compared.values()), money, part.cost)]


def verdict(compared: list[Compared], money: Paired, cost: float) -> str:
    """Whether a part earns its place: a loss is significantly higher without it, and it saves more than it costs."""
    shares = [one.share for one in compared]
    helps = any(share.low is not None and share.low > 0 for share in shares)
    harms = any(share.high is not None and share.high < 0 for share in shares)
    saves = None if money.loss is None or money.other_loss is None else money.loss - money.other_loss
    if helps and cost and (saves is None or saves < cost):
        worth = "nothing that can be measured" if saves is None else f"{saves:,.1f}"
        return f"{NO_PAY}: it saves {worth} and costs {cost:,.1f}"
    if helps:
        return EARNS
    return f"{HARMS}: the loss is lower without it" if harms else UNSHOWN


def _score(scope: Scope, name: str, rows: Split, held: pl.DataFrame) -> np.ndarray:
    """The scores of the held-out events by a model that learned from the events before them."""
    return fit_model(scope, name, scope.training.model, rows, every=False).predict(held)


def _money(scope: Scope, held: pl.DataFrame, ours: Scores, theirs: Scores, until: datetime) -> Paired:
    """What an event costs under the alerts of each."""
    labels = mature_labels(scope, held, until)
    here = costs.is_labelled(labels)
    cost, other = (
        costs.cost_of_each(labels, alerts_of(scope, held, scores), scope.objectives, scope.costs.alert)[here]
        for scores in (ours, theirs)
    )
    return pair_costs(cost, other, blocks(scope, held)[here], settings(scope))


def _share(one: Compared) -> str:
    if one.share.value is None:
        return "too few events"
    within = "" if one.share.low is None else f" ({change(one.share.low)} to {change(one.share.high or 0.0)})"
    return f"{change(one.share.value)}{within}"


def _cost(money: Paired) -> str:
    if money.loss is None or money.other_loss is None or money.share is None:
        return "too few events"
    within = "" if money.low is None else f", {change(money.low)} to {change(money.high or 0.0)}"
    return f"{money.loss - money.other_loss:+,.1f} ({change(money.share)}{within})"
