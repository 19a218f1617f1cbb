"""The work of a run over real workers: the same bytes as in one process, and one clear line where there are none."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import hourly
import pytest
import spread

from homeostat import loop
from homeostat.adapters.dask import executor_of, function_name
from homeostat.decisions.session import Session
from homeostat.project.clock import move_on
from homeostat.project.executor import IN_PROCESS, Executor
from homeostat.project.layout import Project
from homeostat.project.scale_scope import Scale

DATA = ("data/landed", "data/accepted", "data/quarantine", "data/features")


class Noting:
    """Workers, with the names of what was sent to them."""

    def __init__(self, workers: Executor) -> None:
        self._workers, self.sent = workers, set[str]()

    @property
    def at_once(self) -> int:
        return self._workers.at_once

    def map(self, function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        if len(items) > 1:
            self.sent.add(function_name(function))
        return self._workers.map(function, items)


@pytest.fixture(scope="module")
def workers() -> Iterator[Executor]:
    with executor_of(Scale(workers=4)) as executor:
        yield executor


@pytest.fixture
def four(workers: Executor) -> Noting:
    return Noting(workers)


@pytest.mark.parametrize("scale", [None, Scale(workers=1)])
def test_without_workers_a_run_is_a_plain_loop(scale: Scale | None) -> None:
    with executor_of(scale) as executor:
        assert executor is IN_PROCESS


def test_answers_come_in_order(four: Noting) -> None:
    assert four.map(math.isqrt, [n * n for n in range(50)]) == list(range(50))


@pytest.mark.slow
def test_the_stages_of_the_data_write_the_same_bytes(four: Noting, tmp_path: Path) -> None:
    alone, over_four = spread.make(tmp_path / "alone"), spread.make(tmp_path / "four")
    assert spread.run_data_stages(alone, IN_PROCESS) == spread.run_data_stages(over_four, four)
    assert four.sent == {"read", "examine_landed", "make_run"}
    written = spread.files(alone.root, *DATA)
    assert written == spread.files(over_four.root, *DATA)
    assert {"data/quarantine/readings/2024-03-02T16.parquet", "data/features/2024-03-03T11.parquet"} <= written.keys()
    assert spread.run_data_stages(over_four, four) == spread.run_data_stages(over_four, IN_PROCESS)  # nothing is new


def taken_in(folder: Path, executor: Executor) -> Project:
    """The project after three ticks, the first of which takes in a day and a half at once."""
    project = spread.make(folder)
    for hours in (36, 38, 60):
        session = Session.open(project, executor)
        now = hourly.START + timedelta(hours=hours)
        if hours == 36:
            loop.begin(session, hourly.START)
            move_on(project, hourly.START)
        loop.tick(Session.open(project, executor), now)
    return project


@pytest.mark.slow
def test_ticks_write_the_same_bytes(four: Noting, tmp_path: Path) -> None:
    alone, over_four = taken_in(tmp_path / "alone", IN_PROCESS), taken_in(tmp_path / "four", four)
    assert four.sent == {"read", "make_run"}
    data, run = spread.files(alone.worktree.root, *DATA), spread.files(alone.root, "data/predictions")
    assert len(data) > 100
    assert run
    assert data == spread.files(over_four.worktree.root, *DATA)
    assert run == spread.files(over_four.root, "data/predictions")
