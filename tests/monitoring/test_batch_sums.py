"""What a batch is summed up by: each kind of column and of outcome, whatever batches a window is cut into."""

from __future__ import annotations

from datetime import datetime, timedelta

import hourly
import numpy as np
import polars as pl
import pytest

from homeostat.core.looks import Series, Sums
from homeostat.monitoring.batch_sums import ROWS, VALUES, Summed, as_windows, input_sums, outcome_sums, window_table
from homeostat.project.scope import Scope, parse

END = datetime(2024, 3, 2)


def scope(objective: str = "") -> Scope:
    binary = "high: {task: binary, label: load > 5, known: read, weight: 2, features: [phase, hour, last_load]}"
    return parse(hourly.PARAMS.replace(binary, objective or binary))


def values(sums: list[Summed]) -> dict[str, float]:
    return {one.series.name: one.top / one.bottom for one in sums}


def inputs(rows: pl.DataFrame, kinds: dict[str, str] | None = None) -> dict[str, float]:
    return values(list(input_sums(set(rows.columns) - {"release"}, ["high"], rows, kinds or {})))


def test_numbers_are_summed_up_by_their_thirds_without_the_outermost() -> None:
    column = [float(n) for n in range(100)]
    column[-1] = 1e12  # one wild value moves nothing
    summed = inputs(pl.DataFrame({"load": column}))
    assert summed.pop("load: missing") == 0
    assert summed == {"load: low third": 19.5, "load: middle third": 49.5, "load: high third": 79.5}
    assert all(map(np.isfinite, inputs(pl.DataFrame({"load": [1e308] * 50 + [-1e308] * 50})).values()))


@pytest.mark.parametrize(
    ("column", "missing"),
    [
        (pl.Series([1.0, None, float("nan"), float("inf")]), 0.75),
        (pl.Series([1, None, 3, 4]), 0.25),
        (pl.Series(["a", None, "b", "a"]), 0.25),
        (pl.Series([None, None, None, None], dtype=pl.Float64), 1.0),
        (pl.Series([True, False, None, True]), 0.25),
    ],
)
def test_what_is_no_value_is_missing(column: pl.Series, missing: float) -> None:
    assert inputs(pl.DataFrame({"load": column}))["load: missing"] == missing


def test_columns_of_other_types_and_no_rows_at_all_say_nothing() -> None:
    assert inputs(pl.DataFrame({"at": [datetime(2024, 1, 1)], "load": [[1.0]]})) == {}
    assert list(input_sums({"load"}, [], pl.DataFrame({"load": []}, schema={"load": pl.Float64}), {}))[0].weight == 0


def test_scores_of_another_kind_of_model_are_another_series() -> None:
    rows = pl.DataFrame({"release": ["v1", "v2", None], "score__high": [0.1, 0.9, None]})
    summed = inputs(rows.drop("release"), {}) | inputs(rows, {"v1 high": "heuristic", "v2 high": "linear"})
    assert summed["high: score (heuristic), middle third"] == pytest.approx(0.1)
    assert summed["high: score (linear), middle third"] == pytest.approx(0.9)


def test_more_rows_than_tell_more_are_thinned_evenly() -> None:
    rows = pl.DataFrame({"load": np.arange(4.0 * ROWS)})
    (missing, *_) = input_sums({"load"}, [], rows, {})
    assert missing.weight == ROWS
    assert inputs(rows)["load: middle third"] == pytest.approx(2 * ROWS, rel=0.01)


def outcome(of: Scope, rows: dict[str, list]) -> dict[str, float]:
    (name,) = of.objectives
    return values(list(outcome_sums(of, {name: pl.DataFrame(rows)})))


def test_a_binary_outcome() -> None:
    rows = {"label__high": [1.0, 0.0, 1.0, 0.0], "score__high": [0.8, 0.2, 0.6, 0.4], "baseline__high": [0.5] * 4,
            "given__meter": ["a", "a", "b", None]}  # fmt: skip
    summed = outcome(scope(), rows)
    assert summed["high: label rate"] == 0.5
    assert summed["high: calibration"] == 1.0
    assert summed["high: calibration, meter = b"] == pytest.approx(0.6)
    assert summed["high: log_loss over the baseline's"] < 1


def test_an_amount_and_a_ranking() -> None:
    amount = scope("high: {task: regression, label: load, known: read, weight: 2, features: [phase]}")
    rows = {"label__high": [1.0, 3.0], "score__high": [2.0, 4.0], "baseline__high": [5.0, 5.0]}
    summed = outcome(amount, rows)
    assert summed["high: label, middle third"] == 1.0
    assert (summed["high: calibration"], summed["high: rmse over the baseline's"]) == (1.5, pytest.approx(1 / 10**0.5))
    ranked = scope("high: {task: ranking, label: load, group: meter, known: read, weight: 2, features: [phase]}")
    both = {"label__high": [1.0, 0.0], "score__high": [0.1, 0.9], "baseline__high": [0.0, 0.0]}
    both |= {"group__high": ["a", "a"]}
    assert outcome(ranked, both)["high: ndcg_loss over the baseline's"] > 1


def test_outcomes_without_scores_have_a_rate_alone() -> None:
    assert outcome(scope(), {"label__high": [1.0, 0.0]}) == {"high: label rate": 0.5}
    assert list(outcome_sums(scope(), {"high": pl.DataFrame({"label__high": []}, schema={"label__high": pl.Float64})}))


def windows(*weeks: list[str]) -> Sums:
    ends = [END + timedelta(weeks=number) for number in range(len(weeks))]
    tables = [
        window_table(end, [input_sums({"code"}, [], pl.DataFrame({"code": week}), {})])
        for end, week in zip(ends, weeks, strict=True)
    ]
    return as_windows(pl.concat(tables), ends)


def test_a_value_that_is_not_in_a_window_has_a_share_of_none_there() -> None:
    summed = windows(["a", "a"], ["a", "b"])
    place = summed.series.index(Series("code", "= b", "share"))
    assert summed.top[:, place].tolist() == [0.0, 1.0]
    assert summed.weight[:, place].tolist() == [2.0, 2.0]


def test_of_many_values_the_most_frequent_count() -> None:
    codes = [f"c{n:02}" for n in range(50) for _ in range(n + 1)]
    kept = {one.aspect for one in windows(codes).series if one.aspect.startswith("= ")}
    assert kept == {f"= c{n}" for n in range(50 - VALUES, 50)}


def test_a_window_without_a_batch_is_there_and_empty() -> None:
    table = window_table(END, [input_sums({"load"}, [], pl.DataFrame({"load": [1.0]}), {})])
    summed = as_windows(table, [END - timedelta(weeks=1), END])
    assert summed.weight.sum(axis=1).tolist() == [0.0, 4.0]


def test_batches_add_up_to_their_window() -> None:
    draw = np.random.default_rng(1)
    rows = pl.DataFrame({"code": draw.choice(list("abc"), 60)})
    whole = window_table(END, [input_sums({"code"}, [], rows, {})])
    parts = window_table(END, [input_sums({"code"}, [], part, {}) for part in (rows[:20], rows[20:])])
    assert whole.sort(pl.all()).equals(parts.sort(pl.all()))
