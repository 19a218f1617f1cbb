"""The prediction log: every answer, with what is needed to derive it again.

Each worker adds to a file of its own, which is packed once it has ended; nothing is dropped. The id of a prediction
follows from all that decides on it, so one that is asked for twice within a second is one prediction, and counts once
however often it was written.

While a challenger is tried, lines without an id of their own stand beside the predictions: ``of`` is the prediction,
``scores`` what the challenger said of it unseen, ``error`` why a release could not answer.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from homeostat.project.clock import alive
from homeostat.project.layout import stamp
from homeostat.project.private import private_folder
from homeostat.serving import jsonl
from homeostat.serving import paths as files
from homeostat.serving.jsonl import PACKED, Journal

if TYPE_CHECKING:
    from homeostat.core.ledger import ReleaseEvent
    from homeostat.project.layout import Project
    from homeostat.serving.precomputed import Answer

REMEMBERED = 50_000  # predictions that are not written a second time
LINES = 500_000  # of one file; then the next is begun


class PredictionLog:
    """The file of one worker, begun with its first prediction."""

    def __init__(self, project: Project) -> None:
        self._folder = private_folder(files.served(project))
        self._journal: Journal | None = None
        self._lines = 0
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._turn = threading.Lock()

    def keep(
        self, event: ReleaseEvent, answers: Sequence[Answer], given: Sequence[tuple[Any, ...]], now: datetime,
        seconds: float = 0.0,
    ) -> list[str]:  # fmt: skip
        """Write down what was answered for what was given, in so many seconds; the ids.

        Raises:
            OSError: it could not be written, so it must not be answered.
        """
        ids, entries = [], []
        for answer, said in zip(answers, given, strict=True):
            made = entry(event, answer, said)
            name = name_of(made)
            ids.append(name)
            if name not in self._seen:
                entries.append({"id": name, "at": now} | made)
        if entries:
            entries[0]["seconds"] = seconds  # of the request, so once
            self._add(entries, now)
        return ids

    def keep_unseen(
        self, event: ReleaseEvent, said: Mapping[str, tuple[float, ...]], now: datetime, seconds: float
    ) -> None:
        """Write down what a challenger said, by prediction, that nobody was told.

        Raises:
            OSError: it could not be written.
        """
        entries: list[dict[str, Any]] = [
            {"of": name, "at": now, "release": event.version, "event": event.number, "scores": scores}
            for name, scores in said.items()
        ]
        if entries:
            entries[0]["seconds"] = seconds
            self._add(entries, now)

    def note_failure(self, event: ReleaseEvent, of: str | None, why: str, now: datetime) -> None:
        """Write down that a release could not answer a request; ``of`` is the first prediction given instead."""
        line = {"of": of, "at": now, "release": event.version, "event": event.number, "error": why}
        if of is None or self.unsaid(event, [of]):
            self._add([line], now)

    def note_unloaded(self, event: ReleaseEvent, why: str, now: datetime) -> None:
        """Write down that this worker cannot load a challenger."""
        line = {"of": None, "at": now, "release": event.version, "event": event.number, "unloaded": why}
        self._add([line | {"worker": os.getpid()}], now)

    def unsaid(self, event: ReleaseEvent, ids: Sequence[str]) -> set[str]:
        """Those of the predictions for which nothing of this release is written down yet."""
        return {name for name in ids if f"{name} {event.version}" not in self._seen}

    def _add(self, entries: list[dict[str, Any]], now: datetime) -> None:
        with self._turn:
            self._write(entries, now)

    def _write(self, entries: list[dict[str, Any]], now: datetime) -> None:
        if self._journal is None or self._lines >= LINES:
            self.close()
            self._journal, self._lines = Journal(self._folder / f"{stamp(now)}-{os.getpid()}.jsonl"), 0
        self._journal.add(entries)
        self._lines += len(entries)
        for entry in entries:
            self._seen[entry["id"] if "id" in entry else f"{entry['of']} {entry['release']}"] = None
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


def entry(event: ReleaseEvent, answer: Answer, given: tuple[Any, ...]) -> dict[str, Any]:
    """All that decides on a prediction, and what it came to."""
    return {
        "release": event.version, "bundle": event.bundle, "event": event.number, "given": given,
        "event_time": answer.event_time, "predict_at": answer.predict_at, "as_of": answer.as_of,
        "scores": answer.scores, "risk": answer.risk, "alert": answer.alert, "how": answer.how,
        "context": answer.context,
    }  # fmt: skip


def name_of(made: dict[str, Any]) -> str:
    """The id of a prediction."""
    return hashlib.sha256(to_json(made)).hexdigest()[:24]


def logged(project: Project) -> Iterator[dict[str, Any]]:
    """Every prediction once, in the order of the files."""
    seen: set[str] = set()
    for path in paths(project):
        for entry in jsonl.read(path):
            if "id" in entry and entry["id"] not in seen:
                seen.add(entry["id"])
                yield entry


def lines_since(project: Project, since: datetime) -> Iterator[dict[str, Any]]:
    """Predictions and what stands beside them, written from ``since`` on; of the newest file first."""
    begin = since.isoformat()
    ended: dict[str, str] = {}  # by process, the file that it has ended
    for path in reversed(paths(project)):
        begun, writer = _parts(path)
        if writer in ended and ended[writer] <= stamp(since):
            continue
        ended[writer] = begun
        yield from (entry for entry in jsonl.read(path) if entry["at"] >= begin)


def beside(project: Project, name: str) -> list[dict[str, Any]]:
    """What stands beside one prediction."""
    wanted = [path for path in paths(project) if _holds(path, name)]
    return [entry for path in wanted for entry in jsonl.read(path) if entry.get("of") == name]


def find(project: Project, name: str) -> dict[str, Any] | None:
    """One prediction by its id."""
    for path in reversed(paths(project)):
        if _holds(path, name):
            for entry in jsonl.read(path):
                if entry.get("id") == name:
                    return entry
    return None


def paths(project: Project) -> list[Path]:
    """The files of the log in order, each once: packed or not."""
    folder = files.served(project)
    plain = {path.name: path for path in folder.glob("*.jsonl")}
    packed = {path.name.removesuffix(PACKED): path for path in folder.glob(f"*.jsonl{PACKED}")}
    return [path for _, path in sorted((packed | plain).items())]


def pack_ended(project: Project) -> list[Path]:
    """Pack the files that no worker adds to any more, some ten times smaller; nothing of them is lost."""
    plain = [path for path in paths(project) if path.suffix != PACKED]
    last = {_parts(path)[1]: path for path in plain}
    ended = [p for p in plain if last[_parts(p)[1]] != p or not alive(int(_parts(p)[1]))]
    return [jsonl.pack(path) for path in ended]


def _parts(path: Path) -> tuple[str, str]:
    """When a file was begun, and the process that did."""
    begun, _, writer = path.name.partition(".")[0].rpartition("-")
    return begun, writer


def _holds(path: Path, name: str) -> bool:
    with jsonl.opened(path) as file:
        return any(name.encode() in line for line in file)
