"""Faults of the data: each does to the rows what it says, by its seed alone, and a drill delivers and reports it."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path

import hourly
import polars as pl
import pytest
from steps import land

from homeostat import faults, replay
from homeostat.core.errors import UsageError
from homeostat.core.periods import Period, periods_between
from homeostat.faults.damage import DAMAGES, TIME, season_before, suitable
from homeostat.features.tables import read_features
from homeostat.loop import Tick
from homeostat.project.layout import Project, working_tree
from homeostat.releases.registry import Registry

START = datetime(2024, 3, 1)
ROWS = pl.DataFrame({
    "id": range(100),
    TIME: [START + timedelta(minutes=10 * n) for n in range(100)],
    "at": [START + timedelta(minutes=10 * n) for n in range(100)],
    "depot": ["north", "south", "zürich", "west"] * 25,
    "load": [float(n % 37) + 1 for n in range(100)],
    "temp": [60 + n / 10 for n in range(100)],
    "late": [0, 1] * 50,
})  # fmt: skip
EXPECT = {  # an expression over rows before (x_before) and after, true of every row that is left
    "null-surge": ("load", pl.col("load").is_null() | (pl.col("load") == pl.col("load_before"))),
    "unit-change": ("load", pl.col("load") == pl.col("load_before") * 1000),
    "celsius": ("temp", ((pl.col("temp") * 1.8 + 32) - pl.col("temp_before")).abs() < 1e-9),
    "sign-flip": ("load", pl.col("load") == -pl.col("load_before")),
    "category-explosion": ("depot", pl.col("depot").str.starts_with(pl.col("depot_before"))),
    "blank-in-code": ("depot", pl.col("depot") == pl.col("depot_before") + " "),
    "case-in-code": ("depot", pl.col("depot") == pl.col("depot_before").str.to_uppercase()),
    "encoding-damage": ("depot", pl.col("depot").str.contains("\ufffd|Ã")),
    "join-break": ("depot", pl.col("depot") == "0" + pl.col("depot_before")),
    "stuck-sensor": ("load", pl.col("load") == 1),
    "label-flip": ("late", pl.col("late") == 1 - pl.col("late_before")),
    "shifted-time": ("at", pl.col("at") == pl.col("at_before") + timedelta(hours=8)),
    "lost-slice": ("depot", pl.col("depot") != "north"),
    "abrupt-drift": ("load", ((pl.col("load") - pl.col("load_before")) / pl.col("load_before").std() - 6).abs() < 1e-9),
    "correlation-flip": ("temp", (pl.col("temp") + pl.col("temp_before") - 129.9).abs() < 1e-9),
}


def damaged(name: str, *columns: str, seed: int = 1) -> pl.DataFrame:
    damage = DAMAGES[name]
    return damage.change(ROWS, columns, damage.sizes[-1], random.Random(seed))


@pytest.mark.parametrize("name", EXPECT)
def test_each_fault_does_what_it_says(name: str) -> None:
    column, holds = EXPECT[name]
    after = damaged(name, column)
    both = after.join(ROWS.rename(lambda c: c if c == "id" else f"{c}_before"), on="id", maintain_order="left")
    assert both.select(holds.all()).item(), both
    assert not after.equals(ROWS) and after.equals(damaged(name, column))


def test_rows_come_twice_half_or_not_at_all() -> None:
    assert damaged("doubled-batch").height == 200 and damaged("missing-batch").is_empty()
    cut = damaged("truncated-batch")
    assert cut.height == 30 and cut.equals(ROWS.head(30))
    thin = damaged("lost-rows")
    assert 5 < thin.height < 40 and thin.equals(ROWS.join(thin, "id", "semi", maintain_order="left"))


def test_columns_change_places() -> None:
    after = damaged("swapped-columns", "load", "temp")
    assert after["load"].equals(ROWS["temp"], check_names=False) and after["temp"].equals(
        ROWS["load"], check_names=False
    )


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("unit-change", ["load", "temp"]),
        ("celsius", ["temp"]),
        ("label-flip", ["late"]),
        ("blank-in-code", ["depot"]),
        ("missing-batch", []),
        ("late-batch", []),
        ("null-surge", ["at", "depot", "load", "temp", "late"]),
        ("correlation-flip", []),
    ],
)
def test_a_fault_is_about_columns_that_suit_it(name: str, columns: list[str]) -> None:
    assert suitable(DAMAGES[name], [ROWS], ["id"]) == columns


def test_a_percentage_is_no_temperature_and_what_is_mostly_missing_loses_nothing() -> None:
    rows = ROWS.with_columns(humid=pl.int_range(1, 101).cast(pl.Float64), gust=pl.when(pl.col("id") > 60).then("load"))
    assert suitable(DAMAGES["celsius"], [rows], ["id"]) == ["temp"]
    assert "gust" not in suitable(DAMAGES["null-surge"], [rows], ["id"])
    related = rows.select("id", TIME, "late", "temp", "humid", twin=pl.col("temp") * 2)
    assert suitable(DAMAGES["correlation-flip"], [related], ["id"]) == ["temp", "humid", "twin"]


def test_a_turned_relation_leaves_the_distribution_and_what_is_missing() -> None:
    rows = ROWS.with_columns(pl.when(pl.col("id") % 10 > 0).then("load").alias("load"))
    after = DAMAGES["correlation-flip"].change(rows, ["load"], 1, random.Random(1))
    assert after["load"].sort().equals(rows["load"].sort())
    assert after["load"].is_null().equals(rows["load"].is_null())


def test_an_earlier_season_keeps_times_and_keys() -> None:
    later = ROWS.with_columns(pl.col(TIME, "at") + timedelta(days=28), id=pl.col("id") + 1000, load=pl.lit(9.0))
    moved = season_before(later, ROWS, ["id"])
    assert moved.select("id", TIME, "at").equals(later.select("id", TIME, "at"))
    assert moved["load"].equals(ROWS["load"]) and moved["depot"].equals(ROWS["depot"])
    assert season_before(later.reverse(), ROWS, ["id"]).equals(moved.reverse())  # rows stay where they were


@pytest.mark.parametrize(
    ("name", "strengths"),
    [
        ("abrupt-drift", [1.0, 1.0, 1.0, 1.0]),
        ("gradual-drift", [1 / 14, 0.5, 1.0, 1.0]),
        ("recurring-drift", [1.0, 1.0, 0.0, 1.0]),
    ],
)
def test_a_drift_takes_its_course(name: str, strengths: list[float]) -> None:
    assert [DAMAGES[name].strength(batch) for batch in (0, 6, 14, 28)] == strengths


def test_every_fault_is_in_the_table_of_faults() -> None:
    page = (hourly.ROOT / "docs" / "howto" / "unusual-batch.md").read_text()
    assert [name for name in faults.KINDS if f"| `{name}`" not in page] == []


def drill(of: Project, *texts: str) -> Project:
    """A replay's project with these faults, before its first tick."""
    start, end = hourly.START, hourly.START + timedelta(hours=48)
    return replay.prepare(of, start, end, "drill", True, [faults.parse(text) for text in texts])


def test_a_drill_delivers_the_damaged_rows_and_says_what_became_of_them(tmp_path: Path) -> None:
    of = hourly.make(tmp_path / "meters", params=hourly.STEADY, table=hourly.steady_readings())
    at = hourly.START + timedelta(hours=30)
    replayed = drill(of, f"missing-batch@{at.isoformat()}")
    name = of.scope.events.source
    periods = [p for p in _periods(replayed) if at - timedelta(hours=2) <= p.start <= at + timedelta(hours=2)]
    landed = {p.label: land(replayed, name, p).path is not None for p in periods}
    assert [label for label, there in landed.items() if not there] == [p.label for p in periods if p.start == at]
    plain = {p.label: land(of, name, p).path for p in periods}
    for label, path in plain.items():
        if landed[label]:
            mine = replayed.landed / name / f"{label}.parquet"
            assert path is not None and mine.read_bytes() == path.read_bytes()
    assert replayed.scope.sources[name].path == f"drill/{name}.parquet"
    assert of.scope.sources[name].path != replayed.scope.sources[name].path


def test_a_fault_that_no_source_suits_is_refused(tmp_path: Path) -> None:
    of = hourly.make(tmp_path / "meters", params=hourly.STEADY, table=hourly.steady_readings())
    with pytest.raises(UsageError, match="--fault celsius: no source with a time has positive columns"):
        drill(of, f"celsius@{(hourly.START + timedelta(hours=30)).isoformat()}")


@pytest.mark.slow
def test_a_batch_that_comes_late_or_whole_late_is_taken_in_then(tmp_path: Path) -> None:
    of = hourly.make(tmp_path / "meters", params=hourly.STEADY, table=hourly.steady_readings(140))
    end, at = hourly.START + timedelta(hours=126), [hourly.START + timedelta(hours=h) for h in (90, 99)]
    given = [faults.parse(f"{n}@{t.isoformat()}") for n, t in zip(("late-batch", "partial-batch"), at, strict=True)]
    replayed = replay.prepare(of, hourly.START, end, "drill", True, given)
    states: dict[str, list[str]] = {}
    notes: list[str] = []

    def watch(tick: Tick) -> None:
        for batch in tick.data.batches:
            states.setdefault(batch.label, []).append(batch.verdict.status)

    replay.replay(replayed, hourly.START, end, watch, given, lambda now, sentence: notes.append(sentence))
    labels = [f"{time:%Y-%m-%dT%H}" for time in at]
    assert notes == [f"readings {label} has come, with 36 rows" for label in labels]
    assert states[labels[0]] == ["missing", "accepted"]
    assert (states[labels[1]][0], states[labels[1]][-1]) == ("quarantined", "accepted")
    ledger = Registry.open(replayed).ledger
    for fault, label in zip(given, labels, strict=True):
        assert fault.outcome(replayed, ledger) == f"damaged readings {label}: it came whole later, and is accepted"
    tree = working_tree(replayed)
    assert read_features(tree, labels).height == 72  # both have features now


def _periods(project: Project) -> list[Period]:
    scope = project.scope
    length = scope.event_source.length
    return periods_between(hourly.START, hourly.START + timedelta(hours=48), length, scope.rhythm.offset)
