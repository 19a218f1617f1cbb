"""Ratios of two numbers are drafted where they predict more, and nowhere else."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

import polars as pl
from scaffold.odd_tables import START, write

from homeostat.scaffold.draft import create
from homeostat.scaffold.draft.create import Draft
from homeostat.scaffold.profile.request import Address, Request


def credits(by_ratio: bool, count: int = 3000) -> pl.DataFrame:
    """Eight an hour: whether one is refused follows from debt by income, or from the debt alone."""
    chance = random.Random(3)
    rows = []
    for n in range(count):
        debt, income = chance.lognormvariate(8, 0.8), chance.lognormvariate(8, 0.8)
        heavy = debt > income if by_ratio else debt > 3000
        refused = chance.random() < (0.8 if heavy else 0.1)
        rows.append((START + timedelta(minutes=7.5 * n), round(debt), round(income, 2), chance.gauss(50, 5), refused))
    return pl.DataFrame(rows, schema=["asked", "debt", "income", "age", "refused"], orient="row")


def drafted(table: pl.DataFrame, folder: Path) -> Draft:
    path = write(table, folder / "credits.csv")
    return create.draft("tried", Request(Address.of(str(path)), time="asked", label="refused"))


def test_a_ratio_that_predicts_more_is_drafted_once(tmp_path: Path) -> None:
    made = drafted(credits(by_ratio=True), tmp_path)
    assert len(made.plan.ratios) == 1
    assert set(made.plan.ratios[0]) == {"debt", "income"}
    feature = next(f for f in made.features.features if "_per_" in f.name)
    assert "nullif(" in feature.sql and float(feature.comment.split("adds ")[1].rstrip("%")) > 5
    create.write(made, tmp_path / "here")


def test_a_ratio_that_predicts_no_more_than_its_parts_is_not(tmp_path: Path) -> None:
    assert drafted(credits(by_ratio=False), tmp_path).plan.ratios == ()
