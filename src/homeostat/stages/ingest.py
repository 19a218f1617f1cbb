"""Stage ingest: land every batch of every source, as it came, in its declared types."""

from __future__ import annotations

from pathlib import Path

from homeostat.adapters.dask import executor_of
from homeostat.data.ingest import land_window
from homeostat.data.workspace import Workspace
from homeostat.project.layout import Project
from homeostat.stages import entry


def main() -> None:
    """Land every whole period of the window for every source."""
    project = Project.find(Path.cwd())
    with executor_of(project.scope.scale) as executor:
        for line in land_window(Workspace(project, executor=executor)):
            print(line)


if __name__ == "__main__":
    entry.run(main)
