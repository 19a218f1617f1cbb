"""Taking data in: land and judge every batch that is due at a tick."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from homeostat.core.batch_rules import lacks_rows
from homeostat.core.periods import Period, floor, periods_between
from homeostat.data import ingest, schema_changes
from homeostat.data.ahead import Readings
from homeostat.data.batch import Batch
from homeostat.data.ingest import Landing
from homeostat.data.moved import source_moved
from homeostat.data.validate import missing, validate
from homeostat.project.scope import ONCE

if TYPE_CHECKING:
    from homeostat.data.workspace import Workspace


@dataclass(frozen=True)
class DataOutcome:
    """What a tick did to the data: every batch that it decided on, and the event batches that got features.

    ``remarks`` are sentences on what changed in the sources and does not stop anything.
    """

    batches: tuple[Batch, ...]
    featurized: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def judge_due(workspace: Workspace, now: datetime, last: datetime, done: Callable[[], None]) -> DataOutcome:
    """Land and judge all that is due at ``now``, the last completed tick being ``last``; staged.

    ``done`` is called after each batch. ``featurized`` of the outcome are the event batches that want features.

    Raises:
        DataError: a source cannot be read.
        ScopeError: the scope or a contract cannot be used.
    """
    scope = workspace.scope
    batches, remarks = [], []
    for name in scope.sources:
        landed: dict[str, Landing] = {}
        due = list(_due(workspace, name, now, last))
        readings = Readings(workspace, name, ingest.unread(workspace, name, due), judged=True)
        for period in due:
            landing, batch, remark = _take(workspace, name, period, now, last, readings)
            landed[period.label] = landing
            batches += [batch] if batch is not None else []
            remarks += [remark] if remark else []
            done()
        if before := schema_changes.moved_from(workspace, name):
            remarks.insert(0, source_moved(name, before, scope.sources[name].place, landed))
    batches += _amended(workspace, now, last)
    for name in scope.sources:
        schema_changes.declare(workspace, name)
    done()
    accepted = [b.label for b in batches if b.source == scope.events.source and b.verdict.status == "accepted"]
    accepted += _newly_labelled(workspace, now, last)
    return DataOutcome(tuple(batches), tuple(dict.fromkeys(accepted)), tuple(remarks))


def _due(workspace: Workspace, name: str, now: datetime, last: datetime) -> Iterator[Period]:
    """Batches whose period ended since the last tick, and those of the look-back that wait: for rows, or for a fix.

    Where the source is declared again, or lies elsewhere, all of the look-back is.
    """
    scope, start = workspace.scope, workspace.start
    source = scope.sources[name]
    if source.period == ONCE:
        yield Period(start, now, ONCE)
        return
    redeclared = schema_changes.declared_again(workspace, name) or schema_changes.moved_from(workspace, name)
    since = max(start, floor(min(last, now - scope.features.history), source.period, scope.rhythm.offset))
    for period in periods_between(since, now, source.period, scope.rhythm.offset):
        if period.end > last or redeclared or _waits(workspace, name, period):
            yield period


def _waits(workspace: Workspace, name: str, period: Period) -> bool:
    """Whether a batch has not come, was not judged, came otherwise than declared, or lacks rows that may come yet."""
    if not workspace.files.exists(workspace.project.landed / name / f"{period.label}.parquet"):
        return True
    verdict = workspace.verdicts.get(name, period.label)
    return verdict is None or any(f.rule == "schema" or lacks_rows(f) for f in verdict.failed)


def _take(
    workspace: Workspace, name: str, period: Period, now: datetime, last: datetime, readings: Readings
) -> tuple[Landing, Batch | None, str]:
    """Land and judge one batch; None where nothing is new of it. With it a remark on its columns, or nothing."""
    landing = ingest.land(workspace, name, period, readings.read)
    before = workspace.verdicts.get(name, period.label)
    if landing.path is None:
        verdict = missing(workspace, name, period, now) if before is None else None
        still = verdict is not None and _missing_before(workspace, name, period) > 0
        return landing, (Batch(name, period.label, verdict, still) if verdict else None), ""
    verdict = validate(workspace, name, period.label, now)
    new = schema_changes.new_among(workspace, name, period.label, landing.undeclared) if landing.read else ""
    old_news = before == verdict and period.label != ONCE and period.end <= last
    again = _comes_again(workspace, name, period) if before is None and period.label != ONCE else ""
    return landing, (None if old_news else Batch(name, period.label, verdict)), landing.refused or new or again


def _missing_before(workspace: Workspace, name: str, period: Period) -> int:
    """How many batches in a row, up to the one before, are on record as missing."""
    verdicts, many = workspace.verdicts.of_source(name), 0
    for label in reversed([label for label in verdicts if label < period.label]):
        if verdicts[label].status != "missing":
            break
        many += 1
    return many


def _comes_again(workspace: Workspace, name: str, period: Period) -> str:
    """A sentence on the end of a gap of several batches; nothing where there was none."""
    many = _missing_before(workspace, name, period)
    return f"{name} comes again with {period.label}; {many} batches before it are missing" if many > 1 else ""


def _newly_labelled(workspace: Workspace, now: datetime, last: datetime) -> list[str]:
    """Accepted batches of events whose labels came since the last tick."""
    labelled = workspace.label_amendments.items()
    new = [batch for batch, files in labelled if any(last < one.known <= now for one in files)]
    verdicts = {batch: workspace.verdicts.get(workspace.scope.events.source, batch) for batch in new}
    return [batch for batch, verdict in verdicts.items() if verdict is not None and verdict.status == "accepted"]


def _amended(workspace: Workspace, now: datetime, last: datetime) -> list[Batch]:
    """Judge again the batches that people have amended since the last tick."""
    amended = dict.fromkeys((a.source, a.batch) for a in workspace.amendments if last < a.known <= now)
    landed = workspace.project.landed
    return [
        Batch(source, batch, validate(workspace, source, batch, now))
        for source, batch in amended
        if workspace.files.exists(landed / source / f"{batch}.parquet")
    ]
