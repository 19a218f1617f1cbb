"""A record of drift with the rows that it was made from: what the release had seen, and what it predicted then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeostat.adapters import evidently
from homeostat.core.errors import UsageError
from homeostat.core.text import typed_time
from homeostat.monitoring.champion import served_rows, watched
from homeostat.project.layout import Project
from homeostat.project.records import read_body
from homeostat.releases.feature_rows import FeatureRows
from homeostat.releases.registry import Registry, Serving

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class RecordedDrift:
    """``record`` is what lies at ``path``; ``current`` and ``reference`` are the columns that are watched.

    ``days`` are the event times of the rows of each.
    """

    path: Path
    at: datetime
    serving: Serving
    record: dict[str, Any]
    current: pl.DataFrame
    reference: pl.DataFrame
    days: tuple[pl.Series, pl.Series]


def read_drift(tree: Project, registry: Registry, now: datetime | None) -> RecordedDrift:
    """The record of ``now``, or the last one, with its rows.

    Where ``now`` is midnight and has no record, the last of that day is meant.

    Raises:
        UsageError: there is no such record; the line names the nearest.
        HomeostatError: the release of that time cannot be loaded.
    """
    path = _record(tree, now)
    record = read_body(path)
    at, version = datetime.fromisoformat(record["at"]), record["release"]
    event = next(e for e in reversed(registry.ledger.events) if e.version == version and e.at <= at)
    serving = Serving(event, registry.load(version))
    rows = served_rows(tree, serving, FeatureRows(tree), at - tree.scope.rhythm.decide, at)
    reference, times = serving.bundle.reference, rows["event_time"]
    current, before = (watched(serving.bundle, table) for table in (rows, reference))
    return RecordedDrift(path, at, serving, record, current, before, (times, reference["event_time"]))


def draw_evidently(drift: RecordedDrift) -> Path:
    """Write Evidently's own page of it beside the record; its path."""
    limits = drift.serving.bundle.scope.monitoring
    page = drift.path.with_name(f"{drift.path.stem}-evidently.html")
    return evidently.render_page(drift.current, drift.reference, page, limits.drift_method, limits.drift_limit)


def recorded_times(tree: Project) -> list[datetime]:
    """The times of which a record of drift is there, in order."""
    return sorted(datetime.fromisoformat(path.stem) for path in tree.drift.glob("*.json"))


def add_to_workspace(drift: RecordedDrift, project: str, folder: Path) -> None:
    """Put Evidently's report of it into the workspace of ``evidently ui`` in ``folder``, unless it is there."""
    limits, name = drift.serving.bundle.scope.monitoring, f"{drift.path.stem} {drift.serving.event.version}"
    evidently.add_to_workspace(
        drift.current, drift.reference, folder, project, name, drift.at, limits.drift_method, limits.drift_limit
    )


def _record(tree: Project, now: datetime | None) -> Path:
    records = {datetime.fromisoformat(path.stem): path for path in sorted(tree.drift.glob("*.json"))}
    if not records:
        raise UsageError(f"{tree.drift}: no drift is on record yet; each decision on a release that serves records it")
    if now is None:
        return records[max(records)]
    whole_day = [at for at in records if at.date() == now.date()] if now.time() == time.min else []
    at = now if now in records else max(whole_day, default=None)
    if at is None:
        nearest = min(records, key=lambda other: abs(other - now))
        none = f"{now:%Y-%m-%d %H:%M}: no drift is on record for this time"
        raise UsageError(f"{none}; the nearest is of {typed_time(nearest)}")
    return records[at]
