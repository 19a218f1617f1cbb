"""The batches of one source read and examined by the workers of a run, some ahead of the one whose turn it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from homeostat.data.examination import Examination, examine, examine_landed, note
from homeostat.project.executor import Ahead, shared

if TYPE_CHECKING:
    from homeostat.core.periods import Period
    from homeostat.data.sources import Reading, SourceReader
    from homeostat.data.workspace import Workspace
    from homeostat.project.scope import Source


class Readings:
    """What the source has of periods, which land one after another.

    ``judged``: each is judged as soon as it has landed, so the workers examine it too.
    """

    def __init__(self, workspace: Workspace, name: str, periods: Iterable[Period], judged: bool = False) -> None:
        self._workspace, self._name = workspace, name
        self._source = source = workspace.scope.sources[name]
        self._contract = _contract(workspace, name) if judged else None
        keys: Sequence[Period] = ()
        if workspace.executor.at_once > 1 and source.timed:
            keys = list(periods)
            if keys:
                workspace.sources.convert(name, source)  # once, and not by each worker
        reads = partial(_read, workspace.project.root, workspace.sources, name, source, self._contract)
        self._ahead = Ahead(workspace.executor, reads, self._alone, keys)

    def read(self, period: Period) -> Reading | None:
        """None where the source has nothing of the period.

        Raises:
            DataError, ScopeError: as ``ingest.land``.
        """
        reading, examined = self._ahead.get(period)
        if self._contract is not None:
            note(self._workspace, self._name, self._contract, examined)
        return reading

    def _alone(self, period: Period) -> tuple[Reading | None, Examination | None]:
        return self._workspace.sources.reading(self._name, self._source, period), None


class Examinations:
    """What follows from each landed batch by itself, for those that are judged one after another."""

    def __init__(self, workspace: Workspace, name: str, periods: Sequence[Period]) -> None:
        self._workspace, self._name = workspace, name
        source, folder = workspace.scope.sources[name], workspace.project.landed / name
        self._contract = _contract(workspace, name)
        examined = partial(examine_landed, folder, name, source, self._contract)
        self._ahead = Ahead(workspace.executor, examined, lambda _: None, periods if source.timed else ())

    def reach(self, period: Period) -> None:
        """Have the verdict on a batch find what follows from it by itself, where workers do that."""
        note(self._workspace, self._name, self._contract, self._ahead.get(period))


def _contract(workspace: Workspace, name: str) -> bytes:
    return workspace.files.read(workspace.project.contracts / f"{name}.json") or b""


def _read(
    root: Path, reader: SourceReader, name: str, source: Source, contract: bytes | None, periods: Sequence[Period]
) -> list[tuple[Reading | None, Examination | None]]:
    """What a worker does with a run of periods."""
    shared(root)
    readings = [(period, reader.reading(name, source, period)) for period in periods]
    return [
        (reading, None if reading is None or contract is None
         else examine(name, source, contract, reading.data, period))
        for period, reading in readings
    ]  # fmt: skip
