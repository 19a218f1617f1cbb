"""The data of one tree as one run works on them: its files, verdicts, sources and contracts, each opened once."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from homeostat.adapters.gx import Contracts, Failure
from homeostat.adapters.import_graph import work_hash
from homeostat.data.amendments import Amendment, read_amendments
from homeostat.data.label_amendments import LabelAmendment, read_label_amendments
from homeostat.data.monthly_records import MonthlyRecords
from homeostat.data.profile import Profiles
from homeostat.data.sources import SourceReader
from homeostat.data.staged_files import StagedFiles
from homeostat.data.verdict_store import VerdictStore
from homeostat.project.executor import IN_PROCESS, Executor
from homeostat.project.layout import Project
from homeostat.project.window import read_window

if TYPE_CHECKING:
    from homeostat.project.scope import Scope


class Workspace:
    """Belongs to one run, and is passed down to what lands, judges and reads batches.

    ``contracts``, ``sources`` and ``profiles`` are those of an owner that outlives the run, where there is one;
    ``executor`` does what is many. ``examined`` holds how batches fail their contract until they are judged.
    """

    def __init__(
        self, project: Project, contracts: Contracts | None = None, sources: SourceReader | None = None,
        profiles: Profiles | None = None, executor: Executor = IN_PROCESS,
    ) -> None:  # fmt: skip
        self.project = project
        self.executor = executor
        self.contracts = Contracts() if contracts is None else contracts
        self.sources = SourceReader(project.root, project.cache) if sources is None else sources
        self.profiles = Profiles() if profiles is None else profiles
        self.examined: dict[tuple[str, bytes, str], tuple[Failure, ...]] = {}  # by source, contract and content
        self.files = StagedFiles()
        self.verdicts = VerdictStore(self.files, project.accepted)
        self._notes: dict[str, MonthlyRecords[list[str]]] = {}

    def again(self) -> Workspace:
        """The same for the next run: scope and records are read again, what is kept by content stays."""
        project = Project(self.project.root, self.project.home)
        return Workspace(project, self.contracts, self.sources, self.profiles, self.executor)

    @property
    def scope(self) -> Scope:
        return self.project.scope

    @cached_property
    def start(self) -> datetime:
        """From when on the project's history is used."""
        return read_window(self.project).start

    @cached_property
    def amendments(self) -> tuple[Amendment, ...]:
        """All amendments of data, in order of their number, those known later than now among them."""
        return tuple(read_amendments(self.project))

    @cached_property
    def label_amendments(self) -> dict[str, tuple[LabelAmendment, ...]]:
        """Labels that were received, by batch of events, in order of their number."""
        by_batch: dict[str, tuple[LabelAmendment, ...]] = {}
        for one in read_label_amendments(self.project):
            by_batch[one.batch] = (*by_batch.get(one.batch, ()), one)
        return by_batch

    @cached_property
    def judging_code(self) -> str:
        """A hash of the code that judges, and of the versions of the tools that it judges with."""
        return work_hash("homeostat.data.validate")

    def landing_notes(self, name: str) -> MonthlyRecords[list[str]]:
        """What each batch of a source was landed from: see ``ingest.land``."""
        if name not in self._notes:
            folder = self.project.cache / "landed" / name
            self._notes[name] = MonthlyRecords(self.files, folder, list, list)
        return self._notes[name]
