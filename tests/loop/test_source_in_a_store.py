"""Readings that lie in an object store: a tick while the store is in trouble, and the next when it is not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import hourly
import polars as pl
import pytest
from troubled_store import Trouble, in_front_of, object_store

from homeostat import loop
from homeostat.core.errors import DataError
from homeostat.decisions.session import Session
from homeostat.project.clock import move_on
from homeostat.project.layout import Project

HOURS = 8
CLOCK = f'threads: 1\nclock: {{start: "{hourly.START.isoformat()}", speed: 1}}\n'


@pytest.fixture(scope="module")
def filled() -> Iterator[str]:
    import boto3

    with object_store("readings") as address:
        body = hourly.readings(HOURS).write_csv(datetime_format="%Y-%m-%dT%H:%M:%S").encode()
        client = boto3.client("s3", endpoint_url=address, region_name="us-east-1")
        client.put_object(Bucket="readings", Key="readings.csv", Body=body)
        yield address


@pytest.fixture
def project(tmp_path: Path) -> Project:
    params = hourly.PARAMS.replace("threads: 1\n", CLOCK).replace("readings.csv", "s3://readings/readings.csv")
    made = hourly.make(tmp_path / "meters", params=params, table=hourly.readings(1))
    loop.begin(Session.open(made), hourly.START)
    move_on(made, hourly.START)
    return made


def tick(project: Project) -> None:
    loop.tick(Session.open(project), hourly.START + timedelta(hours=HOURS - 2))


def accepted(project: Project) -> list[str]:
    """The readings that were accepted, a line each."""
    files = sorted((project.worktree.accepted / "readings").glob("*.parquet"))
    return [str(row) for file in files for row in pl.read_parquet(file).rows()]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trouble", "times", "why"),
    [
        ("503", 2, ""),
        ("half", 2, ""),
        ("slow", float("inf"), ""),
        ("503", float("inf"), "Service Unavailable"),
        ("half", float("inf"), "Response payload is not completed"),
    ],
)
def test_a_tick_takes_all_of_them_once_or_says_one_line(
    filled: str, project: Project, monkeypatch: pytest.MonkeyPatch, trouble: Trouble, times: float, why: str
) -> None:
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    with in_front_of(filled) as store:
        monkeypatch.setenv("AWS_ENDPOINT_URL", store.address)
        store.begin(trouble, times)
        if why:
            with pytest.raises(DataError, match=f"readings: .*readings.csv cannot be reached: .*{why}") as caught:
                tick(project)
            assert "\n" not in str(caught.value)
            assert accepted(project) == []
            assert store.troubled
            store.begin("")
        tick(project)
        assert why or store.troubled
        rows = accepted(project)
        assert len(rows) == len(set(rows)) > 0
        tick(project)
        assert accepted(project) == rows
    s3fs.S3FileSystem.clear_instance_cache()
