"""Ratios of two numbers are drafted where they pay, and nowhere else."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

import polars as pl
from scaffold.odd_tables import START, write

from homeostat.scaffold.draft import create as making
from homeostat.scaffold.draft.create import Draft
from homeostat.scaffold.profile.open_table import Address
from homeostat.scaffold.profile.profile_table import Asked


def credits(by_ratio: bool, rows: int = 3000) -> pl.DataFrame:
    """Eight an hour: whether one is refused follows from debt by income, or from the debt alone."""
    chance = random.Random(3)
    found = []
    for n in range(rows):
        debt, income = chance.lognormvariate(8, 0.8), chance.lognormvariate(8, 0.8)
        heavy = debt > income if by_ratio else debt > 3000
        refused = chance.random() < (0.8 if heavy else 0.1)
        found.append((START + timedelta(minutes=7.5 * n), round(debt), round(income, 2), chance.gauss(50, 5), refused))
    return pl.DataFrame(found, schema=["asked", "debt", "income", "age", "refused"], orient="row")


def drafted(table: pl.DataFrame, folder: Path) -> Draft:
    path = write(table, folder / "credits.csv")
    return making.draft("tried", Asked(Address.of(str(path)), time="asked", label="refused"))


def test_a_ratio_that_pays_is_drafted_once(tmp_path: Path) -> None:
    made = drafted(credits(by_ratio=True), tmp_path)
    assert len(made.choices.ratios) == 1
    assert set(made.choices.ratios[0]) == {"debt", "income"}
    feature = next(f for f in made.features.features if "_per_" in f.name)
    assert "nullif(" in feature.sql and float(feature.said.split("adds ")[1].rstrip("%")) > 5
    making.write(made, tmp_path / "here")


def test_a_ratio_that_says_no_more_than_its_parts_is_not(tmp_path: Path) -> None:
    assert drafted(credits(by_ratio=False), tmp_path).choices.ratios == ()
