"""What a tick costs in a replay: one in which nothing is decided, a decision without a candidate, one with.

CPU seconds of this process and of those that it has ended, on the first five weeks of 2013; stages run in another that
stays. The data of the ticks up to the next decision are prepared together by the first of them, so the mean counts for
a quiet tick. The first tick of each kind imports its tools and is left out where there are others.

    .venv/bin/python benchmarks/tick.py
"""

import resource
import shutil
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from statistics import mean

from homeostat import loop, replay
from homeostat.project.layout import Project

FIRST, LAST = datetime(2013, 1, 1), datetime(2013, 2, 4)


def cpu_seconds() -> float:
    """CPU seconds so far, user and system."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in used)


def kind(tick: loop.Tick) -> str:
    if tick.decision is None:
        return "quiet"
    return "with a candidate" if tick.decision.versions.candidate else "no candidate"


def main() -> None:
    replay.BESIDE = 0  # what is prepared beside would count for the tick that runs meanwhile
    project = Project.find(Path(__file__).parents[1])
    start, end = replay.span(project, FIRST, LAST)
    replayed = replay.prepare(project, start, end, "benchmark-tick", force=True)
    costs: dict[str, list[float]] = defaultdict(list)
    last = cpu_seconds()

    def watch(tick: loop.Tick) -> None:
        nonlocal last
        costs[kind(tick)].append(cpu_seconds() - last)
        last = cpu_seconds()

    replay.replay(replayed, start, end, watch)
    shutil.rmtree(replayed.home)
    print(f"{'ticks':18}{'how many':>10}{'mean':>8}{'most':>8}   CPU seconds")
    for name, seconds in sorted(costs.items()):
        others = seconds[1:] or seconds
        print(f"{name:18}{len(others):10}{mean(others):8.2f}{max(others):8.2f}")


if __name__ == "__main__":
    main()
