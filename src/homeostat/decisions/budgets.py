"""What a candidate spends of the budgets of the scope: bytes, and time, memory and money to score and to make it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from homeostat import models
from homeostat.adapters import dvc
from homeostat.core.errors import EnvironmentFault

if TYPE_CHECKING:
    from homeostat.project.operation_scope import Budget
    from homeostat.training.bundle import Bundle

MEASURE = """
import resource, sys
from pathlib import Path
from homeostat import models
from homeostat.training import bundle
made = bundle.load(Path(sys.argv[1]), sys.argv[2])
models.predict_each(made.models, made.golden)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6)
"""
ROUNDS = 5  # times that each golden event is scored: a few hundred scores say where 95 % of them lie


def spent(bundle: Bundle, seconds: float, limits: Budget) -> dict[str, float]:
    """What the candidate takes of each limit there is; it was made in ``seconds``."""
    score_seconds = cache(lambda: _score_seconds(bundle))  # its cost follows from the very figure
    measured: dict[str, Callable[[], float]] = {
        "megabytes": lambda: _megabytes(bundle),
        "score_seconds": score_seconds,
        "score_memory": lambda: _score_memory(bundle),
        "score_cost": lambda: 1000 * score_seconds() * _price(limits),
        "make_seconds": lambda: seconds,
        "make_memory": dvc.WORKER.peak_megabytes,
        "make_cost": lambda: seconds * _price(limits),
    }
    return {name: measured[name]() for name in limits.limits}


def _price(limits: Budget) -> float:
    """Of a second."""
    assert limits.hour is not None, "the scope asks for it"
    return limits.hour / 3600


def _score_memory(bundle: Bundle) -> float:
    """Peak resident memory, in millions of bytes, of a process that loads the models and scores golden events."""
    command = [sys.executable, "-c", MEASURE, str(bundle.folder), bundle.hash]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                          capture_output=True, text=True, check=False)  # fmt: skip
    if done.returncode:
        raise EnvironmentFault(f"{bundle.folder}: cannot be scored in a process of its own; "
                               f"{(done.stderr.strip().splitlines() or ['it ended without a word'])[-1]}")  # fmt: skip
    return float(done.stdout)


def _megabytes(bundle: Bundle) -> float:
    """All files of the bundle, in millions of bytes."""
    return sum(path.stat().st_size for path in bundle.folder.rglob("*") if path.is_file()) / 1e6


def _score_seconds(bundle: Bundle) -> float:
    """Within which 95 % of golden events are scored, one at a time, by the models of all objectives."""
    rows, fitted, took = bundle.golden, bundle.models, []
    models.predict_each(fitted, rows[:1])  # the first loads what the others find loaded
    for place in list(range(len(rows))) * ROUNDS:
        began = time.perf_counter()
        models.predict_each(fitted, rows[place])
        took.append(time.perf_counter() - began)
    return float(np.quantile(took, 0.95)) if took else 0.0
