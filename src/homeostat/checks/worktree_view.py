"""The folder as a person edits it, with the data that the loop has landed in its worktree."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from homeostat.project.layout import Project


@dataclass(frozen=True)
class WorktreeView(Project):
    """Scope, contracts and features.sql are the folder's; batches, amendments and window the worktree's."""

    @property
    def window_file(self) -> Path:
        return self.ledger.window_file

    @property
    def amendments(self) -> Path:
        return self.ledger.amendments

    @property
    def landed(self) -> Path:
        return self.ledger.landed

    @property
    def accepted(self) -> Path:
        return self.ledger.accepted

    @property
    def quarantine(self) -> Path:
        return self.ledger.quarantine

    @property
    def features(self) -> Path:
        return self.ledger.features


def worktree_view(project: Project) -> Project:
    """The project to check before a commit; before the loop has run, the folder itself."""
    return WorktreeView(project.root, project.home) if project.ledger.window_file.is_file() else project
