"""The label log: labels sent back, in one journal for all workers, each label on the disk before it is confirmed.

A label that is on record with the same value is `repeated` and adds nothing; with another value it is `changed`: both
are kept, and the last one counts. A label that arrives after the event's label horizon is kept and marked late; one
for an event in the future is refused.
"""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from homeostat.data.known_at import with_known_at
from homeostat.serving import jsonl, paths
from homeostat.serving.jsonl import Journal
from homeostat.serving.requests import YEARS, Label, in_range, refusal

if TYPE_CHECKING:
    from homeostat.project.layout import Project
    from homeostat.project.scope import Scope

LabelId = tuple[str, bytes]  # objective, and the event's key as JSON


class LabelLog:
    """The journal, and the values on record as far as this worker has read it."""

    def __init__(self, project: Project) -> None:
        self._path = paths.labels(project)
        self._read_to = 0  # bytes
        self._values: dict[LabelId, float] = {}
        self._mutex = threading.Lock()

    def keep(self, scope: Scope, labels: Sequence[Label], now: datetime) -> list[dict[str, Any]]:
        """Append the labels that are new or changed; for each label its ``status`` and whether it is ``late``.

        Raises:
            Refused: an event lies in the future, or a label becomes known in the future.
            OSError: they could not be written.
        """
        times = event_times(scope, labels)
        _refuse_future(labels, times, now)
        answers, entries = [], []
        with self._mutex, self._locked_journal() as journal:
            for label, time in zip(labels, times, strict=True):
                status = self._record(label)
                late = time is not None and now > time + scope.events.label_horizon
                answers.append({"status": status, "late": late})
                if status != "repeated":
                    entries.append(_entry(label, late, now))
            if entries:
                journal.add(entries)
                journal.sync()
        return answers

    def _record(self, label: Label) -> str:
        name = _label_id(label.objective, label.key)
        before = self._values.get(name)
        self._values[name] = label.value
        return "kept" if before is None else "repeated" if before == label.value else "changed"

    @contextmanager
    def _locked_journal(self) -> Iterator[Journal]:
        """The journal, locked against the other workers, after reading everything that they have written."""
        journal = Journal(self._path)
        try:
            fcntl.flock(journal.fileno(), fcntl.LOCK_EX)
            size = self._path.stat().st_size
            if size < self._read_to:  # the file was replaced
                self._read_to, self._values = 0, {}
            for entry in jsonl.read(self._path, self._read_to):
                self._values[_label_id(entry["objective"], entry["key"])] = entry["value"]
            yield journal
            self._read_to = self._path.stat().st_size
        except OSError:
            self._read_to, self._values = 0, {}  # values in memory may not be on record
            raise
        finally:
            journal.close()


def event_times(scope: Scope, labels: Sequence[Label]) -> list[datetime | None]:
    """When each event was, where this follows from its key alone; else None.

    Raises:
        Refused: an event lies outside the range of times that can be computed with.
    """
    import polars as pl

    from homeostat.core.errors import ScopeError
    from homeostat.data.casts import TYPES

    source = scope.event_source
    keys = {name: [label.key[n] for label in labels] for n, name in enumerate(source.key)}
    columns = {name: keys.get(name, [None] * len(labels)) for name in source.columns}
    rows = pl.DataFrame(columns, schema={c: TYPES[kind] for c, kind in source.columns.items()})
    try:
        times = with_known_at(scope.events.source, source, rows).select("event_time")
    except ScopeError:
        return [None] * len(labels)
    for number, inside in enumerate(times.select(in_range("event_time")).to_series()):
        if inside is False:
            raise refusal(f"labels.{number}.event", f"lies outside {YEARS}", "correct the columns that give its time")
    return times["event_time"].to_list()


def _refuse_future(labels: Sequence[Label], times: Sequence[datetime | None], now: datetime) -> None:
    for number, (label, time) in enumerate(zip(labels, times, strict=True)):
        if time is not None and time > now:
            raise refusal(f"labels.{number}.event", f"is in the future, at {time}", "send the label after the event")
        if label.known is not None and label.known > now:
            raise refusal(f"labels.{number}.known_at", f"is in the future, after {now}", "leave it out, or correct it")


def _entry(label: Label, late: bool, now: datetime) -> dict[str, Any]:
    return {
        "at": now, "known_at": label.known or now, "objective": label.objective, "value": label.value,
        "key": label.key, "late": late,
    }  # fmt: skip


def _label_id(objective: str, key: Sequence[Any]) -> LabelId:
    """The same for a label that was received and for one that was read back."""
    return objective, to_json(key)
