"""Contracts that are kept between batches give the answers of GX's own run, and take the run where they cannot."""

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import great_expectations as gx_tool
import polars as pl
import pytest
from great_expectations.core.validation_definition import ValidationDefinition
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import Expectation
from great_expectations.validator.validation_graph import ValidationGraph
from great_expectations.validator.validator import ValidationDependencies
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from homeostat.adapters import gx
from homeostat.adapters.metric_graph import MetricGraph
from homeostat.core.errors import ScopeError

REPOSITORY = Path(__file__).parents[2]
ROWS = 8
TABLES: dict[str, dict[str, list[Any]]] = {  # columns of good rows; each contract's own first, then a made-up one
    "flights": {
        "origin": ["EWR", "JFK"], "carrier": ["UA", "B6"], "dep_time": [517, 1240], "dep_delay": [2.0, -4.0],
        "arr_delay": [11.0, -20.0], "air_time": [227.0, 53.0], "distance": [1400, 187], "sched_dep_time": [515, 1245],
        "minute": [15, 45], "tailnum": ["N14228", "N804JB"],
    },
    "weather": {
        "origin": ["EWR", "LGA"], "temp": [39.0, 41.0], "dewp": [26.1, 30.0], "humid": [59.4, 71.0],
        "wind_dir": [270, 0], "wind_speed": [10.4, 0.0], "wind_gust": [20.0, None], "precip": [0.0, 0.1],
        "pressure": [1012.0, None],
    },
    "meters": {
        "meter": ["m1", "m2"], "hour": list(range(ROWS)), "load": [3.0, 4.5], "peak": [5.0, 4.5],
        "kind": ["home", "shop"], "note": ["a-1", None],
    },
}  # fmt: skip
METERS: list[tuple[str, dict[str, Any], str]] = [
    ("expect_column_values_to_not_be_null", {"column": "note", "mostly": 0.3}, "critical"),
    ("expect_column_values_to_be_between",
     {"column": "load", "min_value": 0, "max_value": 9, "mostly": 0.8}, "critical"),
    ("expect_column_values_to_be_between", {"column": "load", "max_value": 9}, "warning"),
    ("expect_compound_columns_to_be_unique", {"column_list": ["meter", "hour"]}, "warning"),
    ("expect_column_values_to_be_unique", {"column": "hour"}, "info"),
    ("expect_column_values_to_match_regex", {"column": "note", "regex": "^[a-z]-[0-9]$"}, "warning"),
    ("expect_column_values_to_not_match_regex", {"column": "meter", "regex": "^x"}, "info"),
    ("expect_column_values_to_be_in_set", {"column": "kind", "value_set": ["home", "shop"]}, "info"),
    ("expect_column_distinct_values_to_be_in_set", {"column": "meter", "value_set": ["m1", "m2"]}, "info"),
    ("expect_column_value_lengths_to_equal", {"column": "meter", "value": 2}, "warning"),
    ("expect_column_pair_values_a_to_be_greater_than_b",
     {"column_A": "peak", "column_B": "load", "or_equal": True, "ignore_row_if": "either_value_is_missing"}, "warning"),
    ("expect_column_mean_to_be_between", {"column": "load", "min_value": 1, "max_value": 50}, "critical"),
    ("expect_column_median_to_be_between", {"column": "load", "min_value": 1, "max_value": 50}, "info"),
    ("expect_column_stdev_to_be_between", {"column": "peak", "max_value": 5}, "info"),
    ("expect_column_max_to_be_between", {"column": "hour", "max_value": 23}, "critical"),
    ("expect_column_unique_value_count_to_be_between", {"column": "meter", "max_value": 2}, "info"),
    ("expect_table_row_count_to_be_between", {"min_value": 1}, "critical"),
    ("expect_table_columns_to_match_set",
     {"column_set": ["meter", "hour", "load", "peak", "kind", "note"], "exact_match": True}, "info"),
]  # fmt: skip
TYPED = ("expect_column_values_to_be_of_type", {"column": "load", "type_": "float64"}, "critical")
ODD_VALUES = [None, 0, -1, 1e9, float("nan"), float("inf"), "", "?", "m1", True]
ODD_TYPES: list[Any] = [
    pl.String,
    pl.Float64,
    pl.Float32,
    pl.Int8,
    pl.Boolean,
    pl.Categorical,
    pl.Null,
    pl.Datetime("us", "UTC"),
]
SETTINGS: dict[str, Any] = {  # a frame that fails is small as it is, and shrinking it would take minutes
    "deadline": None, "derandomize": True, "phases": [Phase.generate], "suppress_health_check": list(HealthCheck),
}  # fmt: skip
Check = Callable[[pl.DataFrame, bytes, str], list[gx.Failure]]


def suite(*rules: tuple[str, dict[str, Any], str]) -> bytes:
    expectations = [
        {"type": kind, "kwargs": kwargs, "severity": severity, "meta": {"reason": f"{number}. {kind}"}}
        for number, (kind, kwargs, severity) in enumerate(rules)
    ]
    return json.dumps({"name": "made up", "expectations": expectations}).encode()


CONTRACTS = {
    "flights": ("flights", (REPOSITORY / "expectations/flights.json").read_bytes()),
    "weather": ("weather", (REPOSITORY / "expectations/weather.json").read_bytes()),
    "many kinds": ("meters", suite(*METERS)),
    "a type": ("meters", suite(TYPED, *METERS[:3])),
}


def good(table: str) -> pl.DataFrame:
    columns = TABLES[table]
    return pl.DataFrame({name: (values * ROWS)[:ROWS] for name, values in columns.items()})


@st.composite
def frames(draw: st.DrawFn, table: str) -> pl.DataFrame:
    """Good rows in which up to three things are changed: values, a column's type, columns, the number of rows."""
    rows = good(table)
    for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2, 3]))):
        name = draw(st.sampled_from(list(TABLES[table])))
        change = draw(st.sampled_from(["values"] * 5 + ["type", "type", "gone", "more", "twice", "fewer"]))
        if change == "values" and name in rows.columns:
            at = draw(st.lists(st.integers(0, ROWS - 1), min_size=1, max_size=ROWS))
            rows = rows.with_columns(spoilt(rows[name], at, draw(st.sampled_from(ODD_VALUES))))
        elif change == "type" and name in rows.columns:
            rows = rows.with_columns(retyped(rows[name], draw(st.sampled_from(ODD_TYPES))))
        elif change == "gone":
            rows = rows.drop(name, strict=False)
        elif change == "more":
            rows = rows.with_columns(pl.lit(draw(st.sampled_from(["a", 1, None]))).alias("more"))
        elif change == "twice":
            rows = pl.concat([rows, rows.head(1)])
        else:
            rows = rows.head(draw(st.integers(0, 2)))
    return rows


def spoilt(column: pl.Series, at: list[int], value: Any) -> pl.Series:
    """``value`` at some places, in the column's own type where it fits and as text where not."""
    values = [value if place in at else old for place, old in enumerate(column)]
    try:
        return pl.Series(column.name, values, dtype=column.dtype, strict=True)
    except (TypeError, pl.exceptions.PolarsError):
        return pl.Series(column.name, [None if v is None else str(v) for v in values], dtype=pl.String)


def retyped(column: pl.Series, dtype: Any) -> pl.Series:
    """``column`` as another type; null where a value has no equal in it."""
    try:
        return column.cast(dtype, strict=False)
    except pl.exceptions.PolarsError:
        return pl.Series(column.name, [None] * len(column), dtype=dtype)


def outcome(check: Check, rows: pl.DataFrame, contract: bytes) -> list[gx.Failure] | str:
    try:
        return check(rows, contract, "expectations/table.json")
    except ScopeError as error:
        return str(error)


@pytest.mark.slow
@pytest.mark.parametrize("name", CONTRACTS)
def test_kept_and_one_off_give_equal_failures(name: str) -> None:
    table, contract = CONTRACTS[name]
    contracts = gx.Contracts()  # one for all frames, so that each comes after batches of other types

    @settings(max_examples=15, **SETTINGS)
    @given(frames(table))
    def equal(rows: pl.DataFrame) -> None:
        assert outcome(contracts.check, rows, contract) == outcome(gx.check, rows, contract)
        assert contracts.check(good(table), contract, "expectations/table.json") == []

    equal()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["flights", "weather", "many kinds"])
def test_the_run_finds_nothing_in_what_the_graph_lets_pass(name: str) -> None:
    """The only answer that the graph gives by itself, on more frames than a run for each would allow."""
    table, contract = CONTRACTS[name]
    definition = gx.Contracts().definition(contract, "here")
    graph = MetricGraph(definition.suite.expectations)
    passed = []

    @settings(max_examples=200, **SETTINGS)
    @given(frames(table))
    def sound(rows: pl.DataFrame) -> None:
        frame = rows.to_pandas()
        passed.append(gx._passes(graph, frame))
        assert not passed[-1] or gx._run(definition, frame, "here") == []

    sound()
    assert 20 < sum(passed) < len(passed) - 50


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The result format of each of GX's own runs, as they happen."""
    formats: list[str] = []
    run = ValidationDefinition.run

    def noted(self: ValidationDefinition, **asked: Any) -> Any:
        formats.append(asked["result_format"])
        return run(self, **asked)

    monkeypatch.setattr(ValidationDefinition, "run", noted)
    return formats


@pytest.mark.parametrize("name", ["flights", "weather", "many kinds"])
def test_a_good_batch_takes_no_run_of_gx_and_a_bad_one_takes_both(name: str, runs: list[str]) -> None:
    table, contract = CONTRACTS[name]
    contracts = gx.Contracts()
    assert contracts.check(good(table), contract, "here") == [] and runs == []
    column = next(iter(TABLES[table]))
    bad = good(table).with_columns(pl.lit("nowhere").alias(column))
    assert contracts.check(bad, contract, "here") and runs == ["BOOLEAN_ONLY", "COMPLETE"]
    assert contracts.check(good(table), contract, "here") == [] and len(runs) == 2


def test_an_expectation_that_looks_at_the_data_for_its_metrics_takes_the_run(runs: list[str]) -> None:
    table, contract = CONTRACTS["a type"]
    contracts = gx.Contracts()
    assert contracts.check(good(table), contract, "here") == [] and runs == ["BOOLEAN_ONLY"]
    whole = good(table).with_columns(pl.lit(3).alias("load"))
    assert [f.severity for f in contracts.check(whole, contract, "here")] == ["critical"]


def test_a_parameter_of_the_run_takes_the_run(runs: list[str]) -> None:
    """GX puts a value in its place when it runs, so a kept graph would compare with the wrong one."""
    rule = ("expect_column_values_to_be_between", {"column": "note", "min_value": {"$PARAMETER": "now()"}}, "info")
    empty = good("meters").with_columns(pl.lit(None, dtype=pl.String).alias("note"))
    assert gx.Contracts().check(empty, suite(rule), "here") == [] and runs == ["BOOLEAN_ONLY"]


def test_a_gx_that_has_changed_below_its_interface_is_run_as_documented(
    runs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table, contract = CONTRACTS["many kinds"]
    bad = good(table).with_columns(pl.lit(99.0).alias("load"))
    expected = gx.check(bad, contract, "here")
    contracts = gx.Contracts()
    assert contracts.check(good(table), contract, "here") == []
    runs.clear()

    def changed(self: ValidationGraph, **_: Any) -> None:
        raise TypeError("resolve() has another signature")

    with monkeypatch.context() as broken:  # the run calls it with min_graph_edges_pbar_enable, and does not break
        resolve = ValidationGraph.resolve
        broken.setattr(
            ValidationGraph, "resolve",
            lambda self, **asked: resolve(self, **asked) if "min_graph_edges_pbar_enable" in asked else changed(self),
        )  # fmt: skip
        assert contracts.check(good(table), contract, "here") == [] and runs == ["BOOLEAN_ONLY"]
        assert expected and contracts.check(bad, contract, "here") == expected
        broken.delattr(ValidationGraph, "build_metric_dependency_graph")
        assert gx._metric_graph(contracts.definition(contract, "here")) is None


def test_what_is_used_below_the_documented_interface_is_as_it_was() -> None:
    """Another version of GX is let in only once this has been read again: homeostat.adapters.metric_graph."""
    assert gx_tool.__version__ == "1.24.1"
    parameters: dict[Callable[..., Any], list[str]] = {
        ValidationGraph.__init__: ["self", "execution_engine", "edges"],
        ValidationGraph.build_metric_dependency_graph: ["self", "metric_configuration", "runtime_configuration"],
        ValidationGraph.resolve: ["self", "runtime_configuration", "min_graph_edges_pbar_enable", "show_progress_bars"],
        PandasExecutionEngine.load_batch_data: ["self", "batch_id", "batch_data"],
        Expectation.get_validation_dependencies: ["self", "execution_engine", "runtime_configuration"],
        ValidationDependencies.get_metric_configurations: ["self"],
    }
    for function, names in parameters.items():
        assert list(inspect.signature(function).parameters) == names, function
    assert {"metric_configurations", "result_format"} <= set(vars(ValidationDependencies()))
    kinds = [kind for kind in vars(gx_tool.expectations).values() if isinstance(kind, type(Expectation))]
    assert len(kinds) > 40
    for kind in kinds:
        used = {"metrics", "runtime_configuration", "execution_engine"}
        assert used <= set(inspect.signature(kind._validate).parameters), kind


def test_the_graph_never_passes_what_it_cannot_compute() -> None:
    table, contract = CONTRACTS["many kinds"]
    graph = MetricGraph(gx.Contracts().definition(contract, "here").suite.expectations)
    assert graph.passes(good(table).to_pandas())
    assert not graph.passes(good(table).drop("load").to_pandas())
