"""Ticks prepared together or beside leave the same files and tell the same, tick by tick, as ticks taken in alone."""

from __future__ import annotations

import json
import sqlite3
import tempfile
import threading
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loads import START, feature, loads, make

from homeostat.core.errors import DataError
from homeostat.data import intake as data_intake
from homeostat.data.amendments import correct_batch, release_rows
from homeostat.data.intake import DataOutcome
from homeostat.features import sql as feature_sql
from homeostat.features.intake import Intake
from homeostat.project.layout import Project
from homeostat.project.window import write_window

HOUR = timedelta(hours=1)
TICKS = 14
SIGNALS = """
  signals:
    path: signals.csv
    time: sent
    period: 8h
    late_after: 1h
    key: [sent]
    columns: {sent: time, strength: integer}
    known_at: {sent: {columns: [sent, strength], at: event_time + INTERVAL 1 MINUTE}}
"""  # a batch of it comes after the hours that it is of
BOUNDED = """
SELECT e.meter, e.taken, hour(e.event_time) AS hour, coalesce(total.load, 0) + coalesce(s.strength, 100) AS total
FROM events e ASOF LEFT JOIN (
    SELECT sent_known_at, event_time, strength FROM signals
) s ON s.sent_known_at < e.predict_at
LEFT JOIN (
    SELECT e.meter, e.taken, sum(r.load::DECIMAL(9, 1)) AS load
    FROM events e JOIN readings r ON r.meter = e.meter AND r.read_known_at < e.predict_at
        AND r.event_time >= e.predict_at - INTERVAL 2 HOUR
    GROUP BY ALL
) total USING (meter, taken)
"""
CONTRACT = [
    ("load", 100, "warning", "a meter reads to 100"),
    ("phase", 3, "critical", "there are three phases"),
]


@dataclass(frozen=True)
class World:
    """What befalls the hours of a day: by hour, or by (hour, tick) where it happens at a tick."""

    bad_row: frozenset[int] = frozenset()
    bad_batch: frozenset[int] = frozenset()
    late: Mapping[int, int] | None = None  # delivered before that tick only
    corrected: Mapping[int, tuple[int, int]] | None = None  # recorded before a tick, known from another on
    released: Mapping[int, int] | None = None
    signals: bool = True

    def table(self, tick: int) -> pl.DataFrame:
        """What the source has before a tick."""
        hour, meter = pl.col("taken").dt.hour(), pl.col("meter")
        rows = loads(TICKS).with_columns(
            pl.when(hour.is_in(self.bad_row) & (meter == "m1")).then(500.0).otherwise("load").alias("load"),
            pl.when(hour.is_in(self.bad_batch)).then(9).otherwise("phase").alias("phase"),
        )
        return rows.filter(~hour.is_in([h for h, due in (self.late or {}).items() if tick < due]))


def signals(hours: int) -> list[str]:
    """Two signals an hour, as lines of the file."""
    return [f"{START + h * HOUR / 2:%Y-%m-%dT%H:%M:%S},{h}" for h in range(2 * hours)]


def start(folder: Path, world: World, sql: str) -> Project:
    project = make(folder, world.table(0), sql, hours=0, history="6h")
    if world.signals:
        params = (folder / "params.yaml").read_text()
        (folder / "params.yaml").write_text(params.replace("\nevents:", SIGNALS + "events:"))
    (folder / "signals.csv").write_text("\n".join(["sent,strength", *signals(TICKS), ""]))
    project = Project(folder, folder)
    write_window(project, START, START)
    project.amendments.mkdir(parents=True)
    project.contracts.mkdir()
    rules = [
        {
            "type": "expect_column_values_to_be_between", "kwargs": {"column": column, "max_value": top},
            "severity": severity, "meta": {"reason": reason},
        }
        for column, top, severity, reason in CONTRACT
    ]  # fmt: skip
    (project.contracts / "readings.json").write_text(json.dumps({"name": "readings", "expectations": rules}))
    return project


def befall(project: Project, world: World, tick: int) -> None:
    """What happens before a tick."""
    if tick in (world.late or {}).values():
        table = world.table(tick)
        new = project.root / "new.csv"  # and then whole in its place: another thread may be reading there
        table.write_csv(new, datetime_format="%Y-%m-%dT%H:%M:%S", null_value="NA")
        new.replace(project.root / "readings.csv")
    for hour, (recorded, known) in sorted((world.corrected or {}).items()):
        label = f"2024-03-01T{hour:02d}"
        if tick == recorded and (project.landed / "readings" / f"{label}.parquet").is_file():
            rows = loads(TICKS).filter(pl.col("taken").dt.hour() == hour).with_columns(pl.lit(7.0).alias("load"))
            file = project.root / "fix.csv"
            rows.write_csv(file, datetime_format="%Y-%m-%dT%H:%M:%S", null_value="NA")
            correct_batch(project, "readings", label, file, "Ann", "read again", START + known * HOUR)
    for hour, recorded in sorted((world.released or {}).items()):
        label = f"2024-03-01T{hour:02d}"
        if tick == recorded and (project.quarantine / "readings" / f"{label}.parquet").is_file():
            release_rows(project, "readings", label, None, "Ann", "a true peak", START + tick * HOUR)


def files(project: Project) -> dict[str, bytes]:
    """Everything that taking in has written, and what the loop notes of it."""
    folders = (project.root / "data", project.state / "columns", project.cache / "landed")
    paths = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(project.root).as_posix(): path.read_bytes() for path in sorted(paths)}


Seen = list[tuple[DataOutcome, dict[str, bytes]]]


def run(
    folder: Path, world: World, horizons: Sequence[int], sql: str = BOUNDED, resumed: Set[int] = frozenset(),
    beside: int = 0,
) -> Seen:  # fmt: skip
    """After each tick what it reported, and all files.

    ``horizons`` are the ticks up to which each one prepares, ``resumed`` those that begin a process; ``beside`` is the
    number of ticks after the horizon that are prepared meanwhile.
    """
    project = start(folder, world, sql)
    intake = Intake(project)
    seen = []
    for tick, horizon in enumerate(horizons, 1):
        befall(project, world, tick)
        intake = Intake(project) if tick in resumed else intake
        now = START + tick * HOUR
        beyond = [START + min(horizon + more, TICKS) * HOUR for more in (beside // 2, beside)]
        seen.append((intake.take(now, now - HOUR, START + horizon * HOUR, beyond), files(project)))
    return seen


def one_by_one(folder: Path, world: World, sql: str = BOUNDED) -> Seen:
    return run(folder, world, range(1, TICKS + 1), sql)


hours, later = st.integers(0, TICKS - 2), st.integers(2, TICKS)
worlds = st.builds(
    World,
    bad_row=st.frozensets(hours, max_size=3),
    bad_batch=st.frozensets(hours, max_size=2),
    late=st.dictionaries(hours, later, max_size=2),
    corrected=st.dictionaries(hours, st.tuples(later, later), max_size=2),
    released=st.dictionaries(hours, later, max_size=2),
)
cuts = st.sets(st.integers(1, TICKS), max_size=4).map(
    lambda ends: [min({e for e in ends if e >= tick} | {TICKS}) for tick in range(1, TICKS + 1)]
)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(worlds, cuts, st.sets(st.integers(1, TICKS), max_size=2), st.integers(0, 5))
def test_any_cut_into_spans_leaves_and_tells_the_same_at_each_tick(
    world: World, horizons: list[int], resumed: set[int], beside: int
) -> None:
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        made = run(Path(one), world, horizons, resumed=resumed, beside=beside)
        assert made == one_by_one(Path(other), world)


EVENTFUL = World(bad_row=frozenset({1}), bad_batch=frozenset({2}), late={1: 5}, corrected={0: (3, 4)}, released={2: 9})


def test_a_day_with_everything_in_it_is_the_same_in_one_span(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    events: list[int] = []
    real = feature_sql.build
    monkeypatch.setattr(feature_sql, "build", lambda *given: events.append(given[3].height) or real(*given))
    together = run(tmp_path / "one", EVENTFUL, [TICKS] * TICKS, resumed={3})
    assert max(events) > 6  # some were made together
    alone = one_by_one(tmp_path / "other", EVENTFUL)
    assert together == alone
    states = [
        [(b.label[-2:], b.verdict.status) for b in outcome.batches if b.source == "readings"] for outcome, _ in alone
    ]
    assert ("01", "missing") in states[3] and ("01", "accepted") in states[4]
    assert ("02", "quarantined") in states[2] and ("02", "accepted") in states[8]
    assert states[3][-1] == ("00", "accepted")  # the correction, once it is known


def test_a_day_with_everything_in_it_is_the_same_where_spans_are_prepared_beside(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    horizons = [4] * 4 + [9] * 5 + [TICKS] * 5
    assert run(tmp_path / "one", EVENTFUL, horizons, beside=5) == one_by_one(tmp_path / "other", EVENTFUL)


def test_a_span_that_was_prepared_beside_is_not_prepared_again(tmp_path: Path, monkeypatch) -> None:
    judged: list[tuple[str, bool]] = []
    real = data_intake.validate

    def noted(workspace, source: str, *given) -> object:
        judged.append((source, threading.current_thread() is threading.main_thread()))
        return real(workspace, source, *given)

    monkeypatch.setattr(data_intake, "validate", noted)
    run(tmp_path, World(), [4] * 4 + [9] * 5 + [TICKS] * 5, beside=5)
    assert (judged.count(("readings", True)), judged.count(("readings", False))) == (4, TICKS - 4)


def test_a_closed_intake_prepares_nothing_more(tmp_path: Path) -> None:
    project = start(tmp_path, World(), BOUNDED)
    intake = Intake(project)
    intake.take(START + HOUR, START, START + HOUR, [START + n * HOUR for n in range(2, TICKS + 1)])
    spans = list(intake._beside.values())
    intake.close()
    assert spans[-1].cancelled()
    assert all(span.exception() is None for span in spans if not span.cancelled())


def test_a_batch_that_is_replaced_within_the_span_is_seen_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    world = World(corrected={0: (2, 4)})  # recorded before the process of tick 3, known within its span
    together = run(tmp_path / "one", world, [TICKS] * TICKS, resumed={3})
    assert together == one_by_one(tmp_path / "other", world)


def test_nothing_of_a_tick_is_on_disk_before_it(tmp_path: Path) -> None:
    for tick, (_, there) in enumerate(run(tmp_path, World(), [TICKS] * TICKS), 1):
        labels = [Path(name).stem for name in there if name.startswith("data/") and name.endswith(".parquet")]
        assert max(label for label in labels if label != "once") == f"2024-03-01T{tick - 1:02d}"


def test_what_was_prepared_is_dropped_when_what_it_follows_from_changes(tmp_path: Path) -> None:
    project = start(tmp_path, World(), BOUNDED)
    intake = Intake(project)
    intake.take(START + HOUR, START, START + TICKS * HOUR)
    project.features_sql.write_text(BOUNDED.replace("2 HOUR", "1 HOUR"))
    for tick in range(2, 7):
        intake.take(START + tick * HOUR, START + (tick - 1) * HOUR, START + TICKS * HOUR)
    (tmp_path / "other").mkdir()
    other = start(tmp_path / "other", World(), BOUNDED.replace("2 HOUR", "1 HOUR"))
    fresh = Intake(other)
    for tick in range(1, 7):
        fresh.take(START + tick * HOUR, START + (tick - 1) * HOUR)
    made, expected = files(project), files(other)
    label = "data/features/2024-03-01T05.parquet"
    assert made[label] == expected[label]


@pytest.mark.parametrize(
    "sql",
    [
        feature("max(r.load)", "r.meter = e.meter AND r.event_time >= e.event_time"),  # forgets when it became known
        feature("count(r.load)", "r.read_known_at < e.predict_at"),  # counts back to the beginning
    ],
)
def test_features_that_see_beyond_their_look_back_are_made_one_by_one(tmp_path: Path, sql: str) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    together = run(tmp_path / "one", World(signals=False), [TICKS] * TICKS, sql)
    alone = one_by_one(tmp_path / "other", World(signals=False), sql)
    assert [there for _, there in together] == [there for _, there in alone]
    assert [(o.batches, o.featurized) for o, _ in together] == [(o.batches, o.featurized) for o, _ in alone]
    (remark,) = [remark for outcome, _ in together for remark in outcome.remarks]
    assert remark.startswith("features.sql: leak of batch 2024-03-01T")
    assert not [remark for outcome, _ in alone for remark in outcome.remarks]


def test_a_source_that_fails_ahead_is_reported_at_its_own_tick(tmp_path: Path) -> None:
    project = start(tmp_path, World(), BOUNDED)
    (tmp_path / "signals.csv").write_text("\n".join(["sent,strength", *signals(25), ""]))
    with sqlite3.connect(tmp_path / "r.db") as db:
        rows = loads(25).with_columns(pl.col("taken").cast(pl.String).str.slice(0, 19))
        db.execute(f"CREATE TABLE r ({', '.join(rows.columns)})")
        db.executemany(f"INSERT INTO r VALUES ({','.join('?' * len(rows.columns))})", rows.rows())
    broken = "CASE WHEN :end > '2024-03-02' THEN json('{') ELSE 1 END"  # SQLite is asked for whole days
    query = f"SELECT * FROM r WHERE taken >= :start AND taken < :end AND {broken}"
    params = (tmp_path / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(
        params.replace("    path: readings.csv\n", f'    url: "sqlite:///r.db"\n    query: "{query}"\n')
    )
    intake = Intake(project)
    for tick in range(1, 25):
        outcome = intake.take(START + tick * HOUR, START + (tick - 1) * HOUR, START + 25 * HOUR)
        assert {b.verdict.status for b in outcome.batches} == {"accepted"}
    with pytest.raises(DataError, match="the query failed: .*malformed JSON"):
        intake.take(START + 25 * HOUR, START + 24 * HOUR, START + 25 * HOUR)
    assert (project.features / "2024-03-01T23.parquet").is_file()
