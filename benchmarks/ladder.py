"""The ladder on the flights: what each step of complexity buys, and what one model of both objectives costs or gains.

.venv/bin/python benchmarks/ladder.py [--to DAY]

Replays 2013 with a ladder of four rungs, the simplest first: rates, linear models, one model of both objectives
(``combined``) and a model of each. All are judged on the same held-out events every four weeks once there is history
enough. A line a judgement: each rung's weighted loss beside the best's, and the cost of 1,000 events beside the rung
below.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
from datetime import datetime
from pathlib import Path

from whole_process import BIN, ROOT, run

from homeostat.adapters import dvc, git
from homeostat.core.findings import Finding
from homeostat.core.ladder import rungs_of
from homeostat.decisions import history
from homeostat.project.layout import Project

LADDER = """
  ladder:
    every: 28d
    rungs:
      rates: {model: heuristic}
      linear: {model: linear}
      together: {model: combined, weights: {late: 5, cancelled: 15}}
      apart: {model: lightgbm}
"""
FROM = "2013-01-01"


def with_ladder(target: Path) -> Path:
    """A copy of this project, as it is, with the ladder in its scope."""
    git.clone_snapshot(ROOT, git.snapshot_commit(ROOT, datetime(2013, 1, 1)), target, "main")
    dvc.share_cache(target, ROOT)
    params = target / "params.yaml"
    head, _, rest = params.read_text().partition("\nevaluation:")
    params.write_text(f"{head.rstrip()}{LADDER}\nevaluation:{rest}")
    code = os.environ | {"PYTHONPATH": str(target / "src")}
    subprocess.run([BIN / "python", "-m", "homeostat.adapters.dvc_yaml"], cwd=target, env=code, check=True)
    return target


def line(day: str, finding: Finding) -> str:
    """One rung of one judgement."""
    facts = finding.facts
    loss = "the best" if facts["best"] == finding.subject else _share(finding.value, finding.interval)
    money = "" if facts["below"] == finding.subject else _share(facts["buys"], facts["buys_interval"])
    cost = "" if facts["cost"] is None else f"{facts['cost']:,.1f}"
    refused = ", ".join(facts["refused"])
    return f"| {day} | {finding.subject}{' *' if facts['used'] else ''} | {loss} | {cost} | {money} | {refused} |"


def _share(value: float | None, interval: object) -> str:
    if value is None:
        return "too few events"
    low, high = interval[:2] if isinstance(interval, list | tuple) else (None, None)
    within = "" if low is None or high is None else f" ({low:+.1%} to {high:+.1%})"
    return f"{value:+.1%}{within}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", default="2013-12-31", help="last day")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="homeostat-ladder-"))
    try:
        project = with_ladder(folder / "flights")
        replayed = run([BIN / "homeostat", "replay", "--from", FROM, "--to", given.to, "--name", "ladder"], project)
        decided = history.decisions(Project.find(project / ".homeostat" / "replays" / "ladder"))
        print("| judged | rung (*: of the candidate) | weighted loss, against the best | cost of 1,000 events "
              "| against the rung above it | chosen, and refused for |\n|---|---|---|---|---|---|")  # fmt: skip
        for one in decided:
            for finding in rungs_of(one.decision):
                print(line(f"{one.at:%Y-%m-%d}", finding))
        print(f"\n{replayed.wall:.0f} s\n\n```\n{replayed.output.strip()}\n```")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
