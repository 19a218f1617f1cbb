"""Two runs of the same work, one in this process and one over workers, and whether they wrote the same."""

from __future__ import annotations

from pathlib import Path

import hourly
import polars as pl

from homeostat.data.ingest import land_window
from homeostat.data.validate import validate_window
from homeostat.data.workspace import Workspace
from homeostat.features.window import build_window
from homeostat.project.executor import Executor
from homeostat.project.layout import Project

WATCHED = hourly.PARAMS.replace("features: {history: 1d}", "features: {history: 6h}")


def odd_readings() -> pl.DataFrame:
    """Hours that verdicts on later ones depend on: one that did not come, one twice, one in watts, some rows wrong."""
    rows, hour = hourly.readings(), pl.col("at").dt.truncate("1h")
    at = [hourly.START + pl.duration(hours=hours) for hours in (30, 33, 36, 40)]
    again = rows.filter(hour == at[1]).with_columns(pl.col("at") + pl.duration(hours=1))
    rows = rows.filter(hour != at[0], hour != at[1] + pl.duration(hours=1))
    watts = pl.when(hour.is_between(at[2], at[2] + pl.duration(hours=1))).then(pl.col("load") * 1000)
    above = pl.when((hour == at[3]) & (pl.col("meter") == "m2")).then(pl.lit(101.0))
    load = above.otherwise(watts.otherwise("load")).alias("load")
    return pl.concat([rows, again]).sort("at", "meter").with_columns(load)


def make(folder: Path, params: str = WATCHED) -> Project:
    return hourly.make(folder, hours=hourly.HOURS, params=params, table=odd_readings())


def run_data_stages(project: Project, executor: Executor) -> list[str]:
    """The stages of the data over an executor; what they print."""
    return [
        *land_window(Workspace(project, executor=executor)),
        *validate_window(Workspace(project, executor=executor)),
        build_window(Workspace(project, executor=executor)),
    ]


def files(folder: Path, *parts: str) -> dict[str, bytes]:
    """Every file below parts of a folder, by its path in it."""
    paths = (path for part in parts for path in (folder / part).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
