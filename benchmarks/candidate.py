"""A candidate by command, from the data to its model card; and the seconds of each stage, of its gates and of the card.

.venv/bin/python benchmarks/candidate.py REPLAY

On copies of a replay, as of its end. The commands are what a person types: evaluate a candidate, release it, write its
card. The same steps are then done once more in a process that keeps time: each stage in the process that runs stages,
DVC and the gates in that of the loop.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from service_load import copied
from whole_process import BIN, ROOT, Run, run

from homeostat import loop
from homeostat.adapters import dvc
from homeostat.adapters.stage_process import StageProcess
from homeostat.core.authorship import Authorship
from homeostat.decisions.candidate import judge_candidate, release_candidate
from homeostat.project.layout import Project
from homeostat.reports.card_page import card_of, html, markdown

ALLOWED = 60.0  # seconds of all commands
REST = 8.0  # CPU seconds of a candidate in a replay, training aside
BY = ("--why", "benchmark", "--who", "benchmark")
TICK = os.sysconf("SC_CLK_TCK")


def fresh(source: Path) -> Project:
    """A copy with a cache of its own, in which no run of a stage is kept: what was measured before is made again."""
    project = copied(source)
    own, settings = project.home / ".dvc" / "cache", project.home / ".dvc" / "config.local"
    named = re.search(r"dir = (.+)", settings.read_text() if settings.is_file() else "")
    files = (Path(named[1]) if named else own) / "files"
    if files.parent != own:
        shutil.copytree(files, own / "files", copy_function=_linked)
    settings.unlink(missing_ok=True)
    (project.worktree.root / ".dvc" / "config.local").unlink(missing_ok=True)
    shutil.rmtree(own / "runs", ignore_errors=True)
    return project


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk
        shutil.copy2(source, target)


def by_command(folder: Path) -> Iterator[tuple[str, Run]]:
    """Each command and what it took."""
    version = ""
    for words in (("run", "evaluation"), ("promote", "candidate", *BY), ("releases", "card", "VERSION")):
        made = run([BIN / "homeostat", *(version if word == "VERSION" else word for word in words)], folder)
        version = (re.findall(r"v\d+\.\d+\.\d+", made.output) or [version])[0]
        yield " ".join(words[:2]), made


def of_process(number: int | None) -> float:
    """CPU seconds so far of another process."""
    if number is None:
        return 0.0
    fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


class Timed:
    """Seconds by part, on the wall and of the processors."""

    def __init__(self) -> None:
        self.parts: list[tuple[str, float, float]] = []

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Of this process and the commands that it runs, without the stages meanwhile."""
        began, before, done = time.perf_counter(), _own_cpu(), len(self.parts)
        yield
        stages = sum(wall for _, wall, _ in self.parts[done:])
        self.parts.append((name, time.perf_counter() - began - stages, _own_cpu() - before))

    def stages(self) -> None:
        """Keep the time of each stage from here on, with the imports of the process that it is the first in."""
        usual = StageProcess.run

        def timed(worker: StageProcess, module: str, *given: Any) -> int:
            began, before = time.perf_counter(), of_process(worker.process_id)
            code = usual(worker, module, *given)
            used = of_process(worker.process_id) - before
            self.parts.append((f"stage {module.rpartition('.')[2]}", time.perf_counter() - began, used))
            return code

        StageProcess.run = timed  # type: ignore[method-assign]


def _own_cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in used)


def by_part(folder: Path) -> None:
    """What ``main`` prints second; in a process of its own."""
    timed, reproduce = Timed(), dvc.reproduce
    timed.stages()

    def timed_reproduce(*given: Any, **settings: Any) -> list[str]:
        with timed.part("DVC"):
            return reproduce(*given, **settings)

    with loop.run_context(folder) as (session, now):
        loop.data(session, now)
        dvc.reproduce = timed_reproduce
        began, before, done = time.perf_counter(), _own_cpu(), len(timed.parts)
        judge_candidate(session, now)
        inside = timed.parts[done:]
        gate = time.perf_counter() - began - sum(wall for _, wall, _ in inside)
        own = sum(cpu for name, _, cpu in inside if name == "DVC")
        timed.parts.append(("gates", gate, _own_cpu() - before - own))
        with timed.part("release"):
            made = release_candidate(session, Authorship("benchmark", "benchmark", now))
        with timed.part("card"):
            card = card_of(session.project, made.version)
            html(card), markdown(card)
    print("| part | wall s | CPU s |\n|---|---|---|")
    for name, wall, cpu in timed.parts:
        print(f"| {name} | {wall:.2f} | {cpu:.2f} |")
    rest = sum(cpu for name, _, cpu in timed.parts if name not in ("stage train", "release", "card"))
    print(f"| all but training, release and card | | {rest:.2f}, of {REST:.0f} allowed |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        by_part(given.project)
        return
    os.environ["PYTHONPATH"] = str(ROOT / "src")
    project = fresh(given.project.resolve())
    try:
        print("| command | wall s | CPU s |\n|---|---|---|")
        total = [0.0, 0.0]
        for name, made in by_command(project.home):
            print(f"| homeostat {name} | {made.wall:.2f} | {made.cpu:.2f} |", flush=True)
            total = [total[0] + made.wall, total[1] + made.cpu]
        print(f"| all | {total[0]:.2f}, of {ALLOWED:.0f} allowed | {total[1]:.2f} |\n")
    finally:
        shutil.rmtree(project.home.parent)
    project = fresh(given.project.resolve())
    try:
        output = run([BIN / "python", Path(__file__), str(project.home), "--inside"], project.home).output
        print(output[output.index("| part") :].strip())
    finally:
        shutil.rmtree(project.home.parent)


if __name__ == "__main__":
    sys.exit(main())
