"""Figures as served, from prediction rows and labels written by hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from readings import PARAMS

from homeostat.adapters.parquet import write_table
from homeostat.core.errors import DataError
from homeostat.core.periods import period_containing
from homeostat.monitoring import outcomes
from homeostat.project.layout import Project
from homeostat.project.window import write_window

HOUR = timedelta(hours=1)
START = datetime(2024, 2, 29, 22)  # two hours of February, two of March
NOW = START + 6 * HOUR
METERS = 10


def write(project: Project, folder: Path, table: pl.DataFrame) -> None:
    for (start,), part in table.group_by_dynamic("event_time", every="1h"):  # one batch an hour
        label = period_containing(start, HOUR, timedelta(0)).label
        write_table(part, folder / f"{label}.parquet")


def events(hours: int = 4) -> pl.DataFrame:
    rows = [(f"m{m}", START + h * HOUR + timedelta(minutes=m)) for h in range(hours) for m in range(METERS)]
    return pl.DataFrame(rows, schema={"meter": pl.String, "at": pl.Datetime("us")}, orient="row").with_columns(
        pl.col("at").alias("event_time"), pl.col("at").alias("predict_at")
    )


def predictions(hours: int = 4) -> pl.DataFrame:
    """The served model gives odd meters 0.8 and others 0.1; the baseline says 0.5; never retrained is of March on."""
    odd = pl.col("meter").str.slice(1).cast(pl.Int64) % 2 == 1
    return events(hours).with_columns(
        release=pl.when(pl.col("at") < START + HOUR).then(pl.lit("v0.1.0")).otherwise(pl.lit("v0.2.0")),
        score__high=pl.when(odd).then(0.8).otherwise(0.1),
        baseline__high=0.5,
        never__high=pl.when(pl.col("at") >= START + 2 * HOUR).then(0.3),
        risk=pl.when(odd).then(0.8).otherwise(0.1),
        alert=pl.col("meter") == "m1",
    )


def features(hours: int = 4) -> pl.DataFrame:
    """Odd meters are high; a label is known half an hour after its event."""
    odd = pl.col("meter").str.slice(1).cast(pl.Int64) % 2 == 1
    return events(hours).with_columns(
        label__high=odd.cast(pl.Float64), known__high=pl.col("at") + timedelta(minutes=30)
    )


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "params.yaml").write_text(PARAMS)
    made = Project(tmp_path, tmp_path)
    write_window(made, START, NOW)
    write(made, made.predictions, predictions())
    write(made, made.features, features())
    return made


def observed(
    project: Project, since: datetime, until: datetime, release: str | None = None
) -> dict[str, outcomes.Observed]:
    return outcomes.observed(project.scope, outcomes.rows(project, since, until), until, release)


def row(table: pl.DataFrame, model: str, month: str) -> dict:
    found = table.filter(pl.col("model") == model, pl.col("month") == month)
    assert len(found) == 1
    return found.row(0, named=True)


def test_one_row_an_objective_model_and_month(project: Project) -> None:
    table = outcomes.monthly(project)
    assert table.columns == ["objective", "model", "month", "rows", "log_loss", "money"]
    assert table.select("objective", "model", "month", "rows").rows() == [
        ("high", "served", "2024-02", 20),
        ("high", "served", "2024-03", 20),
        ("high", "never", "2024-03", 20),  # there was no learned model before
        ("high", "baseline", "2024-02", 20),
        ("high", "baseline", "2024-03", 20),
    ]
    expected = -(np.log(0.8) + np.log(0.9)) / 2
    assert row(table, "served", "2024-02")["log_loss"] == pytest.approx(expected)
    assert row(table, "baseline", "2024-02")["log_loss"] == pytest.approx(np.log(2))


def test_money_follows_the_alerts_that_were_given(project: Project) -> None:
    """Two hours a month, five high meters each; a missed one costs 1, an alert for a high one nothing."""
    table = outcomes.monthly(project)
    assert row(table, "served", "2024-03")["money"] == 2 * 4
    assert row(table, "never", "2024-03")["money"] == 2 * 5  # 0.3 is not worth an alert at 1 * 0.7
    silent = project.predictions / "2024-03-01T00.parquet"
    write_table(pl.read_parquet(silent).with_columns(alert=False), silent)
    assert row(outcomes.monthly(project), "served", "2024-03")["money"] == 5 + 4


def test_deleting_one_prediction_row_changes_the_table(project: Project) -> None:
    before = outcomes.monthly(project)
    path = project.predictions / "2024-03-01T00.parquet"
    write_table(pl.read_parquet(path).slice(1), path)
    after = outcomes.monthly(project)
    assert not after.equals(before)
    assert row(after, "served", "2024-03")["rows"] == 19
    assert row(after, "served", "2024-02") == row(before, "served", "2024-02")


def test_of_two_rows_for_one_event_the_first_counts(project: Project) -> None:
    before = outcomes.monthly(project)
    path = project.predictions / "2024-03-01T00.parquet"
    rows = pl.read_parquet(path)
    write_table(pl.concat([rows, rows.with_columns(score__high=pl.lit(0.99))]), path)
    assert outcomes.monthly(project).equals(before)


def test_an_event_counts_once_its_label_is_mature(project: Project) -> None:
    """The horizon is an hour, and a label known early does not count before it."""
    assert outcomes.monthly(project, START + HOUR).get_column("rows").to_list() == [1, 1]  # at its very end, 22:00
    assert row(outcomes.monthly(project, START + 2 * HOUR), "served", "2024-02")["rows"] == 11
    late = project.features / "2024-02-29T22.parquet"
    write_table(pl.read_parquet(late).with_columns(known__high=pl.lit(NOW + HOUR)), late)
    assert row(outcomes.monthly(project), "served", "2024-02")["rows"] == 10


def test_an_event_without_a_label_is_left_out(project: Project) -> None:
    (project.features / "2024-02-29T22.parquet").unlink()  # its batch was taken back
    assert row(outcomes.monthly(project), "served", "2024-02")["rows"] == 10


def test_months_begin_where_days_do(project: Project) -> None:
    (project.root / "params.yaml").write_text(PARAMS.replace("{offset: 0s", "{offset: 1h"))
    months = outcomes.monthly(Project(project.root, project.home)).filter(pl.col("model") == "served")
    assert months.select("month", "rows").rows() == [("2024-02", 30), ("2024-03", 10)]


def test_nothing_predicted_is_an_empty_table(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(PARAMS)
    empty = Project(tmp_path, tmp_path)
    assert outcomes.monthly(empty, NOW).columns == ["objective", "model", "month", "rows", "log_loss", "money"]
    assert observed(empty, START, NOW) == {}


def test_labels_come_from_the_tree_of_scheduled_work(project: Project) -> None:
    ledger = project.worktree
    ledger.root.mkdir(parents=True)
    (ledger.root / "params.yaml").write_text(PARAMS)
    write_window(ledger, START, NOW)
    write(ledger, ledger.features, features().with_columns(label__high=1 - pl.col("label__high")))
    assert row(outcomes.monthly(project), "served", "2024-02")["log_loss"] > 1


def test_realised_gives_what_monitoring_needs(project: Project) -> None:
    found = observed(project, START + HOUR, START + 4 * HOUR)["high"]
    assert found.key.rows() == features().slice(10, 21).select("meter", "at").rows()  # up to the horizon before
    assert found.y.tolist() == [float(i % 2) for i in range(10)] * 2 + [0.0]
    assert found.score.tolist() == [0.1, 0.8] * 10 + [0.1]
    assert set(found.baseline.tolist()) == {0.5}
    assert np.isnan(found.never[:10]).all() and set(found.never[10:].tolist()) == {0.3}
    assert len(set(found.block.tolist())) == 3
    assert found.group is None


def test_realised_of_one_release(project: Project) -> None:
    assert len(observed(project, START, NOW)["high"].y) == 40
    assert len(observed(project, START, NOW, "v0.1.0")["high"].y) == 10
    assert observed(project, START, NOW, "v0.9.0") == {}


def test_an_objective_that_was_added_later_has_no_figures_yet(project: Project) -> None:
    before = outcomes.monthly(project)
    more = "objectives: {low: {task: binary, label: load < 2, known: all, weight: 1, features: []}, "
    (project.root / "params.yaml").write_text(PARAMS.replace("objectives: {", more))
    for path in project.features.glob("*.parquet"):
        low = pl.read_parquet(path).with_columns(label__low=pl.lit(0.0), known__low=pl.col("known__high"))
        write_table(low, path)
    fresh = Project(project.root, project.home)
    assert outcomes.monthly(fresh).equals(before)


def test_a_damaged_file_is_named(project: Project) -> None:
    path = project.predictions / "2024-03-01T00.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="2024-03-01T00.parquet: damaged"):
        outcomes.monthly(project)
