"""Stage train: fit the candidate and the baseline of every objective on what is mature, apart from a holdout."""

from __future__ import annotations

from pathlib import Path

from homeostat.adapters.dask import executor_of
from homeostat.project.layout import Project
from homeostat.stages import entry
from homeostat.training.train import train


def main() -> None:
    """Fit the candidate on everything known before the holdout, and once more on everything mature."""
    project = Project.find(Path.cwd())
    with executor_of(project.scope.scale if project.scope.training.distribute else None) as executor:
        training = train(project, executor)
    for name, objective in training["objectives"].items():
        fitted = f"{objective['kind']} on events to {objective['to']}: {objective['rows']:,}"
        print(f"{name}: {fitted}; {objective['holdout']['rows']} held out to judge it")


if __name__ == "__main__":
    entry.run(main)
