"""Stage validate: accept or quarantine every landed batch, whole or by rows, with the reason."""

from __future__ import annotations

from pathlib import Path

from homeostat.adapters.dask import executor_of
from homeostat.data.validate import validate_window
from homeostat.data.workspace import Workspace
from homeostat.project.layout import Project
from homeostat.stages import entry


def main() -> None:
    """Decide on every landed batch of the window."""
    project = Project.find(Path.cwd())
    with executor_of(project.scope.scale) as executor:
        for line in validate_window(Workspace(project, executor=executor)):
            print(line)


if __name__ == "__main__":
    entry.run(main)
