"""The worth of freshness: how much lower the loss of a newer model of the same recipe is, pooled over comparisons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import fmean, stdev

from homeostat.core.findings import Finding, Interval
from homeostat.core.intervals import student
from homeostat.core.rules import Rule
from homeostat.core.text import change, confidence_interval, count, span

FEWEST = 4  # comparisons; fewer say nothing of how they differ


@dataclass(frozen=True)
class Refit:
    """A model newer by ``age`` against an older one of its recipe: its loss lies ``share`` above (below: < 0)."""

    objective: str
    age: timedelta
    share: float


def refits(gates: Iterable[tuple[timedelta, Sequence[Finding]]]) -> list[Refit]:
    """Those of stored gates, each with the age of the champion that it compared with."""
    compared = [(age, f) for age, gate in gates for f in gate if f.rule == Rule.NOT_WORSE and "share" in f.facts]
    return [
        Refit(f.subject, age, f.facts["share"])
        for age, f in compared
        if f.facts["share"] is not None and len(set(str(f.facts.get("recipes", "")).split())) == 1
    ]


def freshness(made: Iterable[Refit], confidence: float) -> str:
    """One line; empty where too few were compared.

    >>> day = timedelta(days=1)
    >>> freshness([Refit("late", 28 * day, share) for share in (-0.01, -0.02, -0.03, -0.02)], 0.95)
    'worth of freshness: a model 28 days newer has late -2 % (95 % CI -3.3 % to -0.7 %, 4 comparisons)'
    """
    by_objective: dict[str, list[Refit]] = {}
    for one in made:
        by_objective.setdefault(one.objective, []).append(one)
    enough = {name: of for name, of in by_objective.items() if len(of) >= FEWEST}
    if not enough:
        return ""
    age = timedelta(seconds=fmean(one.age.total_seconds() for of in enough.values() for one in of))
    return f"worth of freshness: a model {span(age)} newer has {', '.join(_parts(enough, confidence))}"


def _parts(enough: Mapping[str, Sequence[Refit]], confidence: float) -> list[str]:
    parts = []
    for name, of in enough.items():
        shares = [one.share for one in of]
        middle = fmean(shares)
        reach = student((1 - confidence) / 2, len(shares) - 1) * stdev(shares) / len(shares) ** 0.5
        interval = confidence_interval(Interval(middle - reach, middle + reach, confidence), change)
        parts.append(f"{name} {change(middle)}{interval[:-1]}, {count(len(shares), 'comparison')})")
    return parts
