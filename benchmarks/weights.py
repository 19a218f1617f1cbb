"""From the command to service: a release of the same models with other weights, and one with new calibrators.

.venv/bin/python benchmarks/weights.py REPLAY [--times N]

On a copy of a replay, with ``homeostat serve`` beside it. Calibrators are fitted on the last events whatever the
findings, and released whatever the gate would say: what is measured is how long that takes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from statistics import median

import numpy as np
from service_load import copied, serving
from whole_process import BIN, ROOT, Run, run

from homeostat import loop
from homeostat.core.authorship import Authorship
from homeostat.decisions.calibration_kind import choose_kinds
from homeostat.decisions.recalibrate import Recent, edits_with, recent_events
from homeostat.project.layout import Project
from homeostat.project.scope_values import with_values
from homeostat.releases.derived import derive
from homeostat.releases.feature_rows import FeatureRows
from homeostat.releases.registry import Registry

ALLOWED = 5.0  # seconds
SHARES = (0.6, 0.8, 1.2, 1.5, 2.0)  # of the first weight, round by round
KEPT = 0.9  # of the events of the round before are those that calibrators are fitted to
GIT = ("git", "-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost", "commit", "--quiet", "--all")


def other_weights(project: Project, number: int) -> Run:
    """Commit another weight, and release it by the command."""
    params = project.root / "params.yaml"
    name, objective = next(iter(Project.find(project.root).scope.objectives.items()))
    share = SHARES[number % len(SHARES)]
    params.write_text(with_values(params.read_text(), {name: round(objective.weight * share, 6)}))
    subprocess.run([*GIT, "--message", f"weights, round {number}"], cwd=project.root, check=True)
    command = [BIN / "homeostat", "promote", "weights", "--why", f"round {number}", "--who", "benchmark"]
    return run(command, project.root)


def new_calibrators(project: Project, number: int) -> Run:
    """Fit and release calibrators in a process of its own."""
    return run([BIN / "python", Path(__file__), str(project.root), "--recalibrate", str(number)], project.root)


def recalibrate(folder: Path, number: int) -> None:
    """What ``new_calibrators`` measures."""
    with loop.run_context(folder) as (session, now):
        loop.begin(session, now)
        serving_now = session.registry.load_champion()
        assert serving_now is not None, "nothing serves"
        scope = session.tree.scope
        names = [name for name, objective in scope.objectives.items() if objective.task == "binary"]
        recent = recent_events(session, serving_now.bundle, FeatureRows(session.tree), names, now)
        fitted = recent.fitted(choose_kinds(scope, recent, now), _until(recent, number))
        assert fitted, f"too few events since {serving_now.event.version} was trained: give a replay that ends later"
        made = derive(session.project, serving_now.event, edits_with(fitted), now)
        assert made.bundle.calibrators == fitted, "the replay is of a version from before there were calibrators"
        by = Authorship("benchmark", f"round {number}", now)
        session.registry.release(made.commit, made.bundle.hash, by)


def _until(recent: Recent, number: int) -> datetime:
    """The time of the last event to fit on: others in each round, however few have come since the models were."""
    mature = np.logical_or.reduce([~np.isnan(labels) for labels in recent.labels.values()])
    times = recent.rows["event_time"].to_numpy()[mature]
    assert len(times), "no event has matured since the release in service was trained: give a replay that ends later"
    return np.sort(times)[int((len(times) - 1) * KEPT**number)].item()


def measured(project: Project, log: Path, change: Callable[[Project, int], Run], times: int) -> tuple[list[Run], float]:
    """Each round's command, and the longest time until the service answered with the version that it made."""
    runs, longest = [], 0.0
    for number in range(times):
        before = {file.name for file in project.releases.iterdir()}
        began = time.perf_counter()
        runs.append(change(project, number))
        champion = Registry.open(project).ledger.champion
        assert champion is not None and champion.bundle not in before, "a new release"
        while f"{champion.version} is in service after" not in log.read_text():
            time.sleep(0.02)
        longest = max(longest, time.perf_counter() - began)
    return runs, longest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--recalibrate", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.recalibrate is not None:
        recalibrate(given.project, given.recalibrate)
        return
    os.environ["PYTHONPATH"] = str(ROOT / "src")
    project = copied(given.project.resolve())
    try:
        with serving(project, 1):
            print("| a release of the same models | command s, median | CPU s, median | in service s, at most |")
            print("|---|---|---|---|")
            for what, change in (("other weights", other_weights), ("new calibrators", new_calibrators)):
                runs, longest = measured(project, project.home / "serve.log", change, given.times)
                wall, cpu = (median(getattr(r, name) for r in runs) for name in ("wall", "cpu"))
                print(f"| {what} | {wall:.2f} | {cpu:.2f} | {longest:.2f}, of {ALLOWED:.0f} allowed |", flush=True)
    finally:
        shutil.rmtree(project.home.parent)


if __name__ == "__main__":
    sys.exit(main())
