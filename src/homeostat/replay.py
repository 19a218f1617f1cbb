"""The loop over the project's own history, with a simulated clock, in a complete project of its own.

A replay runs the folder as it is, uncommitted edits included, in ``.homeostat/replays/NAME``; what it leaves there is a
project like any other. An interrupted replay carries on where it stopped. With faults it is a drill.
"""

from __future__ import annotations

import json
import resource
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from homeostat import loop
from homeostat.adapters import dvc, git
from homeostat.adapters.dask import executor_of
from homeostat.core.errors import UsageError
from homeostat.core.periods import floor
from homeostat.decisions.due import next_decision
from homeostat.decisions.session import Session
from homeostat.faults import Fault, check_times, damage_sources
from homeostat.project.clock import move_on, stands_at
from homeostat.project.executor import IN_PROCESS, Executor
from homeostat.project.layout import Project
from homeostat.project.whole_files import remove, remove_leftovers, remove_leftovers_of, write_text
from homeostat.project.window import write_window
from homeostat.project.worktree_pointer import repair_worktree_pointer

BESIDE = 4  # spans between decisions that are prepared beside: more than a candidate takes would wait in memory
SWITCH = 0.0005  # seconds that a thread keeps Python to itself


@dataclass
class Replay:
    """A finished replay: its project, and what happened in it."""

    project: Project
    start: datetime
    end: datetime
    ticks: int = 0
    seconds: Counter[str] = field(default_factory=Counter)  # of each step of the ticks
    peak: float = 0.0  # GB of memory of the largest process


def span(project: Project, first: datetime, last: datetime) -> tuple[datetime, datetime]:
    """The times between which the days ``first`` to ``last``, both whole, are replayed.

    Raises:
        UsageError: there is no tick in between.
    """
    rhythm = project.scope.rhythm
    start, end = first + rhythm.offset, last + timedelta(days=1) + rhythm.offset
    if floor(end, rhythm.tick, rhythm.offset) <= start:
        raise UsageError(f"{first:%Y-%m-%d} to {last:%Y-%m-%d} holds no tick; give --from before --to")
    return start, end


def prepare(
    project: Project, start: datetime, end: datetime, name: str | None, force: bool = False,
    faults: Sequence[Fault] = (),
) -> Project:  # fmt: skip
    """The replay's project: a new copy of the folder as it is, or the one of that name to carry on with.

    Raises:
        UsageError: one of that name is there and is of another range, other faults or another state of the folder; or
            a fault is due at no tick of the range.
    """
    rhythm = project.scope.rhythm
    check_times(faults, start, floor(end, rhythm.tick, rhythm.offset) - rhythm.tick)
    snapshot = git.snapshot_commit(project.root, start)
    name = name or "-".join([f"{start:%Y%m%d}-{end - timedelta(days=1):%Y%m%d}", *map(_short, faults), snapshot[:8]])
    target = project.state / "replays" / name
    note = target / ".homeostat" / "replay.json"
    wanted: dict[str, object] = {"snapshot": snapshot, "from": start.isoformat(), "to": end.isoformat()}
    if faults:
        wanted["faults"] = [str(fault) for fault in faults]
    remove_leftovers_of(target)
    if target.exists() and (force or not note.is_file()):  # else its making was interrupted
        remove(target)
    if note.is_file():
        if json.loads(note.read_text()) != wanted:
            raise UsageError(f"{target}: a replay of other inputs; choose another --name, or --force to replace it")
        replayed = Project.find(target)
        if repair_worktree_pointer(replayed):  # the folder was copied or moved, with the replay in it
            (target / ".dvc" / "config.local").unlink(missing_ok=True)
        dvc.share_cache(target, project.root)
        return replayed
    git.clone_snapshot(project.root, snapshot, target, project.scope.branch)
    dvc.share_cache(target, project.root)
    damage_sources(Project.find(target), faults, start, end)
    replayed = Project.find(target)
    write_window(loop.begin(Session.open(replayed), start), start, start)
    move_on(replayed, start)
    write_text(json.dumps(wanted), note)
    return replayed


def replay(
    replayed: Project, start: datetime, end: datetime, watch: Callable[[loop.Tick], None],
    faults: Sequence[Fault] = (), announce: Callable[[datetime, str], None] = lambda now, sentence: None,
) -> Replay:  # fmt: skip
    """Run every tick after ``start`` up to ``end`` that is not done yet; after each, inject the faults that are due.

    ``watch`` sees each tick; ``announce`` gets a sentence on each fault and the tick after which it was injected.
    """
    remove_leftovers(replayed.home)
    result = Replay(replayed, start, end)
    with (
        executor_of(replayed.scope.scale) as executor, _switching_often(),
        closing(Session.open(replayed, executor)) as session,
    ):  # fmt: skip
        _run_ticks(result, session, watch, faults, announce)
    dvc.WORKER.close()  # a process counts among the children once it has ended
    result.peak = max(resource.getrusage(w).ru_maxrss for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1e6
    return result


def _run_ticks(
    result: Replay, session: Session, watch: Callable[[loop.Tick], None], faults: Sequence[Fault],
    announce: Callable[[datetime, str], None],
) -> None:  # fmt: skip
    replayed, end = result.project, result.end
    for now in ticks(replayed, result.start, end):
        before = session.stands_at
        for fault in faults:
            if sentence := fault.inject(replayed, before):
                announce(before, sentence)
        decisions = [next_decision(session, now) + n * replayed.scope.rhythm.decide for n in range(1 + BESIDE)]
        horizon, *beyond = (min(end, decision) for decision in decisions)
        tick = loop.tick(session, now, take_in=partial(loop.data, horizon=horizon, beyond=beyond))
        result.ticks += 1
        result.seconds.update(tick.seconds)
        watch(tick)


@contextmanager
def _switching_often() -> Iterator[None]:
    """Let no thread keep Python to itself for long: the loop reads many files, and would wait for it at each."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def take_in_data(replayed: Project, end: datetime, executor: Executor = IN_PROCESS) -> None:
    """Land, judge and featurize every batch up to ``end``, and decide nothing."""
    remove_leftovers(replayed.home)
    loop.data(Session.open(replayed, executor), end)


def ticks(replayed: Project, start: datetime, end: datetime) -> list[datetime]:
    """The ticks of the range that are still to come."""
    rhythm = replayed.scope.rhythm
    now = floor(max(start, stands_at(replayed)), rhythm.tick, rhythm.offset) + rhythm.tick
    times = []
    while now <= end:
        times.append(now)
        now += rhythm.tick
    return times


def _short(fault: Fault) -> str:
    """A fault in the name of a folder."""
    return f"{fault.name}-{fault.at:%Y%m%dT%H%M}"
