"""Evidently's own page of a record of drift, drawn from the rows of that time, for a reader."""

from __future__ import annotations

import json
from datetime import datetime, time
from pathlib import Path

from homeostat.adapters import evidently
from homeostat.core.errors import UsageError
from homeostat.core.text import typed_time
from homeostat.monitoring.champion import served_rows, watched
from homeostat.project.layout import Project
from homeostat.releases.feature_rows import FeatureRows
from homeostat.releases.registry import Registry, Serving


def draw_drift(tree: Project, registry: Registry, now: datetime | None) -> Path:
    """Write the page of the record of ``now``, or of the last one, beside it; its path.

    Where ``now`` is midnight and has no record, the last of that day is meant.

    Raises:
        UsageError: there is no such record; the line names the nearest.
        HomeostatError: the release of that time cannot be loaded.
    """
    record = _record(tree, now)
    body = json.loads(record.read_text())
    at, version = datetime.fromisoformat(body["at"]), body["release"]
    event = next(e for e in reversed(registry.ledger.events) if e.version == version and e.at <= at)
    serving = Serving(event, registry.load(version))
    current = served_rows(tree, serving, FeatureRows(tree), at - tree.scope.rhythm.decide, at)
    limits = serving.bundle.scope.monitoring
    reference = watched(serving.bundle, serving.bundle.reference)
    page = record.with_suffix(".html")
    return evidently.render_page(current, reference, page, limits.drift_method, limits.drift_limit)


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
