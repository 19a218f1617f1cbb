"""Stage featurize: one table a batch, each event with what was known at its predict-at, and its labels."""

from __future__ import annotations

from pathlib import Path

from homeostat.data.workspace import Workspace
from homeostat.features.window import build_window
from homeostat.project.layout import Project
from homeostat.stages import entry


def main() -> None:
    """Make the features of every batch of the window."""
    print(build_window(Workspace(Project.find(Path.cwd()))))


if __name__ == "__main__":
    entry.run(main)
