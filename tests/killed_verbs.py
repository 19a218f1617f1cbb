"""The verbs that are killed in the midst of their writes, each in a project where it has something to do.

A run that nothing disturbs is what every other one is compared with: refs by id, and files by hash.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import asked
import hourly
import killing
import polars as pl
import replayed
from killed_service import Service

from homeostat import loop
from homeostat.adapters import prefect_server
from homeostat.project.layout import Project

CLOCK = 'threads: 1\nclock:\n  start: "2024-03-01T00:00:00"\n'
PARAMS = replayed.PARAMS.replace("threads: 1\n", CLOCK) + hourly.ROLLOUT
TICK = 3  # hours


class Verb(Protocol):
    """What is killed: ``undisturbed`` is a run to compare with, ``kill`` says how often it could be killed."""

    @property
    def name(self) -> str: ...

    def undisturbed(self, place: Path) -> Any: ...

    def kill(self, place: Path, kills: int, chance: random.Random, plain: Any) -> int: ...


@dataclass(frozen=True)
class Undisturbed:
    """How many writes a run begins, and what it comes to."""

    writes: int
    contents: dict[str, str]


@dataclass(frozen=True)
class Command:
    """A command that ends by itself, in a copy of ``original``, which need not be there; ``left`` is what it leaves."""

    name: str
    original: Path
    args: Callable[[Path], list[str]]
    left: Callable[[Path], Path] = lambda folder: folder
    env: Mapping[str, str] = field(default_factory=dict)

    def undisturbed(self, place: Path) -> Undisturbed:
        folder = killing.copied(self.original, place / "undisturbed" / "meters")
        end = killing.run(self.args(folder), folder.parent, env=self.env)
        assert end.code == 0, (self.name, end.errors)
        return Undisturbed(end.writes, killing.contents(self.left(folder)))

    def kill(self, place: Path, kills: int, chance: random.Random, plain: Undisturbed) -> int:
        """Kill it up to so often, let it end, and compare."""
        folder = killing.copied(self.original, place / "meters")
        ends = killing.kill_often(self.args(folder), folder.parent, kills, chance, plain.writes, self.env)
        assert ends[-1].code == 0, (self.name, ends)
        got = killing.contents(self.left(folder))
        others = sorted(p for p in got.keys() | plain.contents.keys() if got.get(p) != plain.contents.get(p))
        assert not others, (self.name, others[:10], ends)
        assert [p.name for p in folder.parent.iterdir()] == ["meters"], (self.name, ends)
        return sum(end.killed for end in ends)


@contextmanager
def all_verbs(place: Path) -> Iterator[list[Verb]]:
    """Every verb; runs of flows are recorded by a server that none of the kills reaches."""
    meters = at_work(place / "meters")
    undecided = killing.copied(ticked(meters, 0, 9).home, place / "undecided")
    released = ticked(meters, 9, 24).home
    served = asked.make(place / "served")
    asked.release(served, 0)
    fixed, table = place / "fixed.csv", place / "readings.csv"
    hourly.write(hourly.steady_readings(3).with_columns(pl.col("load") + 0.5), fixed)
    hourly.write(hourly.steady_readings(24 * 12, 4), table)
    correct = of("data", "correct", "readings", "2024-03-01T00", str(fixed), "--why", "odd")
    with prefect_server.server(place, whole=False) as url:
        prefect = {"PREFECT_API_URL": url}
        yield [
            Command("lifecycle", undecided, of("run", "lifecycle"), env=prefect),
            Command("data", undecided, of("run", "data"), env=prefect),
            Command("promote", released, of("promote", "v0.1.0", "--why", "try")),
            Command("canary", released, of("promote", "v0.1.0", "--canary", "30%", "--why", "try")),
            Command("rollback", released, of("rollback", "--why", "odd")),
            Command("correct", released, correct),
            Command("replay", undecided, of("replay", *replayed.DAY, "--name", "day"), replay),
            Command("new", place / "nothing", new(table)),
            Service("serve", served.home),
        ]


def at_work(folder: Path) -> Project:
    """The small hourly project with this repository's flows, on a clock that stands at the next tick."""
    shutil.copytree(hourly.ROOT / "flows", folder / "flows", ignore=shutil.ignore_patterns("__pycache__"))
    return hourly.make(folder, params=PARAMS, table=hourly.steady_readings(30))


def ticked(project: Project, after: int, hour: int) -> Project:
    """The project after every tick from ``after`` that hour up to ``hour``."""
    for at in range(after + TICK, hour + 1, TICK):
        with loop.run_context(project.home, hourly.START + timedelta(hours=at)) as (session, now):
            loop.tick(session, now, live=True)
    return project


def of(*words: str) -> Callable[[Path], list[str]]:
    return lambda folder: ["-C", str(folder), *words]


def new(table: Path) -> Callable[[Path], list[str]]:
    return lambda folder: ["new", str(folder), "--from", str(table), "--time", "at", "--label", "load"]


def replay(folder: Path) -> Path:
    return folder / ".homeostat" / "replays" / "day"
