"""The prediction log: every answer, with what is needed to derive it again.

Each worker adds to a file of its own. The id of a prediction follows from all that decides on it, so one that is asked
for twice within a second is one prediction, and counts once however often it was written.
"""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from homeostat.project import stamp
from homeostat.serving import files, journal
from homeostat.serving.journal import Journal

if TYPE_CHECKING:
    from homeostat.core.ledger import ReleaseEvent
    from homeostat.project import Project
    from homeostat.serving.ready import Answer

REMEMBERED = 50_000  # predictions that are not written a second time
LINES = 500_000  # of one file; then the next is begun


class PredictionLog:
    """The file of one worker, begun with its first prediction."""

    def __init__(self, project: Project) -> None:
        self._folder = files.served(project)
        self._journal: Journal | None = None
        self._lines = 0
        self._seen: OrderedDict[str, None] = OrderedDict()

    def keep(
        self, event: ReleaseEvent, answers: Sequence[Answer], given: Sequence[tuple[Any, ...]], now: datetime
    ) -> list[str]:
        """Write down what was answered for what was given; the ids.

        Raises:
            OSError: it could not be written, so it must not be answered.
        """
        ids, entries = [], []
        for answer, said in zip(answers, given, strict=True):
            entry = {
                "release": event.version, "bundle": event.bundle, "event": event.number, "given": said,
                "event_time": answer.event_time, "predict_at": answer.predict_at, "as_of": answer.as_of,
                "scores": answer.scores, "risk": answer.risk, "alert": answer.alert, "how": answer.how,
                "context": answer.context,
            }  # fmt: skip
            name = hashlib.sha256(to_json(entry)).hexdigest()[:24]
            ids.append(name)
            if name not in self._seen:
                entries.append({"id": name, "at": now} | entry)
        if entries:
            self._add(entries, now)
        return ids

    def _add(self, entries: list[dict[str, Any]], now: datetime) -> None:
        if self._journal is None or self._lines >= LINES:
            self.close()
            self._journal, self._lines = Journal(self._folder / f"{stamp(now)}-{os.getpid()}.jsonl"), 0
        self._journal.add(entries)
        self._lines += len(entries)
        for entry in entries:
            self._seen[entry["id"]] = None
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)

    def sync(self) -> None:
        """Have it on the disk."""
        if self._journal is not None:
            self._journal.sync()

    def close(self) -> None:
        if self._journal is not None:
            self._journal.close()
            self._journal = None


def logged(project: Project) -> Iterator[dict[str, Any]]:
    """Every prediction once, in the order of the files."""
    seen: set[str] = set()
    for path in paths(project):
        for entry in journal.read(path):
            if entry["id"] not in seen:
                seen.add(entry["id"])
                yield entry


def find(project: Project, name: str) -> dict[str, Any] | None:
    """One prediction by its id."""
    for path in reversed(paths(project)):
        if name.encode() in path.read_bytes():
            for entry in journal.read(path):
                if entry.get("id") == name:
                    return entry
    return None


def paths(project: Project) -> list[Path]:
    return sorted(files.served(project).glob("*.jsonl"))
