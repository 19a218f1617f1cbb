"""A linear model that learns online: begun by one fit, then each event once, in order of time, by river's optimiser.

The steps are AdaGrad's (Duchi, Hazan and Singer, 2011, Adaptive Subgradient Methods for Online Learning and Stochastic
Optimization): the more a weight has learned, the less it moves. Numbers are standardised, and categories coded, as the
first fit found them; a full retrain finds them again.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from homeostat.models import encoding, linear, stored
from homeostat.models.encoding import Feature
from homeostat.models.linear import Linear, Number, Term

if TYPE_CHECKING:
    import polars as pl

    from homeostat.project.objective_scope import Objective

KIND = "online"
ROWS = 10_000  # that are taken apart at a time
SCALE = ("median", "mean", "scale")  # of a number, as the first fit found it


@dataclass(frozen=True)
class Online(Linear):
    """``weights`` and ``squares`` (p,): of the intercept, then of each term in turn, and AdaGrad's memory of each.

    What they learn is a label less its ``level``, in units of ``spread``; of a binary label these are 0 and 1.
    ``until``: the time of the last event learned; the next is later.
    """

    weights: tuple[float, ...]
    squares: tuple[float, ...]
    level: float
    spread: float
    until: datetime

    @property
    def kind(self) -> str:
        return KIND

    def save(self, folder: Path) -> None:
        features = [
            feature.to_dict() | ({name: getattr(term, name) for name in SCALE} if isinstance(term, Number) else {})
            for feature, term in zip(self.encoded, self.terms, strict=True)
        ]
        learned = {"weights": self.weights, "squares": self.squares, "level": self.level, "spread": self.spread}
        body = {"kind": self.kind, "task": self.task, "until": self.until.isoformat(), **learned}
        stored.write(folder, body | {"features": features})


def fit(objective: Objective, table: pl.DataFrame, y: np.ndarray) -> Online:
    """Begin with the linear model of the labels ``y`` (n,) of the rows of ``table``, in order of ``event_time``.

    AdaGrad's memory is that of these rows at these weights, as if they had been learned one by one.
    """
    begun = linear.fit(objective, table, y)
    level, spread = (0.0, 1.0) if objective.task == "binary" else (float(y.mean()), float(y.std()) or 1.0)
    off = begun.predict(table) - y
    slopes = off if objective.task == "binary" else 2 * off / spread
    weights, squares = [begun.intercept - level], [float((slopes**2).sum())]
    for feature, term in zip(begun.encoded, begun.terms, strict=True):
        weights += [term.weight, term.missing] if isinstance(term, Number) else term
        squares += _squares(term, encoding.codes(feature, table), slopes)
    own, memory, last = tuple(weight / spread for weight in weights), tuple(squares), table["event_time"][-1]
    return weighted(Online(begun.task, 0.0, begun.encoded, begun.terms, own, memory, level, spread, last))


def _squares(term: Term, codes: np.ndarray, slopes: np.ndarray) -> list[float]:
    """The sums of squared gradients of a term's weights over rows with these codes (n,) and slopes (n,) of the loss."""
    absent = np.isnan(codes)
    if isinstance(term, Number):
        return [float(((slopes * values) ** 2).sum()) for values in (term.standard(codes), absent)]
    known = codes[~absent].astype(np.intp)
    squares: list[float] = np.bincount(known, slopes[~absent] ** 2, len(term)).tolist()
    return squares


def continued(parent: Online, rate: float, table: pl.DataFrame, y: np.ndarray) -> Online:
    """The parent, gone on with on rows later than all it has learned; itself where one class alone has come.

    These rows then wait, and are learned with those that come next.
    """
    if len(y) == 0 or (parent.task == "binary" and y.min() == y.max()):
        return parent
    return _learned(parent, rate, table, y)


def read(body: Mapping[str, Any]) -> Online:
    """The model that ``save`` wrote as ``body``."""
    encoded = tuple(Feature.from_dict(raw) for raw in body["features"])
    terms = tuple(_blank(feature, raw) for feature, raw in zip(encoded, body["features"], strict=True))
    weights, squares = (tuple(map(float, body[name])) for name in ("weights", "squares"))
    if not len(weights) == len(squares) == 1 + sum(map(linear.size, terms)):
        raise ValueError(f"{len(weights)} weights and {len(squares)} squares do not go with the features")
    level, spread, until = float(body["level"]), float(body["spread"]), datetime.fromisoformat(body["until"])
    return weighted(Online(str(body["task"]), 0.0, encoded, terms, weights, squares, level, spread, until))


def _blank(feature: Feature, raw: Mapping[str, Any]) -> Term:
    """The term of a feature without its weights."""
    if feature.categories is None:
        return Number(*(float(raw[name]) for name in SCALE))
    return (0.0,) * len(feature.categories)


def _learned(model: Online, rate: float, table: pl.DataFrame, y: np.ndarray) -> Online:
    """The model after each row in turn: one step down the slope of its loss."""
    from river.optim import AdaGrad, losses

    loss = losses.Log() if model.task == "binary" else losses.Squared()
    steps = AdaGrad(rate)
    steps.g2.update(enumerate(model.squares))
    weights: dict[Hashable, Any] = dict(enumerate(model.weights))
    labels = ((y - model.level) / model.spread).tolist()
    rows = chain.from_iterable(_values(model, part) for part in table.iter_slices(ROWS))
    for values, label in zip(rows, labels, strict=True):
        raw = sum(weights[place] * value for place, value in values.items())
        slope = loss.gradient(label, raw)
        steps.step(weights, {place: slope * value for place, value in values.items()})
    moved, squares = (tuple(of[place] for place in range(len(weights))) for of in (weights, steps.g2))
    return weighted(replace(model, weights=moved, squares=squares, until=table["event_time"][-1]))


def _values(model: Online, table: pl.DataFrame) -> Iterator[dict[int, float]]:
    """Row by row what each weight is multiplied by, by its place; those not there are 0."""
    columns: list[tuple[Sequence[int], list[float]]] = [([0] * len(table), [1.0] * len(table))]
    place = 1
    for feature, term in zip(model.encoded, model.terms, strict=True):
        codes = encoding.codes(feature, table)
        absent = np.isnan(codes)
        if isinstance(term, Number):
            columns.append(([place] * len(table), term.standard(codes).tolist()))
            columns.append(([place + 1] * len(table), absent.astype(float).tolist()))
        else:
            own = np.where(absent, 0, codes).astype(np.intp) + place
            columns.append((own.tolist(), (~absent).astype(float).tolist()))
        place += linear.size(term)
    places, values = (zip(*(column[side] for column in columns), strict=True) for side in (0, 1))
    for of_row, row in zip(places, values, strict=True):
        yield {place: value for place, value in zip(of_row, row, strict=True) if value}


def weighted(model: Online) -> Online:
    """The model with the terms and the intercept that its weights make."""
    weights = iter(model.weights)
    intercept = model.level + model.spread * next(weights)
    terms: list[Term] = []
    for term in model.terms:
        own = tuple(model.spread * next(weights) for _ in range(linear.size(term)))
        terms.append(replace(term, weight=own[0], missing=own[1]) if isinstance(term, Number) else own)
    return replace(model, intercept=intercept, terms=tuple(terms))
