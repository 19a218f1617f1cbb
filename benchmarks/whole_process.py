"""A command run as a process of its own: time, memory and output."""

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
    output: str


def run(command: Sequence[str | Path], folder: Path = ROOT) -> Run:
    """Run a command to its end.

    Raises:
        RuntimeError: it failed; the end of its output.
    """
    began = time.perf_counter()
    process = subprocess.Popen(
        [str(word) for word in command], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command}: exit {process.returncode}: {output[-2000:]}")
    return Run(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6, output)
