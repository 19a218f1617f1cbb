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
from homeostat.monitoring.label_measures import due_rows, periods_of
from homeostat.project.layout import Project

DAYS, ROWS = 90, 400
SCOPE = depot.SCOPE.replace("min_slice: 1,", "min_slice: 100,").replace("features: []", "features: [load]")
SCOPE = SCOPE.replace("decide: 2d, retrain: 4d", "decide: 7d, retrain: 7d")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Ninety days of which a fifth is late, the heavier the likelier, which is known within the hour."""
    folder = tmp_path_factory.mktemp("labels") / "depot"
    folder.mkdir()
    (folder / "params.yaml").write_text(SCOPE)
    project, draw = Project(folder, folder), np.random.default_rng(5)
    for day in range(DAYS):
        at = [depot.START + timedelta(days=day, minutes=3 * n) for n in range(ROWS)]
        rate = 1 / (1 + np.exp(1.4 - draw.normal(0, 0.2)))
        known = [time + timedelta(minutes=float(m)) for time, m in zip(at, draw.uniform(10, 50, ROWS), strict=True)]
        load = draw.normal(0, 1, ROWS)
        label = (draw.random(ROWS) < 1 / (1 + np.exp(-np.log(rate / (1 - rate)) - 2 * load))).astype(float)
        table = pl.DataFrame({
            "event_time": at, "load": load, "label__late": label, "known__late": known,
            "given__depot": draw.choice(["north", "south"], ROWS, p=[0.7, 0.3]),
        })  # fmt: skip
        table = table.with_columns(pl.col("event_time", "known__late").cast(pl.Datetime("us")))
        write_table(table, project.features / f"{depot.label(day)}.parquet")
    return project


@pytest.mark.parametrize("size", [1, 2])
def test_nothing_learns_from_labels_that_are_damaged(project: Project, size: int) -> None:
    trials = list(try_labels(project, 3, size))
    assert [t.fault for t in trials] == [name for name in LABEL_FAULTS for _ in range(3)]
    assert all(t.right for t in trials), [t for t in trials if not t.right]
    hard = {"poisoned-slice", "feedback-loop"} if size < 2 else set()  # of which a part of the labels is as it was
    assert all(t.acted_right for t in trials if t.fault not in hard), [t for t in trials if not t.acted_right]
    assert trials == list(try_labels(project, 3, size))  # chance is the seed's


def test_labels_that_are_late_by_nature_are_measured_as_they_come(tmp_path: Path) -> None:
    """Of a stay that is yet to come: labels come 20 to 40 days after the event, and stop, or turn, one day."""
    (tmp_path / "params.yaml").write_text(SCOPE.replace("history: 3d", "history: 60d"))
    project, draw = Project(tmp_path, tmp_path), np.random.default_rng(6)
    for day in range(DAYS):
        at = [depot.START + timedelta(days=day, minutes=3 * n) for n in range(ROWS)]
        load = draw.normal(0, 1, ROWS)
        table = pl.DataFrame({
            "event_time": at, "load": load, "label__late": (load + draw.normal(0, 1, ROWS) > 1).astype(float),
            "known__late": [t + timedelta(days=float(d)) for t, d in zip(at, draw.uniform(20, 40, ROWS), strict=True)],
        }).with_columns(pl.col("event_time", "known__late").cast(pl.Datetime("us")))  # fmt: skip
        write_table(table, project.features / f"{depot.label(day)}.parquet")
    (period,) = [p for p in periods_of(project) if p.label == depot.label(70)]
    rows, usual = due_rows(project, period)
    earlier = rows.filter(pl.col("event_time") < period.start)
    came = pl.col("known__late").is_between(
        period.start + timedelta(hours=1), period.end + timedelta(hours=1), closed="left"
    )
    assert usual == ROWS and earlier.height > 300 and earlier.select(came.all()).item()
    trials = {t.fault: t for t in try_labels(project, 1, 2)}
    assert all(trials[name].acted_right for name in ("stopped-labels", "flipped-labels")), trials


def test_a_fault_that_is_not_found_would_be_learned() -> None:
    trial = LabelTrial("flipped-labels", "late", "d")
    assert (trial.action, trial.acted_right, trial.right) == ("retrain", False, False)
    noted = LabelTrial("flipped-labels", "late", "d", 4, ("label rate",), "retrain")
    assert noted.right and not noted.acted_right


def test_a_short_history_has_no_trials(project: Project, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(SCOPE)
    assert list(try_labels(Project(tmp_path, tmp_path), 2, 1)) == []
