"""SIGKILL at file writes, torn ones too: what is run again ends as if nothing had happened, without a hand."""

from __future__ import annotations

import random
from pathlib import Path

import hourly
import pytest
from killing import kill_often
from replayed import DAY, PARAMS, outcome, same, whole

from homeostat.project.layout import Project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
CLI = "from homeostat.cli import main; main()"
KILLS, SEED = 20, 9


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return hourly.make(tmp_path_factory.mktemp("kills") / "meters", params=PARAMS, table=hourly.steady_readings(24))


def test_a_replay_killed_at_its_writes_ends_alike(folder: Project, tmp_path: Path) -> None:
    undisturbed = outcome(whole(folder, "undisturbed"))
    chance, killed, round = random.Random(SEED), 0, 0
    while killed < KILLS:
        round += 1
        name = f"killed-{round}"
        below = folder.state / "replays" / name
        args = ["-C", str(folder.home), "replay", *DAY, "--name", name]
        ends = kill_often(CLI, args, below, KILLS - killed, chance)
        killed += sum(end.killed for end in ends)
        assert ends[-1].errors == "", (round, ends)
        same(outcome(Project(below, below)), undisturbed)
