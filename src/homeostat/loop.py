"""The loop: the steps of a tick, as plain functions of the project and of ``now`` (naive UTC).

Flows, replay and the command line call these and nothing else. Each can be called again after it was cut short: what is
done is found done, and state moves on only at the end of a tick.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from homeostat.adapters import dvc, git
from homeostat.amendments import read_amendments
from homeostat.clock import beginning
from homeostat.core.batches import Verdict
from homeostat.core.periods import Period, periods_between
from homeostat.project import Project
from homeostat.stages import featurize, ingest, validate

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Judged:
    """One batch and what was decided on it."""

    source: str
    batch: str
    verdict: Verdict


@dataclass(frozen=True)
class DataOutcome:
    """What a tick did to the data: every batch that it decided on, and the event batches that got features."""

    batches: tuple[Judged, ...]
    featurized: tuple[str, ...]


def begin(project: Project, now: datetime) -> Project:
    """The tree of scheduled work, brought to the code of the scope's branch; made before the first tick."""
    home, scope = project.home, project.scope
    known = git.has_ledger(home, scope.project)
    git.sync_ledger_tree(home, scope.project, scope.branch, now)
    dvc.share_cache(project.ledger.root, home)
    if not known:
        start = project.window[0]
        project.ledger.set_window(start, max(start, beginning(project)))
    return project.ledger


def data(project: Project, now: datetime) -> DataOutcome:
    """Land, judge and featurize every batch that is due since the last completed tick.

    Raises:
        DataError: a source cannot be read; nothing is lost, and the next run carries on.
    """
    ledger = begin(project, now)
    _, last = ledger.window
    judged = [
        Judged(name, period.label, verdict)
        for name in ledger.scope.sources
        for period in _due(ledger, name, now)
        if (verdict := _judge(ledger, name, period, now)) is not None
    ]
    judged += _amended(ledger, last, now)
    ready = dict.fromkeys(
        j.batch for j in judged if j.source == ledger.scope.events.source and j.verdict.status == "accepted"
    )
    for label in ready:
        featurize.featurize(ledger, label)
    return DataOutcome(tuple(judged), tuple(ready))


def _due(ledger: Project, name: str, now: datetime) -> Iterator[Period]:
    """Batches whose period ended since the last tick, and those of the look-back that have not come yet."""
    scope, (start, last) = ledger.scope, ledger.window
    source = scope.sources[name]
    if source.period == "once":
        yield Period(start, now, "once")
        return
    for period in periods_between(start, now, source.period, scope.rhythm.offset):
        late = period.end > now - scope.features.history and not _landed(ledger, name, period)
        if period.end > last or late:
            yield period


def _landed(ledger: Project, name: str, period: Period) -> bool:
    return (ledger.landed / name / f"{period.label}.parquet").is_file()


def _judge(ledger: Project, name: str, period: Period, now: datetime) -> Verdict | None:
    """Land and validate one batch; None where it has not come and is not late yet, or is on record as missing."""
    if ingest.land(ledger, name, period) is not None:
        return validate.validate(ledger, name, period.label, now=now)
    known = validate.read_verdict(ledger, name, period.label)
    return None if known is not None else validate.missing(ledger, name, period, now)


def _amended(ledger: Project, last: datetime, now: datetime) -> list[Judged]:
    """Judge again the batches that people have amended since the last tick."""
    touched = dict.fromkeys((a.source, a.batch) for a in read_amendments(ledger, now) if a.known > last)
    return [
        Judged(source, batch, validate.validate(ledger, source, batch, now=now))
        for source, batch in touched
        if (ledger.landed / source / f"{batch}.parquet").is_file()
    ]
