"""The project of ``readings.py``, made in a temporary folder."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from readings import CONTRACT, PARAMS, START, write_contract

from homeostat.core.periods import periods_between
from homeostat.project import Project
from homeostat.stages.ingest import land


@pytest.fixture
def meters(tmp_path: Path) -> Callable[..., Project]:
    """Make the project from a table of readings, ``hours`` of it landed; labels are 2024-03-01T00 and on."""

    def make(rows: pl.DataFrame, hours: int = 10) -> Project:
        (tmp_path / "params.yaml").write_text(PARAMS)
        rows.write_csv(tmp_path / "readings.csv", datetime_format="%Y-%m-%dT%H:%M:%S", null_value="NA")
        (tmp_path / "data").mkdir(exist_ok=True)
        end = START + timedelta(hours=hours)
        (tmp_path / "data" / "window.yaml").write_text(f"from: {START.isoformat()}\nas_of: {end.isoformat()}\n")
        project = Project(tmp_path, tmp_path)
        write_contract(project, CONTRACT)
        for period in periods_between(START, end, timedelta(hours=1), timedelta(0)):
            land(project, "readings", period)
        return project

    return make
