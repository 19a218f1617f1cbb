"""What identifies a row, whatever columns and table are called."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from scaffold.odd_tables import START

from homeostat.scaffold.draft import create
from homeostat.scaffold.draft.create import Draft
from homeostat.scaffold.profile.request import Address, Request

NAMES = (
    "known", "event_time", "in_order", "short_window", "predict_at", "v", "n", "p", "s", "first", "before", "gap",
    "again", "total", "shape", "select", "all", "source", "key",
)  # fmt: skip


def drafted(table: pl.DataFrame, name: str, folder: Path, time: str, label: str) -> Draft:
    table.write_csv(folder / name)
    return create.draft("tried", Request(Address.of(str(folder / name)), time=time, label=label))


def statistics() -> pl.DataFrame:
    """A year's figures of twenty countries, in which the population never comes twice."""
    chance = random.Random(1)
    rows = [
        (country, year, 7_919 * (31 * year + place) % 99_990_001, chance.gauss(2, 1))
        for year in range(1990, 2021)
        for place, country in enumerate("ABCDEFGHIJKLMNOPQRST")
    ]
    return pl.DataFrame(rows, schema=["country", "year", "population", "growth"], orient="row")


def orders(rows: int = 700) -> pl.DataFrame:
    chance = random.Random(2)
    table = [
        (n + 1, START + timedelta(minutes=80 * n + chance.randrange(40)), chance.choice("abc"), chance.random() < 0.3)
        for n in range(rows)
    ]
    return pl.DataFrame(table, schema=["id", "at", "kind", "late"], orient="row")


def test_a_measurement_that_never_comes_twice_is_no_key_and_no_identifier(tmp_path: Path) -> None:
    made = drafted(statistics(), "t.csv", tmp_path, "year", "growth")
    assert made.profile.key.columns == ("country", "year")
    assert "population" not in made.roles.identifiers
    assert "  runs: 20" in made.files["params.yaml"]  # of the few years in a holdout no blocks can be made


def test_whole_copies_of_rows_do_not_hide_the_key(tmp_path: Path) -> None:
    table = orders()
    made = drafted(pl.concat([table, table[100:140]]), "t.csv", tmp_path, "at", "late")
    assert made.profile.key.columns == ("id",) and "40 that are whole copies" in made.profile.key.note
    texts = [issue.text for issue in made.issues]
    assert "40 rows share the key (id) of another: quarantined" in texts
    assert not any("would quarantine 80" in text for text in texts) and "\n  runs:" not in made.files["params.yaml"]
    assert not any("identifies a row" in issue.text for issue in made.issues if issue.column == "id")


def test_an_identifier_with_other_rows_of_its_name_is_none(tmp_path: Path) -> None:
    table = orders()
    again = table[100:140].with_columns(late=~pl.col("late"))
    made = drafted(pl.concat([table, again]), "t.csv", tmp_path, "at", "late")
    assert made.profile.key.generated


@pytest.mark.parametrize("name", ["p.csv", "in_order.csv", "2023 — order by.csv"])
def test_tables_and_columns_may_be_called_anything(name: str, tmp_path: Path) -> None:
    chance = random.Random(3)
    others = {n: [round(chance.gauss(0, 1), 2) for _ in range(400)] for n in NAMES}
    table = pl.concat([orders(400).rename({"at": "t", "late": "label"}), pl.DataFrame(others)], how="horizontal")
    made = drafted(table, name, tmp_path, "t", "label")
    assert made.profile.time.column == "t" and made.profile.table.rows == 400


def test_a_row_of_totals_makes_no_amount_of_a_yes_or_no(tmp_path: Path) -> None:
    table = orders().with_columns(pl.col("late").cast(pl.Int64), pl.col("id").cast(pl.String))
    total = pl.DataFrame({"id": ["Total"], "at": [None], "kind": [None], "late": [table["late"].sum()]},
                         schema=table.schema)
    made = drafted(pl.concat([table, total]), "t.csv", tmp_path, "at", "late")
    assert made.profile.label.task == "binary" and made.profile.label.positive == "1"


def test_months_of_a_table_with_a_short_name_are_counted(tmp_path: Path) -> None:
    months = [f"{month:03d}.{year}" for year in range(2012, 2024) for month in range(1, 13)]
    chance = random.Random(4)
    rows = [(plant, month, chance.randrange(100), chance.random()) for month in months for plant in "ABCDE"]
    table = pl.DataFrame(rows, schema=["plant", "period", "made", "scrap"], orient="row")
    made = drafted(table, "p.csv", tmp_path, "period", "scrap")
    assert made.profile.history.start <= datetime(2012, 1, 1) and made.profile.key.columns == ("plant", "period")
