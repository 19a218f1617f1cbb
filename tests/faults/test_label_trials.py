"""Every fault of the labels tried on a history of feature tables: found, named, and nothing learns from them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import depot
import numpy as np
import polars as pl
import pytest

from homeostat.adapters.parquet import write_table
from homeostat.faults.label_trials import LABEL_FAULTS, LabelTrial, try_labels
from homeostat.project.layout import Project

DAYS, ROWS = 90, 400
SCOPE = depot.SCOPE.replace("min_slice: 1,", "min_slice: 100,").replace("decide: 2d", "decide: 7d")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Ninety days of which a fifth is late, which is known within the hour."""
    folder = tmp_path_factory.mktemp("labels") / "depot"
    folder.mkdir()
    (folder / "params.yaml").write_text(SCOPE)
    project, draw = Project(folder, folder), np.random.default_rng(5)
    for day in range(DAYS):
        at = [depot.START + timedelta(days=day, minutes=3 * n) for n in range(ROWS)]
        rate = 1 / (1 + np.exp(1.4 - draw.normal(0, 0.2)))
        known = [time + timedelta(minutes=float(m)) for time, m in zip(at, draw.uniform(10, 50, ROWS), strict=True)]
        label = (draw.random(ROWS) < rate).astype(float)
        table = pl.DataFrame({"event_time": at, "label__late": label, "known__late": known})
        table = table.with_columns(pl.col("event_time", "known__late").cast(pl.Datetime("us")))
        write_table(table, project.features / f"{depot.label(day)}.parquet")
    return project


@pytest.mark.parametrize("size", [1, 2])
def test_nothing_learns_from_labels_that_are_damaged(project: Project, size: int) -> None:
    trials = list(try_labels(project, 3, size))
    assert [t.fault for t in trials] == [name for name in LABEL_FAULTS for _ in range(3)]
    assert all(t.acted_right and t.right for t in trials), [t for t in trials if not (t.acted_right and t.right)]
    assert trials == list(try_labels(project, 3, size))  # chance is the seed's


def test_a_fault_that_is_not_found_would_be_learned() -> None:
    trial = LabelTrial("flipped-labels", "late", "d")
    assert (trial.action, trial.acted_right, trial.right) == ("retrain", False, False)
    noted = LabelTrial("flipped-labels", "late", "d", 4, ("label rate",), "retrain")
    assert noted.right and not noted.acted_right


def test_a_short_history_has_no_trials(project: Project, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(SCOPE)
    assert list(try_labels(Project(tmp_path, tmp_path), 2, 1)) == []
