"""Stage featurize: one table a batch, each event with what was known at its predict-at, and its labels."""

from __future__ import annotations

from pathlib import Path

from homeostat.adapters.dask import executor_of
from homeostat.data.workspace import Workspace
from homeostat.features.window import build_window
from homeostat.project.layout import Project
from homeostat.stages import entry


def main() -> None:
    """Make the features of every batch of the window."""
    project = Project.find(Path.cwd())
    with executor_of(project.scope.scale) as executor:
        print(build_window(Workspace(project, executor=executor)))


if __name__ == "__main__":
    entry.run(main)
