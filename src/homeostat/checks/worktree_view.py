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
        return self.worktree.window_file

    @property
    def amendments(self) -> Path:
        return self.worktree.amendments

    @property
    def landed(self) -> Path:
        return self.worktree.landed

    @property
    def accepted(self) -> Path:
        return self.worktree.accepted

    @property
    def quarantine(self) -> Path:
        return self.worktree.quarantine

    @property
    def features(self) -> Path:
        return self.worktree.features


def worktree_view(project: Project) -> Project:
    """The project to check before a commit; before the loop has run, the folder itself."""
    return WorktreeView(project.root, project.home) if project.worktree.window_file.is_file() else project
