"""Labels that come early are a biased sample: from when on a drafted project lets them count."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest
from scaffold.odd_tables import START, write

from homeostat.project.scope import parse
from homeostat.scaffold.draft import create
from homeostat.scaffold.draft.create import Draft
from homeostat.scaffold.profile.request import Address, Request

DEFAULTED = 0.3


def loans(rows: int = 4000) -> pl.DataFrame:
    """Ten loans a day: a default shows some time before they are due, being paid back only when they are."""
    chance = random.Random(5)
    table = []
    for n in range(rows):
        at = START + timedelta(hours=2.4 * n)
        term = chance.choice([30, 60, 90, 120, 150, 180])
        bad = chance.random() < DEFAULTED
        settled = at + timedelta(days=chance.randrange(1, term) if bad else term + chance.randrange(0, 4))
        table.append((at, term, at + timedelta(days=term), chance.gauss(10, 2), bad, settled))
    return pl.DataFrame(table, schema=["taken", "term", "due", "amount", "bad", "settled"], orient="row")


def drafted(table: pl.DataFrame, folder: Path) -> Draft:
    path = write(table, folder / "loans.csv")
    return create.draft("tried", Request(Address.of(str(path)), time="taken", label="bad", known_at="settled"))


def early_rate(made: Draft, table: pl.DataFrame, now: datetime) -> float:
    """The label's mean over the loans of the half year before ``now`` whose labels count by then."""
    at = parse(made.files["params.yaml"]).event_source.known_at["outcome"].at
    shown = table.rename({"taken": "event_time"})
    sql = f"SELECT avg(CAST(bad AS INT)) FROM shown WHERE {at} < $now AND event_time > $now - INTERVAL 180 DAY"
    with duckdb.connect() as connection:
        connection.register("shown", shown.to_arrow())
        return float(connection.execute(sql, {"now": now}).fetchall()[0][0])


@pytest.mark.parametrize(("column", "sql"), [("due", "due"), ("term", "TRY(event_time + term * INTERVAL 1 DAY)")])
def test_no_label_counts_before_its_due_time(column: str, sql: str, tmp_path: Path) -> None:
    table = loans().drop({"due": "term", "term": "due"}[column])
    made = drafted(table, tmp_path)
    due = made.profile.delay.due
    assert due is not None
    assert (due.column, due.sql) == (column, sql)
    assert timedelta(days=2) <= due.wait <= timedelta(days=5)
    now = START + timedelta(days=300)
    naive = table.filter(pl.col("settled") < now, pl.col("taken") > now - timedelta(days=180))["bad"].mean()
    assert isinstance(naive, float) and naive > DEFAULTED + 0.1
    assert abs(early_rate(made, table, now) - DEFAULTED) < 0.06
    assert "no label counts before" in next(i.fix for i in made.issues if i.kind == "delayed labels")


def test_without_a_due_time_most_labels_are_waited_for(tmp_path: Path) -> None:
    made = drafted(loans().drop("due", "term"), tmp_path)
    assert made.profile.delay.due is None
    scope = parse(made.files["params.yaml"])
    assert scope.events.label_horizon > timedelta(days=30)
    assert scope.monitoring.window >= scope.events.label_horizon + scope.rhythm.decide


def test_a_time_that_bounds_no_label_is_no_due_time(tmp_path: Path) -> None:
    table = loans().drop("due", "term")
    chance = random.Random(7)
    late = pl.Series("reviewed", [t + timedelta(days=chance.randrange(0, 900)) for t in table["taken"]])
    huge = pl.Series("number", [10**15 + n for n in range(table.height)])
    odd = pl.Series("share", [float("nan") if n % 3 else n / 7 for n in range(table.height)])
    assert drafted(table.with_columns(late, huge, odd), tmp_path).profile.delay.due is None
