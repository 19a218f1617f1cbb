"""Evidently's own page of a recorded look at drift, drawn again from the rows of that time, for a reader."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from homeostat.adapters import evidently
from homeostat.core.errors import UsageError
from homeostat.monitoring.champion import served_rows, watched
from homeostat.project.layout import Project, stamp
from homeostat.releases.feature_rows import FeatureRows
from homeostat.releases.registry import Registry, Serving


def draw_drift(tree: Project, registry: Registry, now: datetime | None) -> Path:
    """Write the page of the look at ``now``, or of the last one, beside its record; the page's path.

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
    records = sorted(tree.drift.glob("*.json"))
    if not records:
        raise UsageError(f"{tree.drift}: no look at drift is on record yet; each decision takes one")
    if now is None:
        return records[-1]
    wanted = tree.drift / f"{stamp(now)}.json"
    if wanted not in records:
        nearest = min(records, key=lambda path: abs(datetime.strptime(path.stem, "%Y-%m-%dT%H%M%S") - now))
        raise UsageError(f"no look at drift at {now}; the nearest is {nearest.stem[:13]}:{nearest.stem[13:15]}")
    return wanted
