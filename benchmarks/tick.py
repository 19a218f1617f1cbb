"""What a tick costs in which nothing happens, beyond its own validation, features and scoring: the goal is below 1 s.

Replays the first two weeks of 2013; the ticks in which something was decided are left out.

    .venv/bin/python benchmarks/tick.py
"""

import shutil
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from homeostat import loop, replay
from homeostat.data import ingest, validate
from homeostat.decisions.session import Session
from homeostat.features import build
from homeostat.project.layout import Project
from homeostat.training import bundle

FIRST, LAST = datetime(2013, 1, 1), datetime(2013, 1, 14)
OWN = {"landing": (ingest, "land"), "validation": (validate, "validate"), "features": (build, "featurize"),
       "scoring": (bundle, "score")}  # fmt: skip
spent: Counter[str] = Counter()


def timed(step: str, usual: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **settings: Any) -> Any:
        began = time.perf_counter()
        try:
            return usual(*args, **settings)
        finally:
            spent[step] += time.perf_counter() - began

    return call


def main() -> None:
    project = Project.find(Path(__file__).parents[1])
    for step, (module, name) in OWN.items():
        setattr(module, name, timed(step, getattr(module, name)))
    start, end = replay.span(project, FIRST, LAST)
    replayed = replay.prepare(project, start, end, "benchmark-tick", force=True)
    session = Session.open(replayed)
    rows: list[dict[str, float]] = []
    print(f"{'tick':17}{'all':>8}" + "".join(f"{step:>12}" for step in OWN) + f"{'beyond':>10}   seconds")
    for now in replay.ticks(replayed, start, end):
        spent.clear()
        began = time.perf_counter()
        tick = loop.tick(session, now)
        total = time.perf_counter() - began
        row = {"all": total, **{step: spent[step] for step in OWN}, "beyond": total - sum(spent.values())}
        quiet = tick.decision is None
        if quiet and (rows or tick.predicted):  # from the first on that has something to score with
            rows.append(row)
        said = "" if quiet else "   decided, left out"
        print(f"{now:%Y-%m-%d %H:%M} " + f"{row['all']:8.2f}" + "".join(f"{row[s]:12.2f}" for s in OWN)
              + f"{row['beyond']:10.2f}{said}")  # fmt: skip
    shutil.rmtree(replayed.home)
    beyond = [row["beyond"] for row in rows]
    print(
        f"{len(rows)} quiet ticks, beyond their own work: {median(beyond):.2f} s (median), {max(beyond):.2f} s at most"
    )


if __name__ == "__main__":
    main()
