"""Labels sent back: one journal for all workers, each label on the disk before it is confirmed.

A label that says what is on record already is `repeated` and adds nothing; one that says otherwise is `changed`: it is
kept beside the first, and the last one counts. One that comes after the event's label horizon is kept and said to be
late; one for an event that lies ahead is refused.
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

Key = tuple[str, bytes]


class LabelLog:
    """The journal, as this worker has read it so far."""

    def __init__(self, project: Project) -> None:
        self._path = paths.labels(project)
        self._read_to = 0
        self._known: dict[Key, float] = {}
        self._turn = threading.Lock()

    def keep(self, scope: Scope, labels: Sequence[Label], now: datetime) -> list[dict[str, Any]]:
        """Write down what is new; for each label what became of it.

        Raises:
            Refused: an event lies ahead, or a label is known in the future.
            OSError: they could not be written.
        """
        times = event_times(scope, labels)
        for number, (label, time) in enumerate(zip(labels, times, strict=True)):
            if time is not None and time > now:
                raise refusal(f"labels.{number}.event", f"the event lies ahead, at {time}", "send it when it happened")
            if label.known is not None and label.known > now:
                raise refusal(f"labels.{number}.known_at", f"lies ahead of {now}", "leave it out, or correct it")
        answers, entries = [], []
        with self._turn, self._alone() as log:
            for label, time in zip(labels, times, strict=True):
                status = self._take(label)
                late = time is not None and now > time + scope.events.label_horizon
                answers.append({"status": status, "late": late})
                if status != "repeated":
                    entries.append(_entry(scope, label, late, now))
            if entries:
                log.add(entries)
                log.sync()
        return answers

    def _take(self, label: Label) -> str:
        name = _name(label.objective, label.key)
        before = self._known.get(name)
        self._known[name] = label.value
        return "kept" if before is None else "repeated" if before == label.value else "changed"

    @contextmanager
    def _alone(self) -> Iterator[Journal]:
        """The journal, held, with everything that the other workers wrote read."""
        log = Journal(self._path)
        try:
            fcntl.flock(log.fileno(), fcntl.LOCK_EX)
            size = self._path.stat().st_size
            if size < self._read_to:  # put in place again
                self._read_to, self._known = 0, {}
            for entry in jsonl.read(self._path, self._read_to):
                self._known[_name(entry["objective"], entry["key"])] = entry["value"]
            yield log
            self._read_to = self._path.stat().st_size
        except OSError:
            self._read_to, self._known = 0, {}  # what was taken may not be on record
            raise
        finally:
            log.close()


def event_times(scope: Scope, labels: Sequence[Label]) -> list[datetime | None]:
    """When each event was, where its key alone tells.

    Raises:
        Refused: an event lies outside the times that can be worked with.
    """
    import polars as pl

    from homeostat.core.errors import ScopeError
    from homeostat.data.casts import TYPES

    source = scope.event_source
    keys = {name: [label.key[n] for label in labels] for n, name in enumerate(source.key)}
    columns = {name: keys.get(name, [None] * len(labels)) for name in source.columns}
    rows = pl.DataFrame(columns, schema={c: TYPES[kind] for c, kind in source.columns.items()})
    try:
        found = with_known_at(scope.events.source, source, rows).select("event_time")
    except ScopeError:
        return [None] * len(labels)
    for number, inside in enumerate(found.select(in_range("event_time")).to_series()):
        if inside is False:
            raise refusal(f"labels.{number}.event", f"lies outside {YEARS}", "correct what gives its time")
    return found["event_time"].to_list()


def _entry(scope: Scope, label: Label, late: bool, now: datetime) -> dict[str, Any]:
    return {
        "at": now, "known_at": label.known or now, "objective": label.objective, "value": label.value,
        "key": label.key, "late": late,
    }  # fmt: skip


def _name(objective: str, key: Sequence[Any]) -> Key:
    """The label's name, the same for what was sent and for what was read back."""
    return objective, to_json(key)
