"""The rehearsal of a release: it answers its golden requests here and now as it did when it was sealed."""

from __future__ import annotations

import platform
from functools import cached_property
from pathlib import Path

from homeostat.adapters.import_graph import work_hash
from homeostat.core.errors import DataError
from homeostat.project.layout import Project
from homeostat.project.whole_files import write_text
from homeostat.training.bundle import Bundle


class Rehearsals:
    """Rehearses bundles, and notes in the project which went well and on what that rests."""

    def __init__(self, project: Project) -> None:
        self._folder = project.state / "rehearsed"

    def once(self, bundle: Bundle, version: str) -> None:
        """Rehearse a bundle, unless it went well with the same code and versions on this machine.

        So a rollback, whose release has served before, needs no model loaded, which takes seconds.

        Raises:
            DataError: as ``rehearse``.
        """
        note = self._note(bundle)
        if not note.is_file() or note.read_text() != self.surroundings:
            self.rehearse(bundle, version)

    def rehearse(self, bundle: Bundle, version: str) -> None:
        """Answer the golden requests and compare features, scores and decisions with those sealed, bit for bit.

        Raises:
            DataError: one differs.
        """
        from homeostat.training import golden

        difference = next(golden.differences(bundle), None)
        if difference is not None:
            raise DataError(
                f"{version}: rehearsal failed: {difference}; the release in service stays: run the code and versions "
                "that made it, or train again"
            )
        write_text(self.surroundings, self._note(bundle))

    def _note(self, bundle: Bundle) -> Path:
        return self._folder / bundle.hash

    @cached_property
    def surroundings(self) -> str:
        """What an outcome rests on beside the bundle: the machine, the versions, and the code that scores.

        Read once, with the code: a service that runs on while its files are replaced stands for what it has loaded.
        """
        lines = [f"python {platform.python_version()}", f"machine {platform.node()} {platform.machine()}"]
        lines += [f"code and tools {work_hash('homeostat.training.golden')}"]
        return "\n".join(lines) + "\n"
