"""Which rung of a ladder is simple enough and good enough, and what is said of each."""

from __future__ import annotations

import pytest

from homeostat.core.findings import Finding
from homeostat.core.ladder import Standing, rung_findings, simplest
from homeostat.core.paired_losses import Paired
from homeostat.core.sentences import sentence

MARGIN = 0.02
Ends = tuple[float, float, float]  # share above the best's loss, with its ends


def standing(rung: str, ends: Ends, buys: float, below: str, best: str = "trees") -> Standing:
    share, low, high = ends
    money = Paired(900, 100 * (1 + buys), 100.0, buys, (), buys - 0.01, buys + 0.01)
    return Standing(rung, "linear", best, Paired(900, 1 + share, 1.0, share, (), low, high), below, money)


def ladder(rates: Ends, line: Ends) -> list[Standing]:
    return [
        standing("rates", rates, 0.0, "rates"), standing("line", line, -0.2, "rates"),
        standing("trees", (0.0, 0.0, 0.0), -0.03, "line"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rates", "line", "chosen"),
    [
        ((0.30, 0.25, 0.35), (0.010, 0.005, 0.015), "line"),  # within the margin for certain
        ((0.30, 0.25, 0.35), (0.010, -0.01, 0.030), "trees"),  # perhaps not
        ((0.005, 0.0, 0.01), (0.002, 0.0, 0.004), "rates"),  # the simplest of two that are
        ((0.30, 0.25, 0.35), (0.020, 0.015, 0.020), "trees"),  # the margin itself is too much
    ],
)
def test_the_simplest_that_is_not_worse_is_chosen(rates: Ends, line: Ends, chosen: str) -> None:
    assert simplest(ladder(rates, line), MARGIN) == chosen


def findings(used: str, refused: tuple[str, ...] = ()) -> dict[str, Finding]:
    standings = ladder((0.30, 0.25, 0.35), (0.010, -0.01, 0.030))
    return {f.subject: f for f in rung_findings(standings, MARGIN, 0.95, used, refused)}


def test_each_rung_is_told_with_what_it_buys() -> None:
    of = findings("trees")
    assert [of[name].outcome for name in ("rates", "line", "trees")] == ["explains", "too few to say", "pass"]
    assert "weighted loss 30 % above that of trees on 900 rows" in sentence(of["rates"])
    assert "cost 80.0, 20 % below the cost of rates (90 % CI -21 % to -19 %)" in sentence(of["line"])
    assert "which makes the candidate: the lowest weighted loss" in sentence(of["trees"])
    assert "3 % below the cost of line" in sentence(of["trees"])


def test_a_rung_that_was_refused_says_by_what() -> None:
    of = findings("line", ("better than champion",))
    assert "its gate refused it: better than champion" in sentence(of["trees"])
    assert "refused" not in sentence(of["line"])
