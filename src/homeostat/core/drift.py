"""Rules over a stored drift record: how far the inputs and the scores have moved, and what is broken.

The record is what ``adapters/evidently.py`` writes. Inputs drift with the seasons while a model is well, so drift
explains and starts a decision; the action follows from losses on the same rows (``core/policy.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from homeostat.core.findings import EXPLAINS, TOO_FEW, Finding, Outcome
from homeostat.core.rules import Rule

SCORE = "score__"  # predictions among the columns: score__<objective>
P_VALUES = ("ks", "chisquare")  # methods whose score falls as columns move apart
LOST = ("gone", "empty")  # states of a column without any current value
FURTHEST = 3  # features that the finding on their share names
FURTHER = 1.25  # times as far as it moved between windows of the reference itself, up to which a column is as usual

Columns = Mapping[str, Mapping[str, Any]]  # of a record, by name


class DriftLimits(Protocol):
    """``drift_share`` is of columns, ``missing_rise`` of a column's values, ``score_drift`` as the method scores."""

    @property
    def drift_share(self) -> float: ...
    @property
    def score_drift(self) -> float: ...
    @property
    def missing_rise(self) -> float: ...


def drift_findings(record: Mapping[str, Any], limits: DriftLimits, evidence: str) -> list[Finding]:
    """Judge a stored record; ``evidence`` is its path.

    The limit of a feature stands in the record, beside its score: see ``column_limit``.
    """
    features = {c: v for c, v in record["columns"].items() if not c.startswith(SCORE)}
    scores = {c: v for c, v in record["columns"].items() if c.startswith(SCORE)}
    findings = [
        *(_score_drift(c, v, limits.score_drift) for c, v in scores.items()),
        *_missing(features, limits.missing_rise),
        _share(features, limits.drift_share),
        *_columns(features),
    ]
    return [replace(f, evidence=(evidence,)) for f in findings]


def chance_score(method: str, bins: int, current: int, reference: int) -> float | None:
    """The score to expect of unchanged data, from the number of values on each side; None for a p-value.

    PSI is then about chi-square, bins - 1 degrees of freedom, times the sum of the inverse sizes (Yurdakul and Naranjo,
    2020, Journal of Risk Model Validation 14); the Jensen-Shannon distance is the root of about an eighth of PSI.

    >>> round(chance_score("psi", bins=11, current=100, reference=100), 3)
    0.2
    """
    if method in P_VALUES:
        return None
    sizes = 1 / current + 1 / reference
    psi = max(bins - 1, 1) * sizes
    return {"psi": psi, "jensenshannon": (psi / 8) ** 0.5}.get(method, sizes**0.5)


def column_limit(method: str, limit: float, usual: Sequence[float]) -> float:
    """The limit of one column: the scope's, or what its own past windows showed where that is further off.

    ``usual``: how far windows of the reference lay from all before them. A feature that moves by construction (a day of
    history, a week's number, a trailing rate) moves so at all times, and that is no drift.

    >>> column_limit("psi", 0.5, [0.1, 0.2]), column_limit("psi", 0.5, [8.0, 9.2])
    (0.5, 11.5)
    >>> column_limit("ks", 0.05, [0.2, 0.01])
    0.01
    """
    if method in P_VALUES:
        return min(limit, *usual) if usual else limit
    return round(max([limit, *(FURTHER * score for score in usual)]), 6)


def column_outcome(column: Mapping[str, Any], limit: float) -> Outcome:
    """Whether one column has drifted; too few values to say where chance alone comes halfway to the limit.

    >>> column_outcome({"state": "compared", "method": "psi", "score": 0.3, "chance": 0.01}, 0.25)
    'fail'
    >>> column_outcome({"state": "compared", "method": "psi", "score": 0.3, "chance": 0.2}, 0.25)
    'too few to say'
    """
    if column["state"] in LOST:
        return "fail"
    score, chance = column["score"], column["chance"]
    if score is None or (chance is not None and chance > limit / 2):
        return TOO_FEW
    beyond = score < limit if column["method"] in P_VALUES else score > limit
    return "fail" if beyond else "pass"


def _score_drift(name: str, column: Mapping[str, Any], limit: float) -> Finding:
    outcome, score = column_outcome(column, limit), column["score"]
    if score is None:  # none at all: a release that has just begun to serve
        outcome = TOO_FEW
    objective, facts = name.removeprefix(SCORE), {"method": column["method"]}
    return Finding(Rule.SCORE_DRIFT, objective, outcome, score, limit, facts=facts)


def _missing(features: Columns, limit: float) -> list[Finding]:
    """Columns that lost their values: a feed, a join or a rename has broken."""
    rises = {name: column["missing"][0] - column["missing"][1] for name, column in features.items()}
    broken = [name for name, rise in rises.items() if features[name]["state"] in LOST or rise > limit]
    if not broken:
        return [Finding(Rule.MISSING, "", "pass", round(max(rises.values(), default=0.0), 6), limit)]
    return [
        Finding(
            Rule.MISSING, name, "fail", round(rises[name], 6), limit,
            facts={"state": features[name]["state"], "missing": list(features[name]["missing"])},
        )
        for name in broken
    ]  # fmt: skip


def _share(features: Columns, limit: float) -> Finding:
    outcomes = {name: column_outcome(column, column["limit"]) for name, column in features.items()}
    judged = [name for name, outcome in outcomes.items() if outcome != TOO_FEW]
    if not judged:
        return Finding(Rule.DRIFT_SHARE, "", TOO_FEW, None, limit, facts={"features": len(features)})
    drifted = _furthest_first(features, [name for name in judged if outcomes[name] == "fail"])
    share = len(drifted) / len(judged)
    facts = {"drifted": len(drifted), "judged": len(judged), "furthest": drifted[:FURTHEST]}
    return Finding(Rule.DRIFT_SHARE, "", "fail" if share > limit else "pass", round(share, 6), limit, facts=facts)


def _columns(features: Columns) -> Iterator[Finding]:
    """One finding a drifted feature: they explain, and start nothing."""
    drifted = [name for name, column in features.items() if column_outcome(column, column["limit"]) == "fail"]
    for name in _furthest_first(features, drifted):
        column = features[name]
        if column["score"] is not None:  # else it is among the missing values
            facts = {"method": column["method"]}
            yield Finding(Rule.COLUMN_DRIFT, name, EXPLAINS, column["score"], column["limit"], facts=facts)


def _furthest_first(features: Columns, names: list[str]) -> list[str]:
    """Columns without a score are the furthest; of p-values the smallest is."""

    def distance(name: str) -> tuple[float, str]:
        score = features[name]["score"]
        if score is None:
            return -float("inf"), name
        return (score if features[name]["method"] in P_VALUES else -score), name

    return sorted(names, key=distance)
