"""Labels as they mature, from feature tables written by hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from readings import PARAMS

from homeostat.adapters.parquet import write_table
from homeostat.core.rules import Rule
from homeostat.core.sentences import sentence
from homeostat.data.known_at import FAR
from homeostat.monitoring.labels import LabelRecord, check_labels
from homeostat.project.layout import Project

HOUR = timedelta(hours=1)
START = datetime(2024, 3, 1)


def batch(
    project: Project, hour: int, positive: float = 0.3, known_after: timedelta = 20 * timedelta(minutes=1)
) -> str:
    """The features of one hour: 50 events, the first of them positive."""
    at = START + hour * HOUR
    rows = [(f"m{n}", at + timedelta(seconds=n), float(n < 50 * positive)) for n in range(50)]
    table = pl.DataFrame(
        rows, schema={"meter": pl.String, "event_time": pl.Datetime("us"), "label__high": pl.Float64}, orient="row"
    )
    table = table.with_columns((pl.col("event_time") + known_after).alias("known__high"))
    label = f"{at:%Y-%m-%dT%H}"
    write_table(table, project.features / f"{label}.parquet")
    return label


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "params.yaml").write_text(PARAMS)
    return Project(tmp_path, tmp_path)


def failed(project: Project, now: datetime) -> list[tuple[Rule, str]]:
    findings = check_labels(project, LabelRecord(project), now)
    assert all(sentence(f) for f in findings)
    return [(f.rule, f.since) for f in findings if f.failed]


def test_labels_of_one_class_are_doubted_from_their_first_batch(project: Project) -> None:
    for hour in range(24):
        batch(project, hour, 0.2 + hour % 5 / 20)
    now = START + 25 * HOUR
    assert failed(project, now) == []
    since = batch(project, 24, positive=1.0)
    assert failed(project, now) == []  # its events are not mature yet
    assert failed(project, now + HOUR) == [(Rule.LABELS, since)]


def test_labels_that_the_scope_does_not_trust_raise_no_doubt(project: Project) -> None:
    for hour in range(24):
        batch(project, hour, 0.2 + hour % 5 / 20)
    batch(project, 24, positive=1.0)
    until = f'label_horizon: 1h, labels_until: "{START + 24 * HOUR}"'
    (project.root / "params.yaml").write_text(PARAMS.replace("label_horizon: 1h", until))
    assert failed(Project(project.root, project.root), START + 26 * HOUR) == []


def test_a_label_that_comes_after_the_horizon_counts_as_missing(project: Project) -> None:
    for hour in range(24):
        batch(project, hour, 0.2 + hour % 5 / 20)
    since = batch(project, 24, known_after=5 * HOUR)
    assert failed(project, START + 26 * HOUR) == [(Rule.LABELS, since)]
    assert failed(project, START + 40 * HOUR) == [(Rule.LABELS, since)]  # however late one looks


def test_each_batch_is_measured_once(project: Project) -> None:
    for hour in range(5):
        batch(project, hour)
    record = LabelRecord(project)
    first = record.until(START + 10 * HOUR)["high"]
    batch(project, 2, positive=0.9)  # rewritten later
    batch(project, 5)
    kept, read = (one.until(START + 10 * HOUR)["high"] for one in (record, LabelRecord(project)))
    assert kept == read == LabelRecord(project).until(START + 10 * HOUR)["high"]
    assert kept[:5] == first and len(kept) == 6
    assert len(record.until(START + 4 * HOUR)["high"]) == 3  # as of an earlier time


def test_labels_of_a_batch_in_doubt_say_nothing(project: Project) -> None:
    for hour in range(24):
        batch(project, hour, 0.2 + hour % 5 / 20)
    for hour in range(24, 30):
        label = batch(project, hour, positive=1.0)
        path = project.features / f"{label}.parquet"
        table = pl.read_parquet(path)
        write_table(table.with_columns(pl.lit(FAR, pl.Datetime("us")).alias("known__high")), path)
    now = START + 40 * HOUR
    assert failed(project, now) == []
    assert [b.events for b in LabelRecord(project).until(now)["high"][-6:]] == [0] * 6
    since = batch(project, 30, positive=1.0)
    assert failed(project, now) == [(Rule.LABELS, since)]


def test_nothing_mature_says_nothing(project: Project) -> None:
    assert check_labels(project, LabelRecord(project), START) == []


def test_a_batch_counts_as_far_as_it_has_matured_where_that_is_enough_to_judge(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(PARAMS)
    project = Project(tmp_path, tmp_path)
    horizon, least = project.scope.events.label_horizon, project.scope.evaluation.min_slice
    for hour in range(24):
        batch(project, hour, 0.2 + hour % 5 / 20)
    since = batch(project, 24, positive=1.0)  # 50 events, one a second
    begin = START + 24 * HOUR + horizon
    assert failed(project, begin + timedelta(seconds=least - 1)) == []
    assert failed(project, begin + timedelta(seconds=max(least, 40))) == [(Rule.LABELS, since)]
    assert len(LabelRecord(project).until(begin + timedelta(seconds=40))["high"]) == 24  # on record once it is whole
