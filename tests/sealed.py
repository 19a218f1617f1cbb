"""What a bundle of the small project holds, made by hand."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import hourly
import numpy as np
import polars as pl

from homeostat import models
from homeostat.adapters.parquet import write_table
from homeostat.project import scope
from homeostat.training import bundle as bundles

FULL = scope.parse(hourly.PARAMS)


def events(hours: int = 24) -> pl.DataFrame:
    """Feature rows of the small project, made by hand."""
    rows = hourly.readings(hours)
    return rows.select(
        "meter", "at", pl.col("at").alias("event_time"), (pl.col("at") - timedelta(hours=1)).alias("predict_at"),
        "phase", pl.col("at").dt.hour().cast(pl.Int64).alias("hour"), pl.col("load").shift(7).alias("last_load"),
        pl.col("meter").alias("given__meter"),
    )  # fmt: skip


def fill(folder: Path) -> Path:
    """Everything in a bundle but its manifest."""
    table, y = events(), (hourly.readings(24)["load"] > 5).to_numpy().astype(np.float64)
    for kind, kept in (("linear", "models"), ("linear", "judged"), ("heuristic", "baseline")):
        model = models.fit(kind, FULL.objectives["high"], FULL.training, table, y, 1, 1)
        model.save(folder / kept / "high")
    (folder / "params.yaml").write_text(bundles.sealed_text(hourly.PARAMS))
    (folder / "features.sql").write_text(hourly.SQL)
    (folder / "evaluation.json").write_text("{}")
    (folder / "training.json").write_text("{}")
    (folder / "expectations").mkdir()
    (folder / "expectations" / "readings.json").write_text("{}")
    write_table(table, folder / "reference.parquet")
    write_table(table.head(3), folder / "golden.parquet")
    return folder
