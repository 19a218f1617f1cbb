"""Files delivered again with the same rows make no work, whatever they are called; a source that moves is reported."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import hourly
import polars as pl
import pytest

from homeostat import loop
from homeostat.data.workspace import Workspace
from homeostat.features.build import FeatureTables
from homeostat.monitoring.alerts import read_incidents
from homeostat.project.layout import Project

PARAMS = hourly.PARAMS.replace("decide: 2h, retrain: 4h", "decide: 30d, retrain: 30d").replace(
    "threads: 1\n", 'threads: 1\nclock: {start: "2024-03-01T00:00:00"}\n'
)
ROWS = hourly.readings(30)
HALF = len(ROWS) // 2


def deliver(project: Project, **files: pl.DataFrame) -> None:
    """Put the files of a delivery, by name, in the place of those of the one before."""
    folder = project.home.parent / "in"
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for name, rows in files.items():
        hourly.write(rows, folder / f"{name}.csv")


def new_time(project: Project) -> None:
    for path in (project.home.parent / "in").iterdir():
        os.utime(path, (2_000_000_000, 2_000_000_000))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Taken in up to noon; its files lie where git does not look."""
    params = PARAMS.replace("path: readings.csv", f"path: {tmp_path}/in/*.csv")
    project = hourly.make(tmp_path / "meters", params=params)
    deliver(project, a=ROWS[:HALF], b=ROWS[HALF:])
    tick(project, 12)
    return project


def tick(project: Project, hour: int) -> loop.Tick:
    with loop.run_context(project.home, hourly.START + timedelta(hours=hour)) as (session, at):
        return loop.tick(session, at)


def versions(project: Project) -> dict[str, tuple[int, int]]:
    """When each data file was last written, and its place on the disk: a file that is left alone keeps both."""
    data = project.worktree.root / "data"
    files = [p for part in ("landed", "accepted", "features") for p in (data / part).rglob("*.parquet")]
    return {str(p.relative_to(data)): (p.stat().st_mtime_ns, p.stat().st_ino) for p in files}


AGAIN: dict[str, Callable[[Project], None]] = {
    "the same files, at another time": new_time,
    "other names, so another order": lambda p: deliver(p, z=ROWS[:HALF], c=ROWS[HALF:]),
    "one file": lambda p: deliver(p, all=ROWS),
    "other rows in each file": lambda p: deliver(p, a=ROWS[: HALF // 2], b=ROWS[HALF // 2 :]),
    "rows in another order": lambda p: deliver(p, a=ROWS.sort("meter")),
}


@pytest.mark.parametrize("how", AGAIN)
def test_the_same_rows_again_make_no_work(project: Project, how: str) -> None:
    before = versions(project)
    assert len(before) == 36
    AGAIN[how](project)
    done = tick(project, 13)
    assert [batch.label for batch in done.data.batches] == ["2024-03-01T12"]
    assert done.data.remarks == ()
    after = versions(project)
    assert {path: after[path] for path in before} == before
    assert len(after) == 39
    assert read_incidents(project) == {}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (ROWS, "the same rows in 13 batches"),
        (ROWS.sample(fraction=1, shuffle=True, seed=1), "the same rows in 13 batches"),
        (
            ROWS.with_columns(load=pl.when(pl.col("at").dt.hour() == 7).then(1.5).otherwise("load")),
            "other rows in 1 of 13 batches, 2024-03-01T07 the first",
        ),
        (
            ROWS.filter(pl.col("at") >= hourly.START + timedelta(hours=2)),
            "2 batches not there, 2024-03-01T00 the first, which stay as they landed",
        ),
    ],
)
def test_a_source_that_lies_elsewhere_is_reported(project: Project, rows: pl.DataFrame, said: str) -> None:
    tick(project, 13)
    before, place = versions(project), project.home.parent
    hourly.write(rows, place / "elsewhere.csv")
    params = project.home / "params.yaml"
    params.write_text(params.read_text().replace("in/*.csv", "elsewhere.csv"))
    hourly.run(project.home, "commit", "-q", "-am", "another file")
    done = tick(project, 14)
    where = f"from {place}/in/*.csv to {place}/elsewhere.csv"
    assert done.data.remarks == (f"the path of source readings changed {where}: {said}",)
    changed = {
        Path(path).stem for path, version in versions(project).items() if before.get(path) not in (None, version)
    }
    batches = [batch.label for batch in done.data.batches]
    assert changed == set(batches[:-1]) == ({"2024-03-01T07"} if "other rows" in said else set())
    assert batches[-1] == "2024-03-01T13"
    assert read_incidents(project) == {}
    assert tick(project, 15).data.remarks == ()
    tables = FeatureTables(Workspace(project.worktree))
    stale = [h for h in range(15) if not tables.holds(tables.point.look_back(f"2024-03-01T{h:02d}"))]
    assert stale == [] or "other rows" in said
