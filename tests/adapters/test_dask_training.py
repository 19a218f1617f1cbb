"""LightGBM's distributed learner over real workers: its bytes follow from the number of ranks, and it ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import tides

from homeostat.adapters.dask import Workers, executor_of
from homeostat.core.errors import EnvironmentFault
from homeostat.core.metrics import log_losses
from homeostat.models import lightgbm
from homeostat.models.lightgbm import boost_rank, parts
from homeostat.project.executor import Executor
from homeostat.project.layout import Project
from homeostat.project.scale_scope import Scale
from homeostat.project.scope import Objective
from homeostat.project.training_scope import LightGBM
from homeostat.stages import train as stage

SETTINGS = LightGBM(trees=30, leaves=15, learning_rate=0.1, min_leaf=20, feature_share=0.7, row_share=0.8)

pytestmark = pytest.mark.slow


def events(rows: int = 12_000) -> pl.DataFrame:
    """Numbers, some missing, and a category; the label follows from all of them."""
    draw = np.random.default_rng(5)
    number, other, kind = draw.normal(size=rows), draw.normal(size=rows), draw.integers(0, 5, rows)
    label = draw.random(rows) < 1 / (1 + np.exp(1 - number - 0.5 * kind + other * (kind == 2)))
    return pl.DataFrame({
        "number": np.where(draw.random(rows) < 0.1, np.nan, number), "other": other,
        "kind": [f"k{k}" for k in kind], "label": label.astype(float), "list": np.arange(rows) // 7,
    }).with_columns(pl.col("number").fill_nan(None))  # fmt: skip


def objective(task: str = "binary") -> Objective:
    group = {"group": "list"} if task == "ranking" else {}
    return Objective(task=task, label="label", known="all", weight=1, features=("number", "other", "kind"), **group)


def fitted(executor: Executor, ranks: int, task: str = "binary", settings: LightGBM = SETTINGS) -> lightgbm.Trees:
    table = events()
    group = table["list"].to_numpy() if task == "ranking" else None
    y = table["label"].to_numpy()
    return lightgbm.fit(objective(task), settings, table, y, 1, 1, group, executor=executor, ranks=ranks)


def trees(text: str) -> str:
    return text.partition("end of trees")[0]


@pytest.fixture(scope="module")
def two() -> Iterator[Executor]:
    with executor_of(Scale(workers=2)) as executor:
        yield executor


@pytest.mark.parametrize("task", ["binary", "ranking"])
def test_the_same_number_of_ranks_gives_the_same_bytes(two: Executor, task: str) -> None:
    first = fitted(two, 2, task)
    assert "[num_machines: 2]" in first.text
    assert first.text == fitted(two, 2, task).text
    with executor_of(Scale(workers=3)) as three:  # of which two are used
        assert first.text == fitted(three, 2, task).text


def test_workers_that_come_and_go_stay_while_they_fit_together(two: Executor) -> None:
    with executor_of(Scale(adaptive=(1, 2))) as executor:
        assert fitted(executor, 2).text == fitted(two, 2).text


def test_one_rank_gives_the_trees_of_this_process(two: Executor) -> None:
    alone = fitted(two, 1)
    recipe = lightgbm.Recipe(lightgbm._params("binary", SETTINGS, 1, 1), SETTINGS.trees, (2,))
    table = events()
    rows = lightgbm.Rows(lightgbm.encoding.matrix(alone.encoded, table), table["label"].to_numpy())
    (text,) = two.together(partial(boost_rank, recipe), parts(rows, 1))
    assert trees(text) == trees(alone.text)


def test_two_ranks_are_as_good_as_one(two: Executor) -> None:
    table = events()
    losses = [log_losses(table["label"].to_numpy(), fitted(two, ranks).predict(table)).mean() for ranks in (1, 2)]
    assert abs(losses[0] - losses[1]) < 0.001


def disturbed(signal_: int, workers: Sequence[int], seconds: float) -> threading.Thread:
    def disturb() -> None:
        time.sleep(seconds)
        os.kill(workers[0], signal_)

    thread = threading.Thread(target=disturb)
    thread.start()
    return thread


LONG = SETTINGS.model_copy(update={"trees": 400})


def test_a_fit_whose_worker_is_killed_begins_again_and_gives_the_same_bytes() -> None:
    with executor_of(Scale(workers=2)) as executor:
        whole = fitted(executor, 2, settings=LONG).text
        assert isinstance(executor, Workers)
        began = time.monotonic()
        fitted(executor, 2, settings=LONG)
        usual = time.monotonic() - began
        processes = list(executor.connect(10).run(os.getpid).values())
        thread = disturbed(signal.SIGKILL, processes, usual / 2)
        assert fitted(executor, 2, settings=LONG).text == whole
        thread.join()
        assert set(executor.connect(10).run(os.getpid).values()) != set(processes)


def test_a_fit_with_a_worker_that_has_stopped_ends_at_its_deadline() -> None:
    with executor_of(Scale(workers=2, fit_within="5s")) as executor:
        whole = fitted(executor, 2).text
        assert isinstance(executor, Workers)
        processes = list(executor.connect(10).run(os.getpid).values())
        os.kill(processes[0], signal.SIGSTOP)
        began = time.monotonic()
        assert fitted(executor, 2).text == whole  # another in its place
        assert time.monotonic() - began < 60
        with pytest.raises(ProcessLookupError):
            os.kill(processes[0], 0)


def trained(folder: Path, days: int) -> Project:
    """The stage train, in a project where two workers fit whatever has more than a thousand events."""
    distribute = {"above": 1000, "ranks": 2}
    project = tides.tides(folder, days, scale={"workers": 2}, training__distribute=distribute)
    with contextlib.chdir(folder):
        stage.main()
    return project


def test_the_stage_train_says_by_how_many_ranks(tmp_path: Path) -> None:
    """Of models that learn from more than the limit, however many there are: the others are fitted as ever."""
    project, again = (trained(tmp_path / name, days=26) for name in ("one", "again"))
    kept = {path.relative_to(project.candidate): path.read_bytes() for path in project.candidate.rglob("*.*")}
    assert kept == {path.relative_to(again.candidate): path.read_bytes() for path in again.candidate.rglob("*.*")}
    training = json.loads((project.candidate / "training.json").read_text())["objectives"]
    assert {name: of["ranks"] for name, of in training.items()} == dict.fromkeys(("flood", "height", "order"), 2)
    for name in training:
        assert b"[num_machines: 2]" in kept[Path(name) / "final" / "trees.txt"]
        assert b"[num_machines: 1]" in kept[Path(name) / "judged" / "trees.txt"]  # on fewer events


def test_too_few_workers_are_one_line(monkeypatch: pytest.MonkeyPatch, two: Executor) -> None:
    monkeypatch.setattr("homeostat.adapters.dask.RETURN", 2)
    with pytest.raises(EnvironmentFault, match=r"2 workers, and training.distribute.ranks needs 3; start more"):
        fitted(two, 3)
