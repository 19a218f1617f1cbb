"""Times that the scope works out of what was sent, wherever they lie, are refused and break nothing."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from loads import PARAMS

from homeostat.features.point_in_time import times_of_events
from homeostat.features.query_cache import Evaluation
from homeostat.project.scope import parse
from homeostat.serving.batching import _check_times
from homeostat.serving.label_log import event_times
from homeostat.serving.requests import Label, Refused

SCOPE = parse(PARAMS.replace("time: taken", 'time: "taken + to_minutes(phase)"').replace(
    "key: [meter, taken]", "key: [meter, taken, phase]"))  # fmt: skip
NOW = datetime(2024, 3, 1)
FAR = [-9_267_496_199, 9_267_496_199, -900_000_000, 1_020_000_000, 5_000_000_000]  # minutes


def test_the_scope_works_its_times_out() -> None:
    assert SCOPE.event_source.time == "taken + to_minutes(phase)"
    assert SCOPE.key == ("meter", "taken", "phase")


@pytest.mark.parametrize("minutes", FAR)
def test_a_label_of_an_event_outside_the_calendar_is_refused(minutes: int) -> None:
    with pytest.raises(Refused) as refused:
        event_times(SCOPE, [Label(("m0", NOW, 5), "high", 1, None), Label(("m0", NOW, minutes), "high", 1, None)])
    assert [(p["field"], p["problem"]) for p in refused.value.problems] == [
        ("labels.1.event", "lies outside 1900 to 2199")
    ]


@pytest.mark.parametrize("minutes", FAR)
def test_an_event_outside_the_calendar_is_refused(minutes: int) -> None:
    schema = {"meter": pl.String, "taken": pl.Datetime("us"), "phase": pl.Int64, "note": pl.String}
    rows = pl.DataFrame([("m0", NOW, 5, None, 1.0, 0.5), ("m0", NOW, minutes, None, 1.0, 0.5)],
                        schema | {"load": pl.Float64, "checked": pl.Float64}, orient="row")  # fmt: skip
    timed = Evaluation(rows.schema, times_of_events(SCOPE)).of(rows)
    state: Any = SimpleNamespace(context=SimpleNamespace(scope=SCOPE))
    _check_times(state, timed[:1], NOW)
    with pytest.raises(Refused, match="lies outside 1900 to 2199"):
        _check_times(state, timed, NOW)
