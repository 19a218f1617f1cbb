"""Stage reference: rows that drift is held against, and golden requests, which no weight and no score has a part in."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from homeostat.adapters.parquet import places_of, write_table
from homeostat.features.tables import read_features
from homeostat.training import evaluate, golden

if TYPE_CHECKING:
    from homeostat.project.layout import Project

ROWS = "rows.parquet"
LATER = ("label__", "known__", "group__")  # what a feature row gets afterwards
ORDER = "__order"


def write_reference(project: Project) -> int:
    """Rewrite ``models/reference`` from the feature rows that trained or judged the candidate; how many it has.

    Raises:
        DataError: the candidate, the feature rows or an accepted batch are missing or damaged.
    """
    folder = project.reference
    shutil.rmtree(folder, ignore_errors=True)
    training = evaluate.read_training(project)
    rows = sample(project, training)
    write_table(rows, folder / ROWS)
    golden.write_requests(project, folder, *judging(training))
    return len(rows)


def sample(project: Project, training: Mapping[str, Any]) -> pl.DataFrame:
    """At most ``monitoring.reference_rows`` of the feature rows that trained or judged, without what came later.

    Which ones follows from their keys alone: those whose hashes are lowest, in that order.
    """
    scope = project.scope
    start, end = judging(training)
    rows = read_features(project, where=pl.col("event_time").is_between(start, end, closed="left"))
    order = pl.DataFrame({ORDER: places_of(rows.select(scope.key))}).with_row_index()
    lowest = order.bottom_k(scope.monitoring.reference_rows, by=ORDER).sort(ORDER)
    return rows[lowest["index"]].select(c for c in rows.columns if not c.startswith(LATER))


def span(trained: Mapping[str, Any]) -> tuple[datetime, datetime, datetime]:
    """From when on a model was trained, and from and to when it was judged."""
    holdout = trained["holdout"]
    return tuple(datetime.fromisoformat(t) for t in (trained["from"], holdout["from"], holdout["to"]))  # type: ignore[return-value]


def judging(training: Mapping[str, Any]) -> tuple[datetime, datetime]:
    """From when on events have trained or judged any model, and until when."""
    spans = [span(o) for o in training["objectives"].values()]
    return min(s for s, _, _ in spans), max(e for _, _, e in spans)
