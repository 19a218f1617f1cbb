from collections.abc import Callable
from datetime import timedelta

import polars as pl
import pytest
from readings import START, readings
from steps import land

from homeostat.core.periods import Period
from homeostat.project.layout import Project
from homeostat.stages import ingest as ingest_stage

Make = Callable[..., Project]
FIRST = Period(START, START + timedelta(hours=1), "2024-03-01T00")


def test_land_writes_the_same_bytes_and_skips(meters: Make) -> None:
    project = meters(readings(3), hours=3)
    path = land(project, "readings", FIRST).path
    assert path is not None
    before = path.read_bytes(), path.stat().st_mtime_ns
    assert land(project, "readings", FIRST).path == path
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    path.unlink()
    land(project, "readings", FIRST)
    assert path.read_bytes() == before[0]


def test_nothing_came_and_nothing_is_lost(meters: Make) -> None:
    project = meters(readings(3), hours=3)
    later = Period(START + timedelta(hours=9), START + timedelta(hours=10), "2024-03-01T09")
    assert land(project, "readings", later).path is None
    readings(3).filter(pl.col("at") >= FIRST.end).write_csv(project.root / "readings.csv")
    kept = land(project, "readings", FIRST).path  # the source has it no longer; what has landed stays
    assert kept is not None and kept.is_file()


def test_main_lands_the_window_and_removes_the_rest(
    meters: Make, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = meters(readings(5), hours=5)
    whole = {p.name: p.read_bytes() for p in (project.landed / "readings").iterdir()}
    (project.landed / "readings" / "2023-01-01T00.parquet").write_bytes(b"stray")
    (project.landed / "strangers").mkdir()
    next(iter(sorted((project.landed / "readings").glob("2024*")))).unlink()
    monkeypatch.chdir(project.root)
    for _ in range(2):
        ingest_stage.main()
        assert {p.name: p.read_bytes() for p in (project.landed / "readings").iterdir()} == whole
    said = capsys.readouterr().out
    assert "removed readings/2023-01-01T00.parquet" in said and "removed landed/strangers" in said
    assert said.count("readings: 5 of 5 batches landed") == 2


def test_a_landed_file_that_was_spoilt_is_landed_again(meters: Make) -> None:
    project = meters(readings(3), hours=3)
    land(project, "readings", FIRST)
    path = project.landed / "readings" / "2024-03-01T00.parquet"
    good = path.read_bytes()
    path.write_bytes(good[:-4])
    land(project, "readings", FIRST)
    assert path.read_bytes() == good
