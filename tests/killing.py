"""Commands that are killed at a chosen write, with everything that they have started."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import hourly

SITE = Path(__file__).parent / "killing_site"
CLI = "from homeostat.cli import main; main()"
PATIENCE = 300  # seconds for one run
# Of a folder what no command has to leave alike: what git and DVC have at hand, and where the folder stands.
APART = {".git", ".dvc/cache", ".dvc/tmp", ".dvc/config.local", ".homeostat/cache", ".homeostat/replays", ".prefect"}
VOLATILE = {".homeostat/lock", ".homeostat/clock.json", ".homeostat/up.json"}


@dataclass(frozen=True)
class Ended:
    """How a run ended: killed or by itself, after how many writes, and what it said to standard error."""

    killed: bool
    code: int
    writes: int
    errors: str


def start(
    args: Sequence[str], below: Path, at: int = 0, torn: bool = False, env: Mapping[str, str] | None = None,
    code: str = CLI,
) -> subprocess.Popen[str]:
    """Start ``homeostat ARGS``, or other ``code``, to be killed as it begins the ``at``-th write below the folder."""
    count = _count(below)
    count.unlink(missing_ok=True)
    settings = {
        "PYTHONPATH": os.pathsep.join([str(SITE), str(hourly.ROOT / "src")]), "KILL_BELOW": str(below),
        "KILL_COUNT": str(count), "KILL_AT": str(at), "KILL_TORN": str(int(torn)),
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-c", code, *args], env=os.environ | settings | (env or {}), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def run(
    args: Sequence[str], below: Path, at: int = 0, torn: bool = False, env: Mapping[str, str] | None = None,
    code: str = CLI,
) -> Ended:
    """Run what ``start`` starts, killed as it has it, if it comes to that."""
    process = start(args, below, at, torn, env, code)
    _, errors = process.communicate(timeout=PATIENCE)
    return Ended(process.returncode == -signal.SIGKILL, process.returncode, writes(below), errors)


def writes(below: Path) -> int:
    """How many writes the last run began."""
    return _count(below).stat().st_size if _count(below).is_file() else 0


def kill_often(
    args: Sequence[str], below: Path, kills: int, chance: random.Random, most: int,
    env: Mapping[str, str] | None = None, code: str = CLI,
) -> list[Ended]:  # fmt: skip
    """Kill a command again and again, each time at another write, then let it end; how each run ended.

    ``most`` is the number of its writes when nothing disturbs it. It may end by itself before it was killed so often:
    most of what it had to do is done by then.
    """
    ends: list[Ended] = []
    for _ in range(kills):
        at = chance.randint(1, max(1, chance.choice((most // 10, most // 3, most))))
        ends.append(run(args, below, at, chance.random() < 0.5, env, code))
        if not ends[-1].killed:
            return ends
    return [*ends, run(args, below, env=env, code=code)]


def copied(original: Path, folder: Path) -> Path:
    """A copy of a project where there is one, else the place for one."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    if original.exists():
        shutil.copytree(original, folder, symlinks=True)
    return folder


def contents(folder: Path) -> dict[str, str]:
    """All that a project holds, by path: the refs by id and the files by hash, what an unfinished write left too."""
    listed = {ref: name for name, ref in (line.split() for line in hourly.run(folder, "show-ref").splitlines())}
    for at, folders, files in os.walk(folder):
        inside = Path(at).relative_to(folder)
        folders[:] = [name for name in folders if not _is_apart(inside / name)]
        for name in files:
            path = inside / name
            if not _is_apart(path) and path.as_posix() not in VOLATILE:
                listed[path.as_posix()] = hashlib.sha256((folder / path).read_bytes()).hexdigest()
    return listed


def _is_apart(path: Path) -> bool:
    text = path.as_posix().removeprefix(".homeostat/ledger/")
    return text in APART or path.name == "__pycache__"


def _count(below: Path) -> Path:
    return below.parent / f"{below.name}.writes"
