"""The verbs that are killed in the midst of their writes, each in a project where it has something to do.

A verb's undisturbed run is what every other one is compared with: refs by id, and files by hash.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import hourly
import killing
import polars as pl
import replayed

from homeostat import loop
from homeostat.adapters import prefect_server
from homeostat.project.layout import Project

CLOCK = 'threads: 1\nclock:\n  start: "2024-03-01T00:00:00"\n'
PARAMS = replayed.PARAMS.replace("threads: 1\n", CLOCK) + hourly.ROLLOUT
TICK = 3  # hours


@dataclass(frozen=True)
class Verb:
    """A command in a folder made for it; ``below`` is where its writes count, seen from that folder."""

    name: str
    original: Path
    args: Callable[[Path], list[str]]
    below: Callable[[Path], Path] = lambda folder: folder
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Undisturbed:
    """A verb's run when nothing disturbs it: how many writes it begins, and what it comes to."""

    writes: int
    contents: dict[str, str]


def ticked(project: Project, after: int, hour: int) -> Project:
    """The project after every tick from ``after`` that hour up to ``hour``."""
    for at in range(after + TICK, hour + 1, TICK):
        with loop.run_context(project.home, hourly.START + timedelta(hours=at)) as (session, now):
            loop.tick(session, now, live=True)
    return project


@contextmanager
def all_verbs(place: Path) -> Iterator[list[Verb]]:
    """Every verb; runs of flows are recorded by a server that none of the kills reaches."""
    meters = at_work(place / "meters")
    before = ticked(meters, 0, 9)
    undecided = killing.copied(before.home, place / "undecided")
    released = ticked(meters, 9, 24).home
    fixed = place / "fixed.csv"
    hourly.write(hourly.steady_readings(3).with_columns(pl.col("load") + 0.5), fixed)
    table = place / "readings.csv"
    hourly.write(hourly.steady_readings(24 * 12, 4), table)
    with prefect_server.server(place, whole=False) as url:
        prefect = {"PREFECT_API_URL": url}
        yield [
            Verb("lifecycle", undecided, of("run", "lifecycle"), env=prefect),
            Verb("data", undecided, of("run", "data"), env=prefect),
            Verb("promote", released, of("promote", "v0.1.0", "--why", "try")),
            Verb("canary", released, of("promote", "v0.1.0", "--canary", "30%", "--why", "try")),
            Verb("rollback", released, of("rollback", "--why", "odd")),
            Verb("correct", released, of("data", "correct", "readings", "2024-03-01T00", str(fixed), "--why", "odd")),
            Verb("replay", undecided, of("replay", *replayed.DAY, "--name", "day"), inside_replay),
            Verb("new", place / "nothing", new(table)),
        ]


def at_work(folder: Path) -> Project:
    """The small hourly project with this repository's flows, on a clock that stands at the next tick."""
    import shutil

    shutil.copytree(hourly.ROOT / "flows", folder / "flows", ignore=shutil.ignore_patterns("__pycache__"))
    return hourly.make(folder, params=PARAMS, table=hourly.steady_readings(30))


def of(*words: str) -> Callable[[Path], list[str]]:
    return lambda folder: ["-C", str(folder), *words]


def new(table: Path) -> Callable[[Path], list[str]]:
    return lambda folder: ["new", str(folder), "--from", str(table), "--time", "at", "--label", "load"]


def inside_replay(folder: Path) -> Path:
    return folder / ".homeostat" / "replays" / "day"


def undisturbed(verb: Verb, place: Path) -> Undisturbed:
    """Run a verb once, as it is."""
    folder = killing.copied(verb.original, place / f"{verb.name}-undisturbed" / "meters")
    folder.parent.mkdir(parents=True, exist_ok=True)
    end = killing.run(verb.args(folder), folder.parent, env=verb.env)
    assert end.code == 0, (verb.name, end.errors)
    return Undisturbed(end.writes, outcome(verb, folder))


def kill(verb: Verb, place: Path, kills: int, chance: random.Random, plain: Undisturbed) -> int:
    """Kill a verb up to so often, let it end, and compare; how often it was killed."""
    folder = killing.copied(verb.original, place / "meters")
    folder.parent.mkdir(parents=True, exist_ok=True)
    ends = killing.kill_often(verb.args(folder), folder.parent, kills, chance, plain.writes, verb.env)
    assert ends[-1].code == 0, (verb.name, ends)
    got = outcome(verb, folder)
    other = {path for path in got.keys() | plain.contents.keys() if got.get(path) != plain.contents.get(path)}
    assert not other, (verb.name, sorted(other)[:10], ends)
    left = [p.name for p in folder.parent.iterdir() if p.name.startswith(".")]
    assert not left, (verb.name, left)
    return sum(end.killed for end in ends)


def outcome(verb: Verb, folder: Path) -> dict[str, str]:
    """All that a verb has left behind."""
    return killing.contents(folder) if verb.name != "replay" else killing.contents(inside_replay(folder))
