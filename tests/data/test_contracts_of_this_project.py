"""Every expectation of this repository's contracts has a batch that fails it and it alone is named."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from homeostat.adapters.gx import Contracts, check, contract_problems, names_rows
from homeostat.core.errors import ScopeError
from homeostat.data.casts import TYPES
from homeostat.project import scope

REPOSITORY = Path(__file__).parents[2]
KEPT = Contracts()
SCOPE = scope.read(REPOSITORY / "params.yaml")
GOOD: dict[str, dict[str, Any]] = {
    "flights": {"origin": "EWR", "carrier": "UA", "dep_time": 517, "dep_delay": 2, "arr_delay": 11, "air_time": 227,
                "distance": 1400, "sched_dep_time": 515, "minute": 15, "tailnum": "N14228"},
    "weather": {"origin": "EWR", "temp": 39.0, "dewp": 26.1, "humid": 59.4, "wind_dir": 270, "wind_speed": 10.4,
                "wind_gust": 20.0, "precip": 0.0, "pressure": 1012.0},
    "planes": {"year": 2004, "type": "Fixed wing multi engine", "engines": 2, "seats": 55, "speed": 400,
               "engine": "Turbo-fan"},
}  # fmt: skip
BAD: dict[str, dict[str, Any]] = {
    "flights": {"in_set origin": "SFO", "null carrier": None, "null dep_time": None, "mean dep_delay": 200,
                "mean arr_delay": 200, "between dep_delay": 2000, "between arr_delay": 2000, "between air_time": 1,
                "between distance": 1, "between sched_dep_time": 2500, "between minute": 60, "regex tailnum": "?"},
    "weather": {"in_set origin": "SFO", "null temp": None, "mean temp": 115.0, "between temp": 150.0,
                "between dewp": 95.0, "greater temp dewp": 70.0, "between humid": 101.0, "between wind_dir": 361,
                "between wind_speed": 1048.36, "between wind_gust": 400.0, "between precip": 9.0,
                "between pressure": 1200.0},
    "planes": {"row_count": None, "unique tailnum": "N00000", "regex tailnum": "?", "between year": 1903,
               "in_set type": "Balloon", "between engines": 9, "between seats": 5000, "between speed": 1500,
               "in_set engine": "Steam"},
}  # fmt: skip
RULES = [
    (name, number, rule)
    for name in GOOD
    for number, rule in enumerate(
        json.loads((REPOSITORY / "expectations" / f"{name}.json").read_text())["expectations"]
    )
]


def batch(name: str, rows: int) -> pl.DataFrame:
    kinds = SCOPE.sources[name].columns
    frame = pl.DataFrame({c: pl.Series([GOOD[name].get(c)] * rows, dtype=TYPES[kind]) for c, kind in kinds.items()})
    if name == "planes":
        frame = frame.with_columns(pl.Series("tailnum", [f"N{i:05d}" for i in range(rows)]))
    return frame


def contract(name: str) -> bytes:
    return (REPOSITORY / "expectations" / f"{name}.json").read_bytes()


@pytest.mark.parametrize("name", GOOD)
def test_a_good_batch_passes(name: str) -> None:
    assert check(batch(name, 1000 if name == "planes" else 10), contract(name), f"expectations/{name}.json") == []
    contract_problems(REPOSITORY / "expectations" / f"{name}.json", SCOPE)


@pytest.mark.parametrize(("name", "number", "rule"), RULES, ids=[f"{n}-{i}-{r['type'][7:]}" for n, i, r in RULES])
def test_each_expectation_has_a_batch_that_fails_it(name: str, number: int, rule: dict[str, Any]) -> None:
    case, value = list(BAD[name].items())[number]
    rows = batch(name, 999 if case == "row_count" else 1000 if name == "planes" else 10)
    if case != "row_count":
        column = case.split()[-1]
        many = rule["type"].endswith("mean_to_be_between") or "mostly" in rule["kwargs"]
        hit = pl.int_range(pl.len()) < (len(rows) if many else 1)
        spoil = hit if case != "unique tailnum" else pl.int_range(pl.len()) == 7
        rows = rows.with_columns(
            pl.when(spoil).then(pl.lit(value, dtype=rows.schema[column])).otherwise(pl.col(column)).alias(column)
        )
    failures = check(rows, contract(name), f"expectations/{name}.json")
    assert KEPT.check(rows, contract(name), f"expectations/{name}.json") == failures
    mine = [f for f in failures if f.reason == rule["meta"]["reason"]]
    assert len(mine) == 1 and mine[0].severity == rule["severity"]
    if rule["severity"] == "warning":
        assert mine[0].rows == (0,)


PROBLEMS = {
    "an aggregate that warns": ({"severity": "warning", "type": "expect_column_mean_to_be_between"}, "aggregate"),
    "an unknown column": ({"kwargs": {"column": "nope"}}, "no column 'nope'"),
    "an unknown expectation": ({"type": "expect_miracles"}, "no such expectation"),
    "no severity": ({"severity": None}, "severity"),
    "no reason": ({"meta": {}}, "reason"),
    "a wrong argument": ({"kwargs": {"column": "temp", "min_value": {}, "nonsense": 1}}, "cannot be read"),
}


@pytest.mark.parametrize("case", PROBLEMS)
def test_an_impossible_contract_is_refused(case: str, tmp_path: Path) -> None:
    rule = {"type": "expect_column_values_to_be_between", "severity": "warning", "meta": {"reason": "so"},
            "kwargs": {"column": "temp", "min_value": 0}}  # fmt: skip
    changes, said = PROBLEMS[case]
    path = tmp_path / "weather.json"
    path.write_text(json.dumps({"name": "w", "expectations": [{**rule, **changes}]}))
    with pytest.raises(ScopeError, match=said):
        contract_problems(path, SCOPE)


def test_a_metric_that_raises_is_not_bad_data() -> None:
    rule = {
        "type": "expect_column_values_to_match_regex",
        "kwargs": {"column": "nope", "regex": "a"},
        "severity": "critical",
    }
    text = json.dumps({"name": "w", "expectations": [rule]}).encode()
    with pytest.raises(ScopeError, match="match_regex nope could not be computed"):
        check(batch("weather", 3), text, "expectations/weather.json")


def test_names_rows() -> None:
    assert names_rows("expect_compound_columns_to_be_unique") and names_rows("expect_column_values_to_be_unique")
    assert not names_rows("expect_table_row_count_to_be_between")
