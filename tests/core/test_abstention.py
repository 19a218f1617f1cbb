"""Where scores decide nothing: costs that are about the same, and scores within a range."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.core.abstention import Coverage, abstained
from homeostat.core.costs import Money, threshold
from homeostat.core.findings import CANNOT_JUDGE, Outcome
from homeostat.core.intervals import Measure
from homeostat.core.release_gate import covers
from homeostat.core.sentences import sentence
from homeostat.core.weight_sweep import Reweighed

STAKES = {"late": Reweighed("binary", 4.0), "lost": Reweighed("binary", 12.0)}
NAN = float("nan")


@dataclass(frozen=True)
class Band:
    margin: float | None = None
    scores: dict[str, tuple[float, float]] = field(default_factory=dict)


@pytest.mark.parametrize(
    ("late", "lost", "band", "expected"),
    [
        (0.2, 0.0, Band(0.1), True),  # both cost 0.8
        (0.2, 0.0, Band(), False),
        (0.3, 0.0, Band(0.4), False),  # 1.2 against 0.7
        (0.3, 0.0, Band(0.6), True),
        (0.0, 0.0, Band(0.9), False),
        (0.1, 0.03, Band(0.15), True),  # 0.4 + 0.36 against 0.873: only together
        (0.3, 0.0, Band(scores={"late": (0.3, 0.4)}), True),
        (0.41, 0.35, Band(scores={"late": (0.3, 0.4)}), False),
        (0.41, 0.35, Band(scores={"late": (0.3, 0.4), "lost": (0.3, 0.4)}), True),
        (NAN, 0.5, Band(0.9, {"late": (0.0, 1.0)}), False),
    ],
)
def test_it_abstains_where_costs_are_close_or_a_score_lies_in_its_range(
    late: float, lost: float, band: Band, expected: bool
) -> None:
    scores = {"late": np.array([late]), "lost": np.array([lost])}
    assert abstained(scores, STAKES, 1.0, band).tolist() == [expected]


@given(st.floats(0.1, 50), st.floats(0.1, 50), st.floats(0, 1), st.floats(0.001, 1))
def test_a_margin_lies_around_the_threshold(weight: float, price: float, score: float, share: float) -> None:
    """By one objective, costs differ by the distance from the threshold times what both cost together."""
    stake = Reweighed("binary", weight)
    limit, margin = threshold(stake, price), share * price
    assert limit is not None
    apart = abs(score - limit) * (weight + price)
    if abs(apart - margin) > 1e-6:
        one = abstained({"late": np.array([score])}, {"late": stake}, price, Band(margin))
        assert one.tolist() == [apart < margin]


def coverage(abstained: int, then: str = "person", rows: int = 40) -> Coverage:
    money = Money(rows - abstained, 5, 1, {"late": 2}, Measure(9.0), 30.0)
    return Coverage(rows, {"charter": 3} if rows else {}, abstained, then if rows else "", money)


@pytest.mark.parametrize(("many", "most", "outcome"), [(4, 0.1, "pass"), (5, 0.1, "fail"), (40, 1.0, "pass")])
def test_a_release_may_leave_so_many_undecided(many: int, most: float, outcome: Outcome) -> None:
    finding = covers(coverage(many), most)
    assert finding.outcome == outcome != CANNOT_JUDGE
    assert finding.value == many / 40
    text = sentence(finding)
    assert "of 40 held-out events are left undecided (then: person)" in text
    assert f"save 70 % of the 30 of none on the {40 - many} others; filter charter takes out 3" in text
    assert Coverage.from_dict(coverage(many).to_dict()) == coverage(many)
