"""Commands that are killed at a chosen write, with everything that they have started."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import hourly

SITE = Path(__file__).parent / "killing_site"
PATIENCE = 300  # seconds for one run


@dataclass(frozen=True)
class Ended:
    """How a run ended: killed or by itself, after how many writes, and what it said to standard error."""

    killed: bool
    writes: int
    errors: str


def run(code: str, args: Sequence[str], below: Path, at: int = 0, torn: bool = False) -> Ended:
    """Run ``python -c CODE ARGS``; killed as it begins the ``at``-th write below the folder, if it comes to that."""
    count = below.parent / f"{below.name}.writes"
    count.unlink(missing_ok=True)
    env = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(SITE), str(hourly.ROOT / "src")]),
        "KILL_BELOW": str(below), "KILL_COUNT": str(count), "KILL_AT": str(at), "KILL_TORN": str(int(torn)),
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", code, *args], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    _, errors = process.communicate(timeout=PATIENCE)
    writes = count.stat().st_size if count.is_file() else 0
    return Ended(process.returncode == -signal.SIGKILL, writes, errors)


def kill_often(code: str, args: Sequence[str], below: Path, kills: int, chance: random.Random) -> list[Ended]:
    """Kill a command again and again, each time at another write, then let it end; how each run ended.

    It may end by itself before it was killed so often: most of what it had to do is done by then.
    """
    ends = []
    for _ in range(kills):
        ends.append(run(code, args, below, chance.randint(1, chance.choice((12, 60, 300))), chance.random() < 0.5))
        if not ends[-1].killed:
            return ends
    return [*ends, run(code, args, below)]
