"""Many tables read as one, and the places of many keys at a time."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat.adapters.parquet import place_of, places_of, read_tables, write_table
from homeostat.core.errors import DataError

TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1))
COLUMNS: dict[str, tuple[st.SearchStrategy[object], pl.DataType]] = {
    "text": (st.text(), pl.String()),
    "whole": (st.integers(-(2**63), 2**63 - 1), pl.Int64()),
    "real": (st.floats() | st.sampled_from([0.0, -0.0]), pl.Float64()),
    "flag": (st.booleans(), pl.Boolean()),
    "time": (TIMES, pl.Datetime("us")),
    "zoned": (TIMES.map(lambda time: time.replace(tzinfo=UTC)), pl.Datetime("us", "UTC")),
    "empty": (st.none(), pl.Null()),
}
KEYS = st.lists(st.tuples(*(st.none() | values for values, _ in COLUMNS.values())), max_size=12)


@settings(deadline=None)
@given(KEYS)
def test_places_of_many_keys_are_those_of_each(keys: list[tuple[object, ...]]) -> None:
    twice = [*keys, *keys]
    frame = pl.DataFrame(twice, schema={name: kind for name, (_, kind) in COLUMNS.items()}, orient="row")
    assert places_of(frame) == [place_of(row) for row in frame.iter_rows()]
    assert places_of(frame.select("whole", "time")) == [place_of(row) for row in frame.select("whole", "time").rows()]


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Three tables of four rows each; n counts through them."""
    tables = [pl.DataFrame({"n": range(4 * i, 4 * i + 4), "name": [f"table {i}"] * 4}) for i in range(3)]
    return [write_table(table, tmp_path / f"{i}.parquet") for i, table in enumerate(tables)]


def test_tables_are_read_one_below_the_other(paths: list[Path]) -> None:
    assert read_tables(paths)["n"].to_list() == list(range(12))
    assert read_tables(paths[::-1])["name"].to_list()[::4] == ["table 2", "table 1", "table 0"]
    assert read_tables(paths, pl.col("n").is_between(3, 5)).rows() == [(3, "table 0"), (4, "table 1"), (5, "table 1")]
    assert read_tables(paths, pl.col("n") > 99).equals(read_tables(paths).clear())


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.unlink(), "1.parquet: no such file"),
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "1.parquet: damaged"),
    ],
    ids=["missing", "cut off"],
)
def test_a_spoilt_table_is_named(paths: list[Path], spoil: Callable[[Path], object], message: str) -> None:
    spoil(paths[1])
    with pytest.raises(DataError, match=message):
        read_tables(paths)


def test_tables_of_other_columns_are_not_read_together(paths: list[Path]) -> None:
    write_table(pl.DataFrame({"n": [1]}), paths[2])
    with pytest.raises(pl.exceptions.PolarsError):
        read_tables(paths)
