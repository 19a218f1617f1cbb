"""Labels that did not come with their source: amendments of a batch of events, one file a batch and run of the loop.

Each row is a label of one event and objective with when it was received, which is when it became known. Where the
source has a label of its own, that one counts; of several that were received the last does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from homeostat.adapters.parquet import digest, read_table, table_bytes
from homeostat.core.errors import DataError
from homeostat.core.text import count
from homeostat.data.amendments import LABELS, next_number, read_records, write_record
from homeostat.project.whole_files import write_bytes

if TYPE_CHECKING:
    from homeostat.project.layout import Project

OBJECTIVE, VALUE, RECEIVED = "objective", "value", "received"  # columns beside the key of the events


@dataclass(frozen=True)
class LabelAmendment:
    """One file of labels; ``differ`` of them are other than the source's own."""

    number: int
    source: str
    batch: str
    who: str
    why: str
    known: datetime
    file: str
    sha256: str
    differ: int

    @property
    def sentence(self) -> str:
        return (
            f"{self.source} {self.batch}: {self.differ} of the labels received by {self.who} differ from the source's, "
            f"which count: see data/amendments/{self.file}, and where the source is wrong "
            f"`homeostat data correct {self.source} {self.batch} FILE --why TEXT`"
        )


def read_label_amendments(project: Project) -> list[LabelAmendment]:
    """All of them, in order of their number.

    Raises:
        DataError: a file is damaged.
    """
    records = ({k: v for k, v in raw.items() if k != "kind"} for raw in read_records(project, LABELS))
    return sorted((LabelAmendment(**raw) for raw in records), key=lambda one: one.number)


def received_labels(project: Project, amendments: Iterable[LabelAmendment]) -> pl.DataFrame | None:
    """The labels of these files, the last of each event and objective; None where there are none.

    Raises:
        DataError: a file is not the one that was recorded.
    """
    tables = []
    for one in amendments:
        path = project.amendments / one.file
        if not path.is_file() or digest(path.read_bytes()) != one.sha256:
            raise DataError(f"{path}: is gone, or changed since it was recorded; restore it from git")
        tables.append(read_table(path))
    if not tables:
        return None
    key = [*project.scope.key, OBJECTIVE]
    return pl.concat(tables).unique(key, keep="last", maintain_order=True)


def amend_labels(project: Project, batch: str, rows: pl.DataFrame, differ: int, who: str, now: datetime) -> Path:
    """Put labels of the events of one batch on record, known to the loop from ``now`` on."""
    source, number = project.scope.events.source, next_number(project)
    data = table_bytes(rows)
    file = f"{number:04d}-{LABELS}-{source}-{batch}.parquet"
    write_bytes(data, project.amendments / file)
    why = f"{count(len(rows), 'label')} received"
    body = {"number": number, "kind": LABELS, "source": source, "batch": batch, "who": who, "why": why, "known": now,
            "file": file, "sha256": digest(data), "differ": differ}  # fmt: skip
    return write_record(project, body, f"{source}-{batch}")
