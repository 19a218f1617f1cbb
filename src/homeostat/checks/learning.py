"""The learning curve: how good a model is that learns from growing shares of the events, on the same held-out ones.

The shares are nested sets of whole blocks of events, drawn over the whole of history: they differ in how much there is
to learn from, not in how long ago it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from homeostat.core.text import change, count, metric_name, metric_value, percent
from homeostat.features.tables import not_left_out, read_features
from homeostat.project.window import read_window
from homeostat.training.evaluate import blocks, compare_models, evaluate_model
from homeostat.training.train import Split, fit_model, labels_trusted_until, split

if TYPE_CHECKING:
    from homeostat.core.evaluation import Comparison, Evaluation
    from homeostat.project.layout import Project
    from homeostat.project.scope import Scope

SHARES = (0.125, 0.25, 0.5, 1.0)  # each twice the one before, so that a step is one more doubling


def learning_curve(tree: Project) -> Iterator[str]:
    """A line an objective and share, then whether the last doubling of the events paid.

    Raises:
        DataError: no event is mature, or features or labels cannot be used.
    """
    scope, window = tree.scope, read_window(tree)
    table = read_features(tree, where=not_left_out(window.left_out))
    until = labels_trusted_until(scope, window)
    width = max(map(len, scope.objectives))
    for name in scope.objectives:
        rows = split(scope, name, table, until)
        if rows.held.is_empty():
            yield f"{name:{width}}  nothing is held out to judge it by: there is too little history"
            continue
        scores = {share: _score(scope, name, rows, share) for share in SHARES}
        for share, (learned, score) in scores.items():
            judged = evaluate_model(scope, rows.held, {name: score}, until)[name]
            yield f"{name:{width}}  {percent(share):>6}  {count(learned, 'event'):>14}  {_loss(judged)}"
        half, whole = ({name: scores[share][1]} for share in SHARES[-2:])
        yield f"{name:{width}}  {_verdict(compare_models(scope, rows.held, whole, half, until)[name])}"


def _score(scope: Scope, name: str, rows: Split, share: float) -> tuple[int, np.ndarray]:
    """How many events a share has, and the scores of the held-out ones by a model that learned from them."""
    part = replace(rows, learned=rows.learned & _drawn(scope, rows.every, share))
    return int(part.learned.sum()), fit_model(scope, name, scope.training.model, part, every=False).predict(rows.held)


def _drawn(scope: Scope, rows: pl.DataFrame, share: float) -> pl.Series:
    """Which rows lie in the first share of the blocks, in an order that the seed draws."""
    ids, codes = np.unique(blocks(scope, rows), return_inverse=True)
    place = np.random.default_rng(scope.seed).permutation(len(ids))
    return pl.Series(place[codes] < max(1, round(share * len(ids))))


def _loss(judged: Evaluation) -> str:
    measure = judged.metric(judged.loss)
    shown = metric_value({"value": measure.value, "low": measure.low, "high": measure.high})
    return f"{metric_name(judged.loss)} {shown}"


def _verdict(against: Comparison) -> str:
    """Whether the whole is better than half of it, on the same events."""
    share = against.overall.share
    if share.value is None or share.low is None or share.high is None:
        return "too few events are held out to say whether more data would help"
    step = f"from half of the events to all, {metric_name(against.loss)} is {change(share.value)}"
    step += f" ({change(share.low)} to {change(share.high)})"
    if share.high < 0:
        return f"more data would help: {step}"
    return f"more data alone would not help significantly: {step}; better features or another kind of model might"
