"""Small records by batch, one JSON file a month: a line each, sorted, so that its bytes follow from what is in it.

Batches shorter than a day have a file a day, so that writing one record does not mean writing thousands.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from homeostat.data.staged_files import StagedFiles

Record = TypeVar("Record")
log = logging.getLogger("homeostat.data")
FILE = re.compile(r"\d{4}-\d\d(-\d\d)?|once")  # what a file of records is called


@dataclass(frozen=True)
class _Month(Generic[Record]):
    """One file as it was last read or written: its records, and the line of each."""

    version: object
    data: bytes
    records: dict[str, Record]
    lines: dict[str, str]


class MonthlyRecords(Generic[Record]):
    """Records of the batches of one source in ``folder``, each file parsed once while it stays.

    A file that is damaged holds no records: what they are of is done again, and the file written.
    """

    def __init__(
        self,
        files: StagedFiles,
        folder: Path,
        decode: Callable[[Any], Record],
        encode: Callable[[Record], Any],
    ) -> None:
        self._files, self._folder = files, folder
        self._decode, self._encode = decode, encode
        self._months: dict[str, _Month[Record]] = {}
        self._paths: dict[str, Path] = {}

    def get(self, label: str) -> Record | None:
        """The record of a batch, or None."""
        return self._month(file_of(label)).records.get(label)

    def all(self, last: int | None = None) -> dict[str, Record]:
        """Every record by label, in order of label; the ``last`` ones only, if it is given."""
        names = [name.removesuffix(".json") for name in self._files.names(self._folder) if name.endswith(".json")]
        records: list[tuple[str, Record]] = []
        for name in sorted(filter(FILE.fullmatch, names), reverse=True):
            records = [*self._month(name).records.items(), *records]
            if last is not None and len(records) >= last:
                break
        return dict(records if last is None else records[max(0, len(records) - last) :])

    def put(self, records: Mapping[str, Record]) -> None:
        """Stage records, those of one file in one go."""
        for name in sorted({file_of(label) for label in records}):
            month = self._month(name)
            new = {k: v for k, v in records.items() if file_of(k) == name}
            lines = {k: json.dumps(self._encode(v), sort_keys=True) for k, v in new.items()}
            self._write(name, month.records | new, month.lines | lines)

    def remove(self, labels: Iterable[str]) -> None:
        """Stage that records go."""
        gone = set(labels)
        for name in sorted({file_of(label) for label in gone}):
            month = self._month(name)
            if not gone.isdisjoint(month.records):
                kept = {k: v for k, v in month.records.items() if k not in gone}
                self._write(name, kept, month.lines)

    def _month(self, name: str) -> _Month[Record]:
        path = self._path(name)
        version, kept = self._files.version(path), self._months.get(name)
        if version is None:
            return _Month(None, b"", {}, {})
        if kept is None or kept.version != version:
            data = self._files.read(path) or b""
            if kept is not None and kept.data == data:
                kept = replace(kept, version=version)
            else:
                kept = self._parsed(path, version, data)
            self._months[name] = kept
        return kept

    def _parsed(self, path: Path, version: object, data: bytes) -> _Month[Record]:
        try:
            raw = json.loads(data)
            records = {label: self._decode(one) for label, one in raw.items()}
        except (ValueError, TypeError, KeyError, AttributeError):
            log.warning("%s: damaged, not records of batches; made again", path)
            return _Month(version, data, {}, {})
        return _Month(version, data, records, {k: json.dumps(one, sort_keys=True) for k, one in raw.items()})

    def _write(self, name: str, records: Mapping[str, Record], lines: Mapping[str, str]) -> None:
        path = self._path(name)
        if not records:
            self._files.remove(path)
            return
        ordered = sorted(records)
        data = ("{\n" + ",\n".join(f"{json.dumps(k)}: {lines[k]}" for k in ordered) + "\n}\n").encode()
        self._files.write(path, data)
        self._months[name] = _Month(
            self._files.version(path), data, {k: records[k] for k in ordered}, {k: lines[k] for k in ordered}
        )

    def _path(self, name: str) -> Path:
        if name not in self._paths:  # kept, since a year's features ask for it tens of thousands of times
            self._paths[name] = self._folder / f"{name}.json"
        return self._paths[name]


def file_of(label: str) -> str:
    """The name of the file that a batch's record is in.

    >>> file_of("2013-01-31"), file_of("2013-01-31T05"), file_of("once")
    ('2013-01', '2013-01-31', 'once')
    """
    return label[:10] if "T" in label else label[:7]
