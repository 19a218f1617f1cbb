"""Gates that a scope may add to those of every release: coverage, slices, budgets. Each answers with a finding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from homeostat.core.fairness import ODDS, PARITY, Gap, Group, gap
from homeostat.core.findings import TOO_FEW, Finding, Interval, Outcome
from homeostat.core.rules import Rule

if TYPE_CHECKING:
    from homeostat.core.abstention import Coverage
    from homeostat.core.evaluation import Compared, Comparison


def covers(coverage: Coverage, most: float) -> Finding:
    """The share of held-out events that scores leave undecided is within the scope's limit."""
    money = coverage.rest
    facts = {"abstained": coverage.abstained, "then": coverage.then, "filtered": dict(coverage.filtered)}
    facts |= {"rows": money.rows, "cost": money.cost.value, "silence": money.silence}
    outcome: Outcome = "pass" if coverage.share <= most else "fail"
    return Finding(Rule.COVERAGE, "", outcome, coverage.share, most, rows=coverage.rows, facts=facts)


def slice_floor(objective: str, against: Comparison, floor: float, confidence: float) -> Finding:
    """In no slice the loss lies, significantly, less than ``floor`` below the baseline's (a share; below 0: above it).

    ``value`` is the share that it lies below in the worst slice. Intervals allow for how many slices there are.
    """
    judged = _judged(against)
    if not judged:
        return Finding(Rule.SLICE_FLOOR, objective, TOO_FEW, None, floor, facts={"loss": against.loss})
    low = [one for one in judged if (one[2].share.low or 0.0) > -floor]
    column, value, part = max(low or judged, key=lambda one: one[2].share.value or 0.0)
    facts = {"loss": against.loss, "column": column, "slice": value, "judged": len(judged), "worse": len(low)}
    outcome: Outcome = "fail" if low else "pass"
    return Finding(
        Rule.SLICE_FLOOR, objective, outcome, 0.0 - (part.share.value or 0.0), floor,
        Interval.of(part.share, confidence), rows=part.rows, facts=facts,
    )  # fmt: skip


def slice_gap(objective: str, against: Comparison, limit: float) -> Finding:
    """Between no two slices of a column the gain over the baseline differs by more than ``limit``, significantly.

    ``value`` is the largest difference of the shares that the loss lies below the baseline's.
    """
    judged = _judged(against)
    gaps = [_gap(one, other) for one in judged for other in judged if one[0] == other[0] and one[1] != other[1]]
    if not gaps:
        return Finding(Rule.SLICE_GAP, objective, TOO_FEW, None, limit, facts={"loss": against.loss})
    wide = [(gap, facts) for gap, facts in gaps if gap > limit and facts["apart"]]
    gap, facts = max(wide or gaps, key=lambda one: one[0])
    outcome: Outcome = "fail" if wide else "pass"
    return Finding(Rule.SLICE_GAP, objective, outcome, gap, limit, facts={"loss": against.loss, **facts})


def _gap(worse: tuple[str, str, Compared], better: tuple[str, str, Compared]) -> tuple[float, dict[str, object]]:
    """How far the gain of one slice lies below that of another of its column, and whether their intervals lie apart."""
    (column, worst, part), (_, best, other) = worse, better
    apart = (part.share.low or 0.0) > (other.share.high or 0.0)
    facts: dict[str, object] = {"column": column, "best": best, "worst": worst, "apart": apart}
    return (part.share.value or 0.0) - (other.share.value or 0.0), facts


def _judged(against: Comparison) -> list[tuple[str, str, Compared]]:
    """Column, value and comparison of each slice that has an interval."""
    every = [(column, value, part) for column, parts in against.slices.items() for value, part in parts.items()]
    return [one for one in every if one[2].share.low is not None and one[2].share.high is not None]


def fair(
    fairness: Mapping[str, Mapping[str, Group]], parity: float | None, odds: float | None
) -> Iterator[Finding]:
    """By column: no two groups differ by more than the limits, significantly, in the rates of alerts."""
    for column, groups in fairness.items():
        for rule, rates, limit in ((Rule.PARITY, PARITY, parity), (Rule.ODDS, ODDS, odds)):
            if limit is not None:
                yield _fair(rule, column, groups, gap(groups, rates), limit)


def _fair(rule: Rule, column: str, groups: Mapping[str, Group], gap: Gap | None, limit: float) -> Finding:
    if gap is None:
        return Finding(rule, column, TOO_FEW, None, limit)
    most, least = (getattr(groups[value], gap.rate).value for value in (gap.high, gap.low))
    facts = {"rate": gap.rate, "high": gap.high, "low": gap.low, "most": most, "least": least}
    outcome: Outcome = "fail" if gap.value > limit and gap.apart else "pass"
    rows = sum(group.rows for group in groups.values())
    return Finding(rule, column, outcome, gap.value, limit, rows=rows, facts=facts)


def within_budget(spent: Mapping[str, float], limits: Mapping[str, float]) -> Iterator[Finding]:
    """A finding for each entry of ``release.budget``, by its name there."""
    for name, limit in limits.items():
        yield Finding(Rule.BUDGET, name, "pass" if spent[name] <= limit else "fail", spent[name], limit)
