"""A command run as a whole process: what it took, and what it said."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
BIN = ROOT / ".venv" / "bin"


@dataclass(frozen=True)
class Run:
    """Seconds on the wall and of the processors, GB of the largest process, and the output."""

    wall: float
    cpu: float
    peak: float
    said: str


def run(command: Sequence[str | Path], folder: Path = ROOT) -> Run:
    """Run a command to its end.

    Raises:
        RuntimeError: it failed; what it said.
    """
    began = time.perf_counter()
    process = subprocess.Popen(
        [str(word) for word in command], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command}: exit {process.returncode}: {said[-2000:]}")
    return Run(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6, said)
