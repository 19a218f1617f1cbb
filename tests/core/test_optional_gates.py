"""Gates that a scope may add: the floor and the gap of slices, and budgets."""

from __future__ import annotations

import pytest

from homeostat.core.evaluation import Compared, Comparison
from homeostat.core.findings import TOO_FEW, Outcome
from homeostat.core.intervals import Measure
from homeostat.core.optional_gates import slice_floor, slice_gap, within_budget
from homeostat.core.sentences import sentence


def against(**slices: tuple[float, float, float] | None) -> Comparison:
    """By slice the share that the loss lies above the baseline's, with its interval; None: too few rows."""
    parts = {
        value: Compared(20) if share is None else Compared(500, 0.4, 0.5, Measure(*share))
        for value, share in slices.items()
    }
    return Comparison("log_loss", 200, Compared(1000), {"port": parts})


@pytest.mark.parametrize(
    ("slices", "floor", "outcome", "worst"),
    [
        ({"a": (-0.20, -0.25, -0.15), "b": (-0.10, -0.15, -0.05)}, 0.05, "pass", "b"),
        ({"a": (-0.20, -0.25, -0.15), "b": (-0.01, -0.09, 0.07)}, 0.05, "pass", "b"),  # not significantly short of it
        ({"a": (-0.20, -0.25, -0.15), "b": (-0.01, -0.04, 0.02)}, 0.05, "fail", "b"),
        ({"a": (0.03, 0.01, 0.05), "b": (0.30, -0.10, 0.70)}, 0.0, "fail", "a"),  # b is worse, by chance
        ({"a": (0.03, 0.01, 0.05)}, -0.04, "pass", "a"),  # a floor below 0 leaves room above the baseline
        ({"a": None}, 0.0, TOO_FEW, ""),
    ],
)
def test_no_slice_lies_below_the_floor(
    slices: dict[str, tuple[float, float, float] | None], floor: float, outcome: Outcome, worst: str
) -> None:
    finding = slice_floor("late", against(**slices), floor, 0.95)
    assert (finding.outcome, finding.facts.get("slice", "")) == (outcome, worst)
    assert ("significantly short of" in sentence(finding)) == (outcome == "fail")
    assert outcome == TOO_FEW or f"log loss in port {worst} is" in sentence(finding)


@pytest.mark.parametrize(
    ("slices", "limit", "outcome"),
    [
        ({"a": (-0.20, -0.25, -0.15), "b": (-0.10, -0.12, -0.05)}, 0.05, "fail"),
        ({"a": (-0.20, -0.25, -0.15), "b": (-0.10, -0.12, -0.05)}, 0.15, "pass"),
        ({"a": (-0.20, -0.25, -0.11), "b": (-0.10, -0.12, -0.05)}, 0.05, "pass"),  # the intervals touch
        ({"a": (-0.20, -0.25, -0.15), "b": None}, 0.05, TOO_FEW),
    ],
)
def test_two_slices_may_differ_by_so_much(
    slices: dict[str, tuple[float, float, float] | None], limit: float, outcome: Outcome
) -> None:
    finding = slice_gap("late", against(**slices), limit)
    assert finding.outcome == outcome
    if outcome != TOO_FEW:
        assert finding.value == pytest.approx(0.1)
        assert "differs by 10 % between port a and b, " in sentence(finding)


def test_a_gap_that_is_wider_by_chance_hides_none_that_is_significant() -> None:
    slices = {"a": (-0.20, -0.25, -0.15), "b": (-0.10, -0.12, -0.05), "c": (0.30, -0.60, 0.90)}
    finding = slice_gap("late", against(**slices), 0.05)
    assert finding.failed and (finding.facts["best"], finding.facts["worst"]) == ("a", "b")


def test_each_budget_is_a_finding_that_names_its_entry() -> None:
    limits = {"megabytes": 5.0, "make_seconds": 60.0}
    size, making = within_budget({"megabytes": 5.1, "score_seconds": 1.0, "make_seconds": 60.0}, limits)
    assert (size.name, size.outcome) == ("megabytes: budget", "fail")
    assert sentence(size) == "the bundle has 5.1 MB, more than 5 (release.budget.megabytes)"
    assert (making.name, making.outcome) == ("make_seconds: budget", "pass")
    assert sentence(making) == "the candidate took 60 s, from data to bundle, of 60 (release.budget.make_seconds)"
