"""Weights and costs of a scope: which differ, and how they are written without a touch on anything else."""

from __future__ import annotations

import hourly
import pytest

from homeostat.core.errors import ScopeError, UsageError
from homeostat.project import scope
from homeostat.project.scope_values import changes, priced, with_prices, with_values

NOTED = hourly.PARAMS.replace(
    "costs: {alert: 1, capacity: 2}", "costs:\n  alert: 1   # the unit\n  capacity: 2  # what the desk can do"
)


def test_only_weights_and_costs_count_as_a_change() -> None:
    before = scope.parse(hourly.PARAMS)
    assert priced(before) == {"high": 2, "costs.alert": 1, "costs.capacity": 2}
    other = hourly.PARAMS.replace("weight: 2", "weight: 3.5").replace("capacity: 2", "capacity: 5")
    assert changes(before, scope.parse(other)) == {"high": (2, 3.5), "costs.capacity": (2, 5)}
    assert changes(before, scope.parse(hourly.PARAMS.replace("holdout: 12h", "holdout: 11h"))) == {}
    assert changes(before, scope.parse(hourly.PARAMS.replace("weight: 2", "weight: 2.0"))) == {}


ABSTAIN = "costs:\n  alert: 1\n  capacity: 3  # two more\n  abstain: {margin: 0.2, scores: {high: [0.1, 0.3]}}\n"


def test_a_section_that_came_or_went_is_a_change_and_is_taken_over_as_it_stands() -> None:
    other = hourly.PARAMS.replace("costs: {alert: 1, capacity: 2}\n", ABSTAIN).replace("weight: 2", "weight: 3")
    before, after = scope.parse(hourly.PARAMS), scope.parse(other)
    assert changes(before, after) == {
        "high": (2, 3), "costs.capacity": (2, 3), "costs.abstain.margin": (None, 0.2),
        "costs.abstain.scores.high": (None, "0.1 to 0.3"), "costs.abstain.then": (None, "person"),
        "costs.abstain.most": (None, 1.0),
    }  # fmt: skip
    assert with_prices(hourly.PARAMS, other) == other
    assert with_prices(other, hourly.PARAMS) == hourly.PARAMS
    elsewhere = other.replace("holdout: 12h", "holdout: 11h")
    assert with_prices(hourly.PARAMS, elsewhere) == other  # and nothing else of it
    assert with_values(other, {"costs.abstain.margin": 0.5}) == other.replace("margin: 0.2", "margin: 0.5")


def test_numbers_alone_are_written_in_their_place() -> None:
    other = hourly.PARAMS.replace("capacity: 2", "capacity: 4")
    assert with_prices(NOTED, other) == NOTED.replace("capacity: 2 ", "capacity: 4 ")


@pytest.mark.parametrize(
    ("values", "old", "new"),
    [
        ({"high": 3.5}, "weight: 2,", "weight: 3.5,"),
        ({"costs.alert": 0.25}, "alert: 1   # the unit", "alert: 0.25   # the unit"),
        ({"costs.capacity": 10.0}, "capacity: 2  #", "capacity: 10  #"),
    ],
)
def test_a_value_is_written_in_its_place_and_all_else_stays(values: dict[str, float], old: str, new: str) -> None:
    assert with_values(NOTED, values) == NOTED.replace(old, new)


def test_several_are_written_at_once() -> None:
    edited = scope.parse(with_values(NOTED, {"costs.capacity": 7, "high": 12345.5, "costs.alert": 2}))
    assert priced(edited) == {"high": 12345.5, "costs.alert": 2, "costs.capacity": 7}


@pytest.mark.parametrize(
    ("text", "values", "error", "words"),
    [
        (NOTED, {"low": 1.0}, UsageError, "low: no weight or cost of this scope; use one of high, costs.alert"),
        (NOTED, {"costs.price": 1.0}, UsageError, "costs.price: no weight or cost"),
        (NOTED, {"high": -1.0}, ScopeError, "objectives.high.weight: must be at least 0, not -1"),
        (NOTED, {"high": 0.0}, ScopeError, "every objective weighs 0"),
        (NOTED, {"costs.capacity": 2.5}, ScopeError, "costs.capacity: must be a whole number"),
        (NOTED.replace("alert: 1 ", "alert: &one 1 ").replace("seed: 1", "seed: *one").replace("\nseed: *one", "")
         .replace("rhythm:", "seed: *one\nrhythm:"), {"costs.alert": 3.0}, UsageError, "an anchor that others use"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_refused(
    text: str, values: dict[str, float], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        with_values(text, values)
