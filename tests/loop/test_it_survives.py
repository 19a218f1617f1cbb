"""A replay that is interrupted many times ends as one that was not; one range ends alike wherever it runs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import hourly
import polars as pl
import pytest
from replayed import DAY, END, PARAMS, START, outcome, same, whole

from homeostat import loop, replay
from homeostat.adapters import dvc
from homeostat.monitoring import outcomes
from homeostat.project.clock import stands_at
from homeostat.project.layout import Project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A day of the hourly project: a model is released at noon and another at midnight."""
    made = tmp_path_factory.mktemp("survives") / "meters"
    return hourly.make(made, params=PARAMS, table=hourly.steady_readings(24))


@pytest.fixture(scope="module")
def uncut(folder: Project) -> Project:
    return whole(folder, "uncut")


def test_the_day_has_in_it_what_can_be_cut(uncut: Project) -> None:
    tags = [line.split()[1] for line in outcome(uncut).refs if "/tags/" in line]
    assert tags == [f"refs/tags/meters{t}" for t in ("#prod#1", "#prod#2", "@v0.1.0", "@v0.2.0")]
    assert sorted(p.name for p in uncut.decisions.iterdir()) == ["2024-03-01T120000.json", "2024-03-02T000000.json"]
    assert stands_at(uncut) == END


def test_under_another_name_it_ends_alike(folder: Project, uncut: Project) -> None:
    same(outcome(whole(folder, "other")), outcome(uncut))


class Stopped(Exception):
    """What stops a replay here."""


def stop_after_noon(tick: loop.Tick) -> None:
    if tick.now >= START + timedelta(hours=14):
        raise Stopped


def test_in_a_copy_of_the_folder_it_carries_on_there(folder: Project, uncut: Project, tmp_path: Path) -> None:
    begun = replay.prepare(folder, START, END, "copied")
    with pytest.raises(Stopped):
        replay.replay(begun, START, END, stop_after_noon)
    before = outcome(begun)
    shutil.copytree(folder.home, tmp_path / "copy", symlinks=True)
    same(outcome(whole(Project.find(tmp_path / "copy"), "copied")), outcome(uncut))
    same(outcome(begun), before)
    cache = (tmp_path / "copy" / ".homeostat" / "replays" / "copied" / ".dvc" / "config.local").read_text()
    assert str(folder.home) not in cache


# ---- cut short


def git_that_kills(place: Path, tag: str) -> dict[str, str]:
    """An environment where git, once, kills what called it as soon as it has made the tag."""
    real, gone = shutil.which("git"), place / "gone"
    place.mkdir()
    (place / "git").write_text(
        f'#!/bin/sh\ncase "$*" in *"update-ref refs/tags/{tag} "*) {real} "$@"\n'
        f'[ -e {gone} ] || {{ touch {gone}; kill -9 $PPID; }}; exit 0;; esac\nexec {real} "$@"\n'
    )
    (place / "git").chmod(0o755)
    return {"PATH": f"{place}{os.pathsep}{os.environ['PATH']}"}


@dataclass(frozen=True)
class Cut:
    """When a run is interrupted: at a moment, or by the git that it calls; ``group``: with all that it has started."""

    when: Callable[[Project], bool] | None = None
    how: signal.Signals = signal.SIGKILL
    group: bool = False
    env: str = ""


def dag_as_of(project: Project, hour: str) -> bool:
    """Whether a decision has moved the window on, which it does just before it reproduces the DAG."""
    path = project.worktree.window_file
    return path.is_file() and f"as_of: {hour}" in path.read_text()


def trains(project: Project, hour: str) -> bool:
    log = project.worktree.root / ".dvc" / "tmp" / "stages.log"
    return dag_as_of(project, hour) and log.is_file() and project.worktree.candidate.is_dir()


NOON, MIDNIGHT = "2024-03-01T12", "2024-03-02T00"
CUTS = [
    Cut(lambda p: p.home.is_dir()),
    Cut(lambda p: len(list((p.worktree.accepted / "readings").glob("*.parquet"))) >= 2),
    Cut(lambda p: dag_as_of(p, NOON), group=True),
    Cut(lambda p: trains(p, NOON)),
    Cut(env="meters@v0.1.0"),
    Cut(env="meters#prod#1"),
    Cut(lambda p: trains(p, MIDNIGHT), signal.SIGINT, group=True),
    Cut(lambda p: (p.worktree.bundle / "golden.parquet").is_file() and dag_as_of(p, MIDNIGHT), group=True),
    Cut(env="meters#prod#2"),
]  # fmt: skip


def run_until(of: Project, cut: Cut, place: Path) -> tuple[int, str]:
    """The replay's command, cut short; its exit code and what it said to standard error."""
    target = Project(of.state / "replays" / "cut", of.state / "replays" / "cut")
    command = [sys.executable, "-c", "from homeostat.cli import main; main()", "-C", str(of.home), "replay", *DAY]
    env = os.environ | {"PYTHONPATH": str(hourly.ROOT / "src")} | (git_that_kills(place, cut.env) if cut.env else {})
    run = subprocess.Popen(
        [*command, "--name", "cut"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    end = time.monotonic() + 150
    while run.poll() is None and time.monotonic() < end:
        if cut.when is not None and cut.when(target):
            (os.killpg if cut.group else os.kill)(run.pid, cut.how)
            break
        time.sleep(0.02)
    _, said = run.communicate(timeout=150)
    return run.returncode, said


@pytest.fixture(scope="module")
def cut(folder: Project, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, list[tuple[int, str]]]:
    """The same day in a clone, with a DVC cache of its own that is empty, cut short at each of ``CUTS``."""
    place = tmp_path_factory.mktemp("cut")
    hourly.run(place, "clone", "-q", str(folder.home), str(place / "clone"))
    of = Project(place / "clone", place / "clone")
    ends = [run_until(of, cut, place / f"bin{n}") for n, cut in enumerate(CUTS)]
    return whole(of, "cut"), ends


def test_each_cut_was_one(cut: tuple[Project, list[tuple[int, str]]]) -> None:
    _, ends = cut
    assert [code for code, _ in ends] == [130 if c.how == signal.SIGINT else -signal.SIGKILL for c in CUTS]
    stopped = next(said for code, said in ends if code == 130)
    assert stopped.strip() == "homeostat: stopped; nothing is lost, run again to carry on"
    assert [said for code, said in ends if code < 0] == [""] * (len(CUTS) - 1)


def test_cut_short_in_another_folder_with_nothing_cached_it_ends_alike(
    cut: tuple[Project, list[tuple[int, str]]], uncut: Project
) -> None:
    replayed, _ = cut
    assert not (uncut.home / ".dvc" / "cache").is_dir()  # the folder's own is shared
    assert str(replayed.home.parents[2]) in (replayed.home / ".dvc" / "config.local").read_text()
    same(outcome(replayed), outcome(uncut))
    assert hourly.run(replayed.home, "status", "--porcelain") == ""
    assert dvc.pending(replayed.worktree.root) == []


# ---- as served


def test_a_prediction_row_that_is_gone_is_gone_from_the_table(uncut: Project) -> None:
    before = outcomes.monthly(uncut)
    path = sorted(uncut.predictions.glob("*.parquet"))[1]
    kept = path.read_bytes()
    try:
        rows = pl.read_parquet(path)
        rows.slice(1).write_parquet(path)
        after = outcomes.monthly(uncut)
    finally:
        path.write_bytes(kept)
    assert not after.equals(before)
    counts = [t.filter(model="served").select("rows", "log_loss", "money").row(0) for t in (before, after)]
    assert counts[0][0] - counts[1][0] == 1
    assert counts[0][1] != counts[1][1]
    assert outcomes.monthly(uncut).equals(before)
