"""A schema that changes in mid-history, in files and in a database: said once, since when and what to do; all else
goes on, and after the fix so does what was held."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import hourly
import polars as pl
import pytest
from click.testing import CliRunner
from steps import read_verdict

from homeostat import loop, replay
from homeostat.cli import main
from homeostat.project.clock import next_tick
from homeostat.project.layout import Project

TICK = timedelta(hours=3)
START, END = hourly.START, hourly.START + timedelta(days=3)
READINGS = hourly.steady_readings()
PARAMS = hourly.STEADY.replace("decide: 24h, retrain: 10d", "decide: 30d, retrain: 30d").replace(
    "threads: 1\n", 'threads: 1\nclock: {start: "2024-03-01T00:00:00"}\n'
)
CHANGE = START + 4 * TICK  # of the first batch that comes otherwise
QUERY = "SELECT * FROM readings WHERE at >= datetime(:start) AND at < datetime(:end)"


def due(start: datetime) -> pl.DataFrame:
    return READINGS.filter(pl.col("at").is_between(start, start + TICK, closed="left")).sort("meter", "at")


def as_files(place: Path, deliver: Callable[[pl.DataFrame], pl.DataFrame]) -> str:
    """One file a batch; from ``CHANGE`` on ``deliver`` says how it is written."""
    (place / "in").mkdir()
    for n in range(24):
        start = START + n * TICK
        rows = due(start).with_columns(pl.col("at").dt.to_string("%Y-%m-%d %H:%M:%S"))
        (deliver(rows) if start >= CHANGE else rows).write_csv(place / "in" / f"{n:02d}.csv")
    return f"path: {place}/in/*.csv"


def as_database(place: Path, deliver: Callable[[pl.DataFrame], pl.DataFrame]) -> str:
    """A table for the time before the change and one for the time since; a view is of one of them."""
    for name, part in {"old": pl.col("at") < CHANGE, "new": pl.col("at") >= CHANGE}.items():
        rows = READINGS.filter(part).with_columns(pl.col("at").dt.to_string("%Y-%m-%d %H:%M:%S"))
        table = deliver(rows) if name == "new" else rows
        table.write_database(name, f"sqlite:///{place}/m.db", engine="sqlalchemy")
    with_view(place, "old")
    return f'url: "sqlite:///{place}/m.db"\n    query: "{QUERY}"'


def with_view(place: Path, name: str) -> None:
    with sqlite3.connect(place / "m.db") as db:
        db.execute("DROP VIEW IF EXISTS readings")
        db.execute(f"CREATE VIEW readings AS SELECT * FROM {name}")


@dataclass(frozen=True)
class Meters:
    place: Path
    replayed: Project

    def ticks(self, many: int) -> list[loop.Tick]:
        """The next ticks; a database is altered when the change has come."""
        found: list[loop.Tick] = []
        for _ in range(many):
            now = next_tick(self.replayed)
            if (self.place / "m.db").is_file():
                with_view(self.place, "new" if now > CHANGE else "old")
            replay.replay(self.replayed, START, now, found.append)
        return found

    def status(self, label: str) -> str:
        verdict = read_verdict(self.replayed.worktree, "readings", label)
        return verdict.status if verdict else ""

    def edit(self, old: str, new: str) -> None:
        path = self.replayed.root / "params.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        hourly.commit(self.replayed.root)


def meters(place: Path, source: str) -> Meters:
    folder = hourly.make(place / "meters", params=PARAMS.replace("path: readings.csv", source), table=READINGS.head(1))
    return Meters(place, replay.prepare(folder, START, END, "days"))


def said(*args: str) -> str:
    run = CliRunner().invoke(main, list(args))
    assert run.exit_code == 0, run.output
    return run.stdout


RENAMED = pl.col("load").alias("watts")
SOURCES = {"files": as_files, "database": as_database}
HELD: dict[str, tuple[Callable[[pl.DataFrame], pl.DataFrame], tuple[str, ...], tuple[str, str]]] = {
    "renamed": (
        lambda rows: rows.rename({"load": "watts"}),
        ("column load is not there, since 2024-03-01T12: not declared but there: watts. ",
         'sources.readings.read: {load: coalesce("load", "watts")}'),
        ("    key: [meter, at]\n", "    key: [meter, at]\n    read: {load: 'coalesce(\"load\", \"watts\")'}\n"),
    ),
    "gone": (
        lambda rows: rows.drop("phase"),
        ("column phase is not there, since 2024-03-01T12: nothing else is new. ", "sources.readings.optional"),
        ("    key: [meter, at]\n", "    key: [meter, at]\n    optional: [phase]\n"),
    ),
    "another type": (
        lambda rows: rows.with_columns(load=pl.col("load").cast(pl.String) + " kW"),
        ("column load is not float, since 2024-03-01T12: 36 of 36 rows do not fit, such as ", " kW'. ",
         "sources.readings.columns.load"),
        ("    key: [meter, at]\n",
         "    key: [meter, at]\n    read: {load: \"TRY_CAST(split_part(CAST(load AS VARCHAR), ' ', 1) AS DOUBLE)\"}\n"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("case", HELD)
def test_a_column_that_is_another_holds_its_batches_until_the_fix(case: str, source: str, tmp_path: Path) -> None:
    deliver, words, fix = HELD[case]
    made = meters(tmp_path, SOURCES[source](tmp_path, deliver))
    before = made.ticks(4)
    assert [b.verdict.status for t in before for b in t.data.batches] == ["accepted"] * 4
    first, second = made.ticks(2)
    (told,), (again,) = first.data.batches, second.data.batches
    assert (told.verdict.status, again.verdict.status) == ("quarantined", "quarantined")
    for part in words:
        assert part in told.sentence
    assert "\n" not in told.sentence
    assert [f.since for f in (*told.verdict.failed, *again.verdict.failed)] == ["2024-03-01T12"] * 2
    assert again.sentence.endswith("since 2024-03-01T12: see there how to fix it")
    assert [len(t.opened) for t in (first, second)] == [1, 0]
    assert "2024-03-01T12" in said("data", "review", "-C", str(made.replayed.home))
    made.edit(*fix)
    if source == "database":
        with_view(tmp_path, "new")
    (fixed,) = made.ticks(1)
    assert {b.label: b.verdict.status for b in fixed.data.batches}["2024-03-01T12"] == "accepted"
    assert [made.status(f"2024-03-01T{hour:02d}") for hour in (9, 12, 15, 18)] == ["accepted"] * 4
    features = made.replayed.worktree.features
    assert pl.read_parquet(features / "2024-03-01T15.parquet").height == 36


@pytest.mark.parametrize("source", SOURCES)
def test_a_column_that_appears_is_said_once_and_not_used(source: str, tmp_path: Path) -> None:
    made = meters(tmp_path, SOURCES[source](tmp_path, lambda rows: rows.with_columns(heat=pl.lit(1.5))))
    ticks = made.ticks(6)
    assert [b.verdict.status for t in ticks for b in t.data.batches] == ["accepted"] * 6
    remarks = [remark for t in ticks for remark in t.data.remarks]
    assert len(remarks) == 1
    assert remarks[0].startswith("readings 2024-03-01T12: new column heat, not used: the rest goes on.")
    made.edit("load: float, phase: integer}", "load: float, phase: integer, heat: float}\n    optional: [heat]")
    made.edit("read: {columns: [load]", "read: {columns: [load, heat]")
    (after,) = made.ticks(1)
    assert after.data.remarks == ()
    assert made.status("2024-03-01T18") == "accepted"
    heat = pl.read_parquet(made.replayed.worktree.accepted / "readings" / "2024-03-01T12.parquet")["heat"]
    assert heat.to_list() == [1.5] * 36


def test_a_few_values_that_do_not_fit_hold_their_rows_only(tmp_path: Path) -> None:
    slip = pl.when(pl.int_range(pl.len()) == 5).then(pl.lit("much")).otherwise(pl.col("load").cast(pl.String))
    made = meters(tmp_path, as_files(tmp_path, lambda rows: rows.with_columns(load=slip)))
    (batch,) = made.ticks(5)[-1].data.batches
    assert (batch.verdict.status, batch.verdict.rows_accepted, batch.verdict.rows_quarantined) == ("accepted", 35, 1)
    words = "readings 2024-03-01T12 quarantined (1 of 36 rows): 1 row: load is 'much', which is not float"
    assert batch.sentence == words
    held = pl.read_parquet(made.replayed.worktree.quarantine / "readings" / "2024-03-01T12.parquet")
    assert held["reason"].to_list() == ["load is 'much', which is not float"]


def test_what_had_landed_stays_when_one_file_is_delivered_anew_without_a_column(tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    hourly.write(READINGS, path)
    made = meters(tmp_path, f"path: {path}")
    made.ticks(4)
    landed = {p.name: p.read_bytes() for p in (made.replayed.worktree.landed / "readings").iterdir()}
    hourly.write(READINGS.rename({"load": "watts"}), path)
    made.ticks(1)
    hourly.judged(made.replayed.worktree)
    kept = {p.name: p.read_bytes() for p in (made.replayed.worktree.landed / "readings").iterdir()}
    assert {name: kept[name] for name in landed} == landed
    assert [made.status(f"2024-03-01T{hour:02d}") for hour in (0, 9, 12)] == ["accepted", "accepted", "quarantined"]
