"""Faults of the data: from its time on, a source of the replay's project delivers damaged batches.

The replay's project gets a source of its own, files that hold the rows of the range as they would have come, with the
fault in them. All else reads them as it reads any files: the loop, the DAG, and whoever looks at the project later.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from ruamel.yaml import YAML

from homeostat.adapters import git
from homeostat.adapters.parquet import write_table
from homeostat.core.errors import UsageError
from homeostat.core.periods import Period, period_of, periods_between
from homeostat.core.profiles import ENOUGH
from homeostat.core.sentences import sentence
from homeostat.core.text import count, listed
from homeostat.data.selection import event_times
from homeostat.data.sources import SourceReader
from homeostat.data.staged_files import StagedFiles
from homeostat.data.verdict_store import VerdictStore
from homeostat.faults.damage import DAMAGES, SEASON, TIME, WORLD, Damage, season_before, suitable
from homeostat.monitoring.alerts import read_incidents
from homeostat.project.layout import Project, working_tree
from homeostat.project.whole_files import write_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from homeostat.core.batch_rules import Verdict
    from homeostat.core.findings import Finding

FOLDER = "drill"  # of the replay's project: the damaged sources, and what was done to them
SIZE = 2  # of the three sizes of a fault: a drill's can be seen


@dataclass(frozen=True)
class Damaged:
    """What a fault does: to which columns of which source, and from which batch on."""

    name: str
    source: str
    batch: str
    columns: tuple[str, ...]


def damage_sources(project: Project, faults: Sequence[tuple[str, datetime]], start: datetime, end: datetime) -> None:
    """Put sources with these faults (name, from when on) in the place of a replay project's own, and commit them.

    Raises:
        UsageError: no source has what a fault needs.
    """
    reader, scope = SourceReader(project.root, project.cache), project.scope
    batches: dict[str, dict[Period, pl.DataFrame]] = {}
    done: dict[str, Damaged] = {}
    for name, at in faults:
        damaged = _chosen(name, at, project, reader, batches, start, end)
        done[f"{name}@{at.isoformat()}"] = damaged
        if DAMAGES[name].ends == "again":
            (rows,) = (rows for period, rows in batches[damaged.source].items() if period.label == damaged.batch)
            write_table(rows.drop(TIME), _withheld(project, f"{name}@{at.isoformat()}"))
        _apply(DAMAGES[name], damaged, batches[damaged.source], scope.seed, scope.sources[damaged.source].key)
    for source in {d.source for d in done.values()}:
        every = [r.drop(TIME) for r in batches[source].values() if r.height]
        write_table(pl.concat(every, how="diagonal_relaxed"), project.root / FOLDER / f"{source}.parquet")
    text = {name: vars(d) for name, d in done.items()}
    write_text(json.dumps(text, indent=1) + "\n", project.root / FOLDER / "faults.json")
    _point_at(project, sorted({d.source for d in done.values()}))
    git.run(project.root, "reset", "--quiet", "--hard", git.snapshot_commit(project.root, start))


def complete(project: Project, name: str, at: datetime, now: datetime) -> str:
    """Deliver the whole batch of a fault that ends, once it is overdue twice over; a sentence then, else nothing."""
    text = f"{name}@{at.isoformat()}"
    withheld = _withheld(project, text)
    if not withheld.is_file():
        return ""
    damaged = _damaged(project, text)
    scope, file = project.scope, Path(FOLDER, f"{damaged.source}.parquet")
    source = scope.sources[damaged.source]
    period = period_of(damaged.batch, source.length, scope.rhythm.offset)
    if now < period.end + 2 * source.late_after:
        return ""
    rows, whole = pl.read_parquet(project.home / file), pl.read_parquet(withheld)
    inside = event_times(damaged.source, source, rows).is_between(period.start, period.end, closed="left")
    for tree in (project, working_tree(project)):  # the latter is what the loop reads
        write_table(pl.concat([rows.filter(~inside), whole], how="diagonal_relaxed"), tree.root / file)
    withheld.unlink()
    return f"{damaged.source} {damaged.batch} has come, with {count(whole.height, 'row')}"


def _withheld(project: Project, name: str) -> Path:
    """Where the rows of a batch lie that comes late, or comes whole late."""
    return project.home / FOLDER / f"{name.replace(':', '')}.parquet"


def _damaged(project: Project, name: str) -> Damaged:
    raw = json.loads((project.home / FOLDER / "faults.json").read_text())[name]
    return Damaged(**raw | {"columns": tuple(raw["columns"])})


def outcome(project: Project, name: str, at: datetime) -> str:
    """Where the fault was found, as what, and what was done about the batch."""
    damaged = _damaged(project, f"{name}@{at.isoformat()}")
    verdicts = VerdictStore(StagedFiles(), working_tree(project).accepted).of_source(damaged.source)
    what = f"{damaged.source} {damaged.batch}" + (f" ({listed(damaged.columns, 8)})" if damaged.columns else "")
    later = [(label, v) for label, v in verdicts.items() if label >= damaged.batch and v.failed]
    if DAMAGES[name].ends == "again" and damaged.batch in verdicts and not later:
        return f"damaged {what}: it came whole later, and is {verdicts[damaged.batch].status}"
    if DAMAGES[name].of_world:
        return f"damaged {what}: {_alerts(project, at)}"
    if not later:
        return f"damaged {what}: no batch of it was found to be bad"
    label, verdict = later[0]
    names = set(map(_kind, verdict.failed))
    named = "rightly named" if names & set(DAMAGES[name].kinds) else "under another name"
    why = "; ".join(map(sentence, verdict.failed))
    return f"damaged {what}: found at {label}, {named}; the batch is {_state(verdict)}: {why}"


def _alerts(project: Project, at: datetime) -> str:
    """What monitoring found since a drift of the world began."""
    since = [incident for incident in read_incidents(project).values() if incident.opened >= at]
    alerts = [incident for incident in since if _kind(incident.finding) in WORLD]
    if not alerts:
        return "nothing of it was found"
    return "; ".join(f"{'noted' if i.noted else 'alerted'} {i.opened:%Y-%m-%d %H:%M}: {i.sentence}" for i in alerts)


def _kind(finding: Finding) -> str:
    return str(finding.facts.get("kind", finding.rule))


def _state(verdict: Verdict) -> str:
    in_doubt = verdict.status == "accepted" and verdict.suspect_columns
    return "accepted, and trains nothing" if in_doubt else verdict.status


def _chosen(
    name: str, at: datetime, project: Project, reader: SourceReader,
    batches: dict[str, dict[Period, pl.DataFrame]], start: datetime, end: datetime,
) -> Damaged:  # fmt: skip
    """The first source, the events' own before others, that has columns of the kind; the seed says which of them."""
    scope, damage = project.scope, DAMAGES[name]
    for source_name in dict.fromkeys([scope.events.source, *scope.sources]):
        source = scope.sources[source_name]
        if not source.timed:
            continue
        if source_name not in batches:
            batches[source_name] = _read(project, reader, source_name, start, end)
        every = list(batches[source_name].values())
        columns = suitable(damage, every, source.key) if every else []
        if every and len(columns) >= damage.many:
            chosen = tuple(random.Random(f"{scope.seed} {name}").sample(columns, damage.many)) if columns else ()
            batch = next(p.label for p in batches[source_name] if p.end > at)
            return Damaged(name, source_name, batch, chosen)
    raise UsageError(f"--fault {name}: no source with a time has {damage.of} columns, which it needs; choose another")


def _read(
    project: Project, reader: SourceReader, name: str, start: datetime, end: datetime
) -> dict[Period, pl.DataFrame]:
    """The batches of the range, in the declared columns, with the event time of each row."""
    scope, source = project.scope, project.scope.sources[name]
    rows = {}
    for period in periods_between(start, end, source.length, scope.rhythm.offset):
        delivery = reader.delivery(name, source, period)
        if delivery is not None:
            declared = delivery.rows.select(c for c in source.columns if c in delivery.rows.columns)
            rows[period] = declared.with_columns(event_times(name, source, declared).alias(TIME))
    return rows


def _apply(
    damage: Damage, done: Damaged, batches: dict[Period, pl.DataFrame], seed: int, key: Sequence[str]
) -> None:  # fmt: skip
    """Change the batches that the fault is in."""
    size, every = damage.sizes[SIZE], list(batches)
    first = next(n for n, period in enumerate(every) if period.label == done.batch)
    for n, period in enumerate(every[first:] if damage.lasts else every[first : first + 1]):
        chance = random.Random(f"{seed} {done.name} {period.label}")
        changed = damage.change(batches[period], done.columns, size * damage.strength(n), chance)
        if done.name == SEASON:
            changed = season_before(batches[period], batches[every[max(first - ENOUGH, 0)]], key)
        batches[period] = changed


def _point_at(project: Project, sources: Sequence[str]) -> None:
    """Have the scope read these sources from the folder of the drill."""
    yaml = YAML()
    yaml.width = 4096
    path = project.root / "params.yaml"
    scope = yaml.load(path.read_text())
    for name in sources:
        source: dict[str, object] = scope["sources"][name]
        for key in ("package", "url", "query", "read"):
            source.pop(key, None)
        source["path"] = f"{FOLDER}/{name}.parquet"
    with path.open("w") as out:
        yaml.dump(scope, out)
