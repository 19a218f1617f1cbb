"""The prediction log: every answer, with everything that is needed to derive it again.

Each worker appends to a file of its own, which is packed once it has ended; nothing is dropped. The id of a prediction
is a hash of everything that determines it, so one that is requested twice within a second is one prediction, and counts
once however often it was written.

While a challenger is tried, lines without an id of their own refer to predictions: ``of`` is the prediction's id,
``scores`` are the shadow's scores of the same event, ``error`` says why a release could not answer.
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

from homeostat.project.layout import stamp
from homeostat.project.private import private_folder
from homeostat.project.process import alive
from homeostat.project.whole_files import beside
from homeostat.serving import jsonl, paths
from homeostat.serving.jsonl import PACKED, Journal

if TYPE_CHECKING:
    from homeostat.core.ledger import ReleaseEvent
    from homeostat.project.layout import Project
    from homeostat.serving.answer import Answer

REMEMBERED = 50_000  # predictions that a worker does not write a second time
LINES = 500_000  # of one file; then the next is begun
BLOCK = 4096  # bytes: what a disk gives at least


class PredictionLog:
    """The file of one worker, begun with its first prediction."""

    def __init__(self, project: Project) -> None:
        self._folder = private_folder(paths.served(project))
        self._journal: Journal | None = None
        self._lines = 0
        self._written: OrderedDict[str, None] = OrderedDict()
        self._mutex = threading.Lock()

    def keep(
        self, event: ReleaseEvent, answers: Sequence[Answer], given: Sequence[tuple[Any, ...]], now: datetime,
        seconds: float = 0.0,
    ) -> list[str]:  # fmt: skip
        """Append the answers with the requested events (``given``) and the seconds they took; the ids.

        Raises:
            OSError: it could not be written, so it must not be answered.
        """
        ids, entries = [], []
        for answer, columns in zip(answers, given, strict=True):
            body = entry(event, answer, columns)
            name = prediction_id(body)
            ids.append(name)
            if name not in self._written:
                entries.append({"id": name, "at": now} | body)
        if entries:
            entries[0]["seconds"] = seconds  # of the request, so once
            self._append(entries, now)
        return ids

    def keep_shadow(
        self, event: ReleaseEvent, scores: Mapping[str, tuple[float, ...]], now: datetime, seconds: float
    ) -> None:
        """Append a shadow's scores, by the id of the prediction that was answered in its place.

        Raises:
            OSError: it could not be written.
        """
        entries: list[dict[str, Any]] = [
            {"of": name, "at": now, "release": event.version, "event": event.number, "scores": values}
            for name, values in scores.items()
        ]
        if entries:
            entries[0]["seconds"] = seconds
            self._append(entries, now)

    def note_failure(self, event: ReleaseEvent, of: str | None, why: str, now: datetime) -> None:
        """Append that a release could not answer a request; ``of`` is the first prediction that was given instead."""
        line = {"of": of, "at": now, "release": event.version, "event": event.number, "error": why}
        if of is None or self.without_line(event, [of]):
            self._append([line], now)

    def note_unloaded(self, event: ReleaseEvent, why: str, now: datetime) -> None:
        """Append that this worker cannot load a challenger."""
        line = {"of": None, "at": now, "release": event.version, "event": event.number, "unloaded": why}
        self._append([line | {"worker": os.getpid()}], now)

    def without_line(self, event: ReleaseEvent, ids: Sequence[str]) -> set[str]:
        """Those of the predictions to which no line of this release refers yet."""
        return {name for name in ids if f"{name} {event.version}" not in self._written}

    def _append(self, entries: list[dict[str, Any]], now: datetime) -> None:
        with self._mutex:
            if self._journal is None or self._lines >= LINES:
                self.close()
                self._journal, self._lines = Journal(self._folder / f"{stamp(now)}-{os.getpid()}.jsonl"), 0
            self._journal.add(entries)
            self._lines += len(entries)
            for line in entries:
                self._written[line["id"] if "id" in line else f"{line['of']} {line['release']}"] = None
            while len(self._written) > REMEMBERED:
                self._written.popitem(last=False)

    def require_writable(self) -> None:
        """Write a block beside the log and remove it.

        Raises:
            OSError: the disk is full, or the folder cannot be written.
        """
        probe = beside(self._folder / "writable")
        try:
            probe.write_bytes(bytes(BLOCK))
        finally:
            probe.unlink(missing_ok=True)

    def sync(self) -> None:
        """Put everything that was written on the disk."""
        if self._journal is not None:
            self._journal.sync()

    def close(self) -> None:
        if self._journal is not None:
            self._journal.close()
            self._journal = None


def entry(event: ReleaseEvent, answer: Answer, given: tuple[Any, ...]) -> dict[str, Any]:
    """Everything that determines a prediction, and the answer."""
    filtered = {} if answer.filtered is None else {"filtered": answer.filtered}
    return filtered | {
        "release": event.version, "bundle": event.bundle, "event": event.number, "given": given,
        "event_time": answer.event_time, "predict_at": answer.predict_at, "as_of": answer.as_of,
        "scores": answer.scores, "risk": answer.risk, "alert": answer.alert,
        "decision": answer.decision, "reason": answer.reason,
        "how": answer.how, "context": answer.context,
    }  # fmt: skip


def prediction_id(body: dict[str, Any]) -> str:
    """The id of a prediction: a hash of its ``entry``."""
    return hashlib.sha256(to_json(body)).hexdigest()[:24]


def lines_since(project: Project, since: datetime) -> Iterator[dict[str, Any]]:
    """Predictions and the lines that refer to them, written from ``since`` on; those of the newest file first."""
    begin = since.isoformat()
    next_begun: dict[str, str] = {}  # by process, when its following file was begun
    for path in reversed(log_files(project)):
        begun, writer = _begun_and_writer(path)
        if writer in next_begun and next_begun[writer] <= stamp(since):
            continue
        next_begun[writer] = begun
        yield from (line for line in jsonl.read(path) if line["at"] >= begin)


def lines_about(project: Project, name: str) -> list[dict[str, Any]]:
    """The lines that refer to one prediction."""
    files = [path for path in log_files(project) if _mentions(path, name)]
    return [line for path in files for line in jsonl.read(path) if line.get("of") == name]


def find(project: Project, name: str) -> dict[str, Any] | None:
    """One prediction by its id."""
    for path in reversed(log_files(project)):
        if _mentions(path, name):
            for line in jsonl.read(path):
                if line.get("id") == name:
                    return line
    return None


def log_files(project: Project) -> list[Path]:
    """The files of the log in order, each once: packed or not."""
    folder = paths.served(project)
    plain = {path.name: path for path in folder.glob("*.jsonl")}
    packed = {path.name.removesuffix(PACKED): path for path in folder.glob(f"*.jsonl{PACKED}")}
    return [path for _, path in sorted((packed | plain).items())]


def pack_ended(project: Project) -> list[Path]:
    """Pack the files that no worker appends to any more, to about a tenth of their size; no line is lost."""
    plain = [path for path in log_files(project) if path.suffix != PACKED]
    newest = {_begun_and_writer(path)[1]: path for path in plain}
    packed = []
    for path in plain:
        _, writer = _begun_and_writer(path)
        if newest[writer] != path or not alive(int(writer)):
            packed.append(jsonl.pack(path))
    return packed


def _begun_and_writer(path: Path) -> tuple[str, str]:
    """When a file was begun, and the process that writes it."""
    begun, _, writer = path.name.partition(".")[0].rpartition("-")
    return begun, writer


def _mentions(path: Path, name: str) -> bool:
    with jsonl.open_for_reading(path) as file:
        return any(name.encode() in line for line in file)
