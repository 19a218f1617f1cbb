"""The time of a tick in a replay: quiet, with a decision, and with a decision on a fresh candidate.

Replays the first six weeks of 2013, or up to another day. The goals: 0.2 s for a quiet tick, with its share of the work
that is prepared for all ticks before the next decision; 0.3 s for a decision without a candidate. The first of each
kind also imports its tools, and is left out where there are others.

    .venv/bin/python benchmarks/tick.py [LAST-DAY]
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from statistics import mean, median

from whole_process import ROOT

from homeostat import replay
from homeostat.decisions import history
from homeostat.loop import Tick
from homeostat.project.layout import Project

FIRST, LAST = datetime(2013, 1, 1), "2013-02-14"


@dataclass
class Stopwatch:
    """Wall and CPU seconds of this process from one tick to the next; stages run in another process."""

    ticks: list[tuple[Tick, float, float]] = field(default_factory=list)
    wall: float = field(default_factory=time.perf_counter)
    cpu: float = field(default_factory=time.process_time)

    def __call__(self, tick: Tick) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        self.ticks.append((tick, wall - self.wall, cpu - self.cpu))
        self.wall, self.cpu = time.perf_counter(), time.process_time()


def rows(watch: Stopwatch, kind: Callable[[Tick], str]) -> list[str]:
    """A line of the table for each kind of tick."""
    by_kind: dict[str, list[tuple[float, float]]] = {}
    for tick, wall, cpu in watch.ticks:
        by_kind.setdefault(kind(tick), []).append((wall, cpu))
    lines = []
    for name, times in sorted(by_kind.items(), reverse=True):
        wall, cpu = ([pair[n] for pair in times[1:] or times] for n in (0, 1))
        figures = (mean(wall), mean(cpu), median(cpu), max(cpu))
        lines.append(f"| {name} | {len(times)} | {' | '.join(f'{value:.2f}' for value in figures)} |")
    return lines


def main() -> None:
    """Replay, and print what the ticks of each kind took."""
    last = datetime.fromisoformat((sys.argv[1:] or [LAST])[0])
    project = Project.find(ROOT)
    start, end = replay.span(project, FIRST, last)
    replayed = replay.prepare(project, start, end, "benchmark-tick", force=True)
    watch = Stopwatch()
    replay.replay(replayed, start, end, watch)
    on_candidate = {decided.at for decided in history.decisions(replayed) if decided.candidate}

    def kind(tick: Tick) -> str:
        if tick.decision is None:
            return "quiet"
        return "decision on a candidate" if tick.now in on_candidate else "decision without a candidate"

    print("| tick | ticks | wall s, mean | CPU s, mean | median | at most |\n|---|---|---|---|---|---|")
    print("\n".join(rows(watch, kind)))
    shutil.rmtree(replayed.home)


if __name__ == "__main__":
    main()
