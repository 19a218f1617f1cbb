"""The worth of freshness, from gates as they are on record."""

from __future__ import annotations

from datetime import timedelta

import pytest

from homeostat.core.findings import Finding
from homeostat.core.freshness import Refit, freshness, refits
from homeostat.core.rules import Rule

WEEK = timedelta(days=7)


def compared(share: float | None, recipes: str = "a a", rule: Rule = Rule.NOT_WORSE) -> Finding:
    return Finding(rule, "late", "pass", share, 0.02, facts={"share": share, "recipes": recipes})


@pytest.mark.parametrize(
    ("finding", "counts"),
    [
        (compared(-0.01), True),
        (compared(0.02), True),
        (compared(None), False),  # too few rows to compare
        (compared(-0.3, "a b"), False),  # another recipe is no newer model of this one
        (compared(-0.3, ""), False),  # on record before recipes were
        (compared(-0.3, rule=Rule.BEATS_BASELINE), False),
    ],
)
def test_comparisons_of_one_recipe_count(finding: Finding, counts: bool) -> None:
    assert refits([(WEEK, (finding,))]) == ([Refit("late", WEEK, finding.value or 0.0)] if counts else [])


def test_too_few_comparisons_say_nothing_of_an_objective() -> None:
    late, rare = ([Refit(name, WEEK, -0.01 * n) for n in range(many)] for name, many in (("late", 5), ("rare", 3)))
    line = freshness([*late, *rare], 0.95)
    assert line.startswith("worth of freshness: a model 7 days newer has late -2 % (95 % CI ") and "rare" not in line
    assert line.endswith("5 comparisons)")
    assert freshness(rare, 0.95) == ""
