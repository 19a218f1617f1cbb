"""The verdicts on record: one file a source and month, ``data/accepted/<source>/<YYYY-MM>.json``.

Nothing else reads or writes them. Where a project was last run when each verdict had a file of its own, these are read
and their move to the months' files is staged: it is made with the next write.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from homeostat.core.batch_rules import Verdict
from homeostat.data.monthly_records import MonthlyRecords
from homeostat.data.staged_files import StagedFiles


class VerdictStore:
    """The verdicts of one tree; ``folder`` is its ``data/accepted``."""

    def __init__(self, files: StagedFiles, folder: Path) -> None:
        self._files, self._folder = files, folder
        self._sources: dict[str, MonthlyRecords[Verdict]] = {}

    def get(self, source: str, label: str) -> Verdict | None:
        """The verdict on a batch, or None."""
        return self._of(source).get(label)

    def of_source(self, source: str, last: int | None = None) -> dict[str, Verdict]:
        """Every verdict on the source's batches by label, in order of time; the ``last`` ones only, if it is given."""
        return self._of(source).all(last)

    def put(self, source: str, verdicts: Mapping[str, Verdict]) -> None:
        """Record verdicts by label, a month's in one go."""
        self._of(source).put(verdicts)

    def remove(self, source: str, labels: Iterable[str]) -> None:
        """Take verdicts off the record."""
        self._of(source).remove(labels)

    def _of(self, source: str) -> MonthlyRecords[Verdict]:
        if source not in self._sources:
            records = MonthlyRecords(self._files, self._folder / source, Verdict.from_dict, Verdict.to_dict)
            self._sources[source] = records
            self._gather(source, records)
        return self._sources[source]

    def _gather(self, source: str, records: MonthlyRecords[Verdict]) -> None:
        """Stage the move of verdicts that have a file each to the file that they belong in."""
        folder = self._folder / source
        single = {}
        for name in sorted(self._files.names(folder)):
            label = name.removesuffix(".json")
            if name.endswith(".json") and (verdict := _single(self._files, folder / name)) is not None:
                single[label] = verdict
                self._files.remove(folder / name)
        records.put({label: verdict for label, verdict in single.items() if records.get(label) is None})


def _single(files: StagedFiles, path: Path) -> Verdict | None:
    """The verdict that a file holds by itself; None where it is a file of records, whose lines begin with a label."""
    data = files.read(path) or b""
    if data.startswith(b'{\n"'):
        return None
    with suppress(ValueError, TypeError, KeyError):
        return Verdict.from_dict(json.loads(data))
    return None
