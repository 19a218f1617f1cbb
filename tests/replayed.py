"""A day of the hourly project, replayed: a model is released at noon and another at midnight; what it comes to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import hourly
import polars as pl

from homeostat import replay
from homeostat.monitoring import outcomes
from homeostat.project.layout import Project

DAY = ("--from", "2024-03-01", "--to", "2024-03-01")
START, END = hourly.START, hourly.START + timedelta(days=1)
PARAMS = hourly.STEADY
for _old, _new in {
    "decide: 24h, retrain: 10d": "decide: 12h, retrain: 12h", "holdout: 9h": "holdout: 5h",
    "warm_up: 12h": "warm_up: 6h", "min_slice: 80": "min_slice: 30", "window: 1d": "window: 12h",
}.items():  # fmt: skip
    assert _old in PARAMS, _old
    PARAMS = PARAMS.replace(_old, _new)


def whole(of: Project, name: str) -> Project:
    replayed = replay.prepare(of, START, END, name)
    replay.replay(replayed, START, END, lambda _: None)
    return replayed


@dataclass(frozen=True)
class Outcome:
    """Commits and tags; predictions, decisions, drift records and incidents by name; the table as served."""

    refs: list[str]
    files: dict[str, bytes]
    table: pl.DataFrame


def outcome(project: Project) -> Outcome:
    folders = (project.predictions, project.decisions, project.drift, project.incidents)
    files = {p.relative_to(project.home).as_posix(): p.read_bytes() for f in folders for p in f.glob("*")}
    return Outcome(hourly.run(project.home, "show-ref").splitlines(), files, outcomes.monthly(project))


def same(one: Outcome, other: Outcome) -> None:
    assert one.refs == other.refs
    assert sorted(one.files) == sorted(other.files)
    assert [name for name, data in one.files.items() if other.files[name] != data] == []
    assert one.table.equals(other.table)
