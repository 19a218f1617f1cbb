"""Logistic or ridge regression: fitted by scikit-learn, kept as JSON coefficients and scored by NumPy alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from homeostat.models import encoding, stored
from homeostat.models.encoding import Feature

if TYPE_CHECKING:
    import polars as pl
    from scipy.sparse import csr_matrix

    from homeostat.project.objective_scope import Objective

ROUNDS = 500  # of the solver, which stops by itself well before
FAR = 10.0  # standard deviations that a number counts for at most: one faulty value must not decide alone


@dataclass(frozen=True)
class Number:
    """A number's weight a standard deviation; where it is missing, it is the median, plus a weight of its own."""

    median: float
    mean: float
    scale: float
    weight: float = 0.0
    missing: float = 0.0

    def standard(self, values: np.ndarray) -> np.ndarray:
        """Distances from the mean in standard deviations; NaN is the median."""
        filled = np.where(np.isnan(values), self.median, values)
        with np.errstate(over="ignore"):
            return np.clip((filled - self.mean) / self.scale, -FAR, FAR)


Term = Number | tuple[float, ...]  # of a number, or a weight of each category


@dataclass(frozen=True)
class Linear:
    """``terms`` go with ``encoded`` one to one: a number's, or one weight for each category."""

    task: str
    intercept: float
    encoded: tuple[Feature, ...]
    terms: tuple[Term, ...]

    @property
    def kind(self) -> str:
        return "linear"

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(f.name for f in self.encoded)

    def predict(self, table: pl.DataFrame) -> np.ndarray:
        score = self.raw(table)
        return _sigmoid(score) if self.task == "binary" else score

    def raw(self, table: pl.DataFrame) -> np.ndarray:
        """The sum (n,), before any sigmoid."""
        score = np.full(len(table), self.intercept)
        for feature, term in zip(self.encoded, self.terms, strict=True):  # by column: BLAS would sum by batch size
            score += _contribution(term, encoding.codes(feature, table))
        return score

    def strongest(self, many: int) -> tuple[str, ...]:
        size = [abs(t.weight) if isinstance(t, Number) else max(map(abs, t), default=0.0) for t in self.terms]
        return tuple(self.features[n] for n in np.argsort(-np.array(size), kind="stable")[:many])

    def save(self, folder: Path) -> None:
        features = [
            feature.to_dict() | (asdict(term) if isinstance(term, Number) else {"weights": list(term)})
            for feature, term in zip(self.encoded, self.terms, strict=True)
        ]
        body = {"kind": self.kind, "task": self.task, "intercept": self.intercept}
        stored.write(folder, body | {"features": features})


def fit(objective: Objective, table: pl.DataFrame, y: np.ndarray) -> Linear:
    """Logistic regression for a binary label, ridge on the amount, or on the grade for ranking.

    The solver runs on one thread whatever the setting: more would change the order of its sums.
    """
    from threadpoolctl import threadpool_limits

    encoded = encoding.learn(objective.features, table)
    terms: list[Term] = []
    blocks: list[csr_matrix] = []
    for feature in encoded:
        term, block = _prepare(feature, encoding.codes(feature, table))
        terms.append(term)
        blocks.append(block)
    with threadpool_limits(1):
        intercept, weights = _solve(objective.task, blocks, y)
    ends = np.cumsum([block.shape[1] for block in blocks])
    parts = np.split(weights, ends[:-1])
    filled = tuple(_with_weights(term, part) for term, part in zip(terms, parts, strict=True))
    return Linear(objective.task, intercept, encoded, filled)


def read(body: Mapping[str, Any]) -> Linear:
    """The model that ``save`` wrote as ``body``."""
    encoded = tuple(Feature.from_dict(raw) for raw in body["features"])
    terms = tuple(_term(feature, raw) for feature, raw in zip(encoded, body["features"], strict=True))
    return Linear(str(body["task"]), float(body["intercept"]), encoded, terms)


def _term(feature: Feature, raw: Mapping[str, Any]) -> Term:
    if feature.categories is None:
        return Number(*(float(raw[k]) for k in ("median", "mean", "scale", "weight", "missing")))
    weights = tuple(float(w) for w in raw["weights"])
    if len(weights) != len(feature.categories):
        raise ValueError(f"{feature.name} has {len(feature.categories)} categories and {len(weights)} weights")
    return weights


def _contribution(term: Term, values: np.ndarray) -> np.ndarray:
    absent = np.isnan(values)
    if isinstance(term, Number):
        return term.weight * term.standard(values) + term.missing * absent
    weights = np.array([*term, 0.0])
    return weights[np.where(absent, len(term), values).astype(np.intp)]


def blank(feature: Feature, values: np.ndarray) -> Term:
    """The term of a feature with the codes ``values`` (n,), without its weights."""
    return _standardised(values[~np.isnan(values)]) if feature.categories is None else (0.0,) * len(feature.categories)


def size(term: Term) -> int:
    """How many weights a term has."""
    return 2 if isinstance(term, Number) else len(term)


def _prepare(feature: Feature, values: np.ndarray) -> tuple[Term, csr_matrix]:
    """The term without its weights, and the columns that they are fitted to."""
    from scipy.sparse import csr_matrix

    term, absent = blank(feature, values), np.isnan(values)
    if isinstance(term, Number):
        return term, csr_matrix(np.column_stack([term.standard(values), absent]))
    present = np.flatnonzero(~absent)
    ones = np.ones(len(present))
    shape = (len(values), len(term))
    return term, csr_matrix((ones, (present, values[present].astype(np.intp))), shape=shape)


def _standardised(known: np.ndarray) -> Number:
    """Median, mean and spread of what is known; a number that does not vary is nothing whatever its value."""
    median = float(np.median(known)) if len(known) else 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        mean, spread = (float(known.mean()), float(known.std())) if len(known) else (0.0, 0.0)
    if np.isfinite(spread) and spread > 1e-12 * max(1.0, abs(mean)):
        return Number(median, mean, spread)
    return Number(median, median, 1.0)


def _with_weights(term: Term, weights: np.ndarray) -> Term:
    if isinstance(term, Number):
        return Number(term.median, term.mean, term.scale, float(weights[0]), float(weights[1]))
    return tuple(weights.tolist())


def _solve(task: str, blocks: list[csr_matrix], y: np.ndarray) -> tuple[float, np.ndarray]:
    import warnings

    from scipy.sparse import hstack
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression, Ridge

    x = hstack(blocks, format="csr")
    solver = (
        LogisticRegression(max_iter=ROUNDS, tol=1e-4)
        if task == "binary"
        else Ridge(alpha=1.0, solver="sparse_cg", max_iter=ROUNDS, tol=1e-6)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the gate judges what came of it
        solver.fit(x, y)
    return float(np.ravel(solver.intercept_)[0]), np.ravel(solver.coef_).astype(np.float64)


def _sigmoid(score: np.ndarray) -> np.ndarray:
    small = np.exp(-np.abs(score))
    return np.where(score >= 0, 1.0, small) / (1.0 + small)
