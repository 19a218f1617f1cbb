"""One step of the data at a time, each as a run of its own: what is staged is on disk when it returns."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import polars as pl

from homeostat.core.batch_rules import Verdict
from homeostat.core.errors import DataError
from homeostat.core.periods import Period
from homeostat.data import ingest
from homeostat.data import validate as judging
from homeostat.data.ahead import Readings
from homeostat.data.sources import SourceReader, unlike
from homeostat.data.workspace import Workspace
from homeostat.features import upcoming as ahead
from homeostat.features.build import FeatureTables
from homeostat.features.point_in_time import PointInTime
from homeostat.project.layout import Project
from homeostat.project.scope import Source


def land(project: Project, source: str, period: Period) -> ingest.Landing:
    workspace = Workspace(project)
    landing = ingest.land(workspace, source, period, Readings(workspace, source, []).read)
    workspace.files.commit()
    return landing


def validate(project: Project, source: str, label: str, now: datetime | None = None) -> Verdict:
    workspace = Workspace(project)
    verdict = judging.validate(workspace, source, label, now)
    workspace.files.commit()
    return verdict


def validate_many(project: Project, source: str, labels: Iterable[str]) -> list[Verdict]:
    """In order of time, since each batch is compared with those before it."""
    return [validate(project, source, label) for label in sorted(labels)]


def missing(project: Project, source: str, period: Period, now: datetime | None = None) -> Verdict | None:
    workspace = Workspace(project)
    verdict = judging.missing(workspace, source, period, now)
    workspace.files.commit()
    return verdict


def read_verdict(project: Project, source: str, label: str) -> Verdict | None:
    return Workspace(project).verdicts.get(source, label)


def featurize(project: Project, label: str) -> Path:
    return FeatureTables(Workspace(project)).make(label)


def features_of(project: Project, label: str, sql: str | None = None) -> pl.DataFrame:
    return FeatureTables(Workspace(project)).of(label, sql)


def upcoming(project: Project, now: datetime, sql: str | None = None) -> pl.DataFrame | None:
    return ahead.upcoming(PointInTime(Workspace(project)), now, sql)


def read_batch(name: str, source: Source, period: Period | None, root: Path) -> pl.DataFrame | None:
    """The rows of a batch in their declared columns; None where the source has none."""
    delivery = SourceReader(root, root / "cache").delivery(name, source, period)
    if delivery is None:
        return None
    if (wrong := unlike(source, delivery.rows)) is not None:
        raise DataError(wrong)
    return delivery.rows.select(list(source.columns))
