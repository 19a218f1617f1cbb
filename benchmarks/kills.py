"""SIGKILL a replay at its file writes, many times, from a printed seed: it has to end as one that was left alone.

    .venv/bin/python benchmarks/kills.py --kills 200 [--seed N]

Each kill comes at a write chosen by chance, half of them between the opening of a file and its writing, and ends every
process that the command has started. A replay that has ended is compared (tags and commits by id, predictions,
decisions, drift records and incidents by byte, the table as served), and the next begins.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "tests")]

import hourly  # noqa: E402
from killing import kill_often  # noqa: E402
from replayed import DAY, PARAMS, outcome, same, whole  # noqa: E402

from homeostat.project.layout import Project  # noqa: E402

CLI = "from homeostat.cli import main; main()"


def main() -> None:
    """Kill, carry on and compare, until there were so many kills."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--kills", type=int, default=200)
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    given = options.parse_args()
    print(f"seed {given.seed}")
    chance, killed, replays, began = random.Random(given.seed), 0, 0, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="homeostat-kills-") as place:
        folder = hourly.make(Path(place) / "meters", params=PARAMS, table=hourly.steady_readings(24))
        undisturbed = outcome(whole(folder, "undisturbed"))
        while killed < given.kills:
            replays += 1
            below = folder.state / "replays" / f"killed-{replays}"
            args = ["-C", str(folder.home), "replay", *DAY, "--name", below.name]
            ends = kill_often(CLI, args, below, given.kills - killed, chance)
            killed += sum(end.killed for end in ends)
            assert ends[-1].errors == "", f"replay {replays} ended with: {ends[-1].errors}"
            same(outcome(Project(below, below)), undisturbed)
            print(f"replay {replays}: {len(ends) - 1} kills, then as if there had been none; {killed} kills in all")
    print(f"{killed} kills in {replays} replays, all equal, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
