"""Real Evidently on small real tables, and on what it cannot take itself."""

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from homeostat.adapters.evidently import ROWS, drift_record, render_page

ROWS_HERE = 2_000


def table(seed: int, rows: int = ROWS_HERE) -> pl.DataFrame:
    draw = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "load": draw.normal(50, 10, rows),
            "phase": draw.integers(1, 4, rows),
            "meter": draw.choice(["m1", "m2", "m3"], rows),
            "online": draw.random(rows) < 0.8,
            "score__high": draw.random(rows),
            "at": [datetime(2024, 1, 1)] * rows,
        }
    )


REFERENCE = table(0)
NULL = pl.lit(None)


def columns(current: pl.DataFrame, reference: pl.DataFrame = REFERENCE, method: str = "psi") -> dict[str, dict]:
    return drift_record(current, reference, method, 0.25)["columns"]


def test_a_record_is_small_sorted_json() -> None:
    record = drift_record(table(1), REFERENCE, "psi", 0.25)
    assert json.loads(json.dumps(record)) == record
    assert record["rows"] == {"current": ROWS_HERE, "reference": ROWS_HERE}
    assert list(record["columns"]) == ["load", "meter", "online", "phase", "score__high"]  # times are not looked at
    for column in record["columns"].values():
        assert column["state"] == "compared"
        assert 0 <= column["score"] < 0.03
        assert 0 < column["chance"] < 0.03
        assert column["missing"] == [0.0, 0.0]


@pytest.mark.parametrize("method", ["psi", "ks", "wasserstein", "jensenshannon"])
def test_every_method_takes_every_kind_of_column(method: str) -> None:
    shifted = table(1).with_columns(pl.col("load") + 20, meter=pl.lit("m9"))
    same, moved = columns(table(1), method=method), columns(shifted, method=method)
    for name in ("load", "meter"):
        further = moved[name]["score"] < same[name]["score"] if moved[name]["chance"] is None else True
        assert further and abs(moved[name]["score"] - same[name]["score"]) > 0.1, name


@pytest.mark.parametrize("method", ["psi", "ks", "wasserstein", "jensenshannon"])
def test_the_record_holds_what_the_report_shows(method: str) -> None:
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import ValueDrift

    moved = table(1).with_columns(pl.col("load") + 3, meter=pl.col("meter").replace("m3", "m9"))
    found = {name: column for name, column in columns(moved, method=method).items() if name != "online"}
    definition = DataDefinition(numerical_columns=["load", "phase", "score__high"], categorical_columns=["meter"])
    sides = [Dataset.from_pandas(t.to_pandas(), data_definition=definition) for t in (moved, REFERENCE)]
    metrics = Report([ValueDrift(column=n, method=c["method"]) for n, c in found.items()]).run(*sides).dict()["metrics"]
    shown = {m["config"]["column"]: float(m["value"]) for m in metrics}
    assert {name: column["score"] for name, column in found.items()} == pytest.approx(shown, abs=1e-6)


@pytest.mark.parametrize(
    ("change", "name", "state", "missing"),
    [
        ({"load": NULL.cast(pl.Float64)}, "load", "empty", 1.0),
        ({"load": NULL}, "load", "empty", 1.0),  # a column of type Null
        ({"load": pl.lit(float("nan"))}, "load", "empty", 1.0),
        ({"load": pl.lit(float("inf"))}, "load", "empty", 1.0),
        ({"meter": NULL.cast(pl.String)}, "meter", "empty", 1.0),
        ({"online": NULL.cast(pl.Boolean)}, "online", "empty", 1.0),
        ({"load": pl.when(pl.int_range(pl.len()) % 10 == 0).then("load")}, "load", "compared", 0.9),
        ({"fresh": pl.lit(1.0)}, "fresh", "new", 0.0),
    ],
)
def test_values_that_go_missing_are_recorded(change: dict, name: str, state: str, missing: float) -> None:
    found = columns(table(1).with_columns(**change))[name]
    assert (found["state"], found["missing"][0]) == (state, missing)
    assert (found["score"] is None) == (state != "compared")


def test_a_column_that_is_gone_or_was_empty() -> None:
    assert columns(table(1).drop("load"))["load"]["state"] == "gone"
    assert columns(table(1), REFERENCE.with_columns(load=NULL))["load"]["state"] == "was empty"
    assert columns(table(1).clear())["load"]["state"] == "empty"
    assert columns(table(1).select("at"), REFERENCE.select("at")) == {}


@pytest.mark.parametrize(
    ("change", "name", "low", "high"),
    [
        ({"load": pl.lit(50.0)}, "load", 1.0, 99.0),  # stuck at one value
        ({"meter": pl.lit("m9")}, "meter", 1.0, 99.0),  # a category that was never seen
        ({"meter": pl.col("meter").replace("m3", "m9")}, "meter", 0.5, 99.0),
        ({"online": pl.lit(True)}, "online", 0.2, 99.0),
        ({"phase": pl.lit("one")}, "phase", 1.0, 99.0),  # numbers that became words
        ({"load": pl.col("load").cast(pl.Float32)}, "load", 0.0, 0.03),
        ({"meter": pl.col("meter").cast(pl.Categorical)}, "meter", 0.0, 0.03),
    ],
)
def test_values_that_change(change: dict, name: str, low: float, high: float) -> None:
    assert low <= columns(table(1).with_columns(**change))[name]["score"] <= high


def test_a_column_with_one_value_on_both_sides_has_not_moved() -> None:
    constant = {"load": pl.lit(1.0), "meter": pl.lit("m1")}
    found = columns(table(1).with_columns(**constant), REFERENCE.with_columns(**constant))
    assert [found[name]["score"] for name in constant] == [0.0, 0.0]


@pytest.mark.parametrize("rows", [1, 2, 50])
def test_a_tiny_table_says_how_far_chance_alone_goes(rows: int) -> None:
    assert columns(table(1, rows))["load"]["chance"] > 0.125  # half the limit: too few to say


def test_a_large_table_is_thinned_the_same_way_each_time() -> None:
    current = table(1, ROWS + 5_000)
    record = drift_record(current, REFERENCE, "psi", 0.25)
    assert record["rows"]["current"] == ROWS + 5_000
    assert drift_record(current, REFERENCE, "psi", 0.25) == record


@pytest.mark.slow
def test_the_record_is_the_same_in_another_process() -> None:
    """The order of a set of strings differs between processes, and with it the last digits of a sum."""
    code = (
        "import json, polars as pl\nfrom homeostat.adapters.evidently import drift_record\n"
        "a = pl.DataFrame({'meter': [f'm{i * i % 97}' for i in range(3000)]})\n"
        "b = pl.DataFrame({'meter': [f'm{i * 7 % 89}' for i in range(3000)]})\n"
        "print(json.dumps(drift_record(a, b, 'psi', 0.25)))"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert len(seen) == 1


def test_the_page_is_one_file_for_a_reader(tmp_path: Path) -> None:
    broken = table(1).with_columns(load=NULL.cast(pl.Float64))
    path = render_page(broken, REFERENCE, tmp_path / "pages" / "drift.html", "psi", 0.25)
    text = path.read_text()
    assert "score__high" in text
    assert list(path.parent.iterdir()) == [path]
