"""The first contract: every number has limits and every key is one, each with its reason, and a short history too."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from scaffold.audit.test_issues import healthy

from homeostat.scaffold.draft import create
from homeostat.scaffold.profile.request import Address, Request


@pytest.mark.parametrize("rows", [200, 4000])
def test_every_number_has_limits_and_every_key_is_unique(rows: int, tmp_path: Path) -> None:
    table = healthy().head(rows).with_columns(
        floor=pl.int_range(pl.len()) % 3 - 1, counter=pl.int_range(pl.len()) + 5, flag=pl.int_range(pl.len()) % 2,
        refund=pl.when(pl.col("back") == 1).then(pl.col("spent")), code=pl.int_range(pl.len()) % 3 + 1_000_125,
        opened=1_700_000_000 + pl.int_range(pl.len()) % 40, rare=(pl.int_range(pl.len()) == 7).cast(pl.Int64) * 5,
        tiny=pl.int_range(pl.len()) % 5 * 1e-13 + 1e-9,
    )  # fmt: skip
    table.write_csv(tmp_path / "t.csv")
    made = create.draft("tried", Request(Address.of(str(tmp_path / "t.csv")), time="at", label="back"))
    rules = json.loads(made.files["expectations/t.json"])["expectations"]
    limits = {r["kwargs"]["column"]: r for r in rules if r["type"] == "expect_column_values_to_be_between"}
    numbers = {c.name for c in made.profile.table.columns if c.kind in ("integer", "float")}
    assert numbers == set(limits) and {"floor", "counter", "flag", "refund"} <= numbers
    assert limits["flag"]["kwargs"] == {"column": "flag", "min_value": 0, "max_value": 1}
    assert limits["floor"]["kwargs"]["min_value"] < -1
    unique = next(r for r in rules if "unique" in r["type"])
    assert unique["kwargs"].get("column_list", [unique["kwargs"].get("column")]) == list(made.profile.key.columns)
    assert all(r["meta"]["reason"] for r in rules)
    for name, rule in limits.items():
        values = table[name].drop_nulls()
        least, most = rule["kwargs"]["min_value"], rule["kwargs"].get("max_value", float("inf"))
        assert ((values >= least) & (values <= most)).all()
