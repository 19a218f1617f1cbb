"""The data of one tree as one run works on them: its files, verdicts, sources and contracts, each opened once."""

from __future__ import annotations

from functools import cached_property
from importlib import metadata
from typing import TYPE_CHECKING

from homeostat.adapters.import_graph import code_hash
from homeostat.data.amendments import Amendment, read_amendments
from homeostat.data.monthly_records import MonthlyRecords
from homeostat.data.sources import SourceReader
from homeostat.data.staged_files import StagedFiles
from homeostat.data.verdict_store import VerdictStore

if TYPE_CHECKING:
    from homeostat.project.layout import Project
    from homeostat.project.scope import Scope


class Workspace:
    """Belongs to one run, and is passed down to what lands, judges and reads batches."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.files = StagedFiles()
        self.verdicts = VerdictStore(self.files, project.accepted)
        self._notes: dict[str, MonthlyRecords[list[str]]] = {}

    @property
    def scope(self) -> Scope:
        return self.project.scope

    @cached_property
    def sources(self) -> SourceReader:
        return SourceReader(self.project.root, self.project.cache)

    @cached_property
    def amendments(self) -> tuple[Amendment, ...]:
        """All amendments of data, in order of their number, those known later than now among them."""
        return tuple(read_amendments(self.project))

    @cached_property
    def judging_code(self) -> str:
        """A hash of the code that judges, and the version of the tool that it judges with."""
        return f"{code_hash('homeostat.data.validate')} {metadata.version('great_expectations')}"

    def landing_notes(self, name: str) -> MonthlyRecords[list[str]]:
        """What each batch of a source was landed from: see ``ingest.land``."""
        if name not in self._notes:
            folder = self.project.cache / "landed" / name
            self._notes[name] = MonthlyRecords(self.files, folder, list, list)
        return self._notes[name]
