"""Stage evaluate: judge the candidate and the baseline on the holdout that neither was fitted to."""

from __future__ import annotations

from pathlib import Path

from homeostat.project.layout import Project
from homeostat.stages import entry
from homeostat.training.evaluate import judge, trial_line


def main() -> None:
    """Judge the candidate beside the baseline."""
    for name, trial in judge(Project.find(Path.cwd())).trials.items():
        print(trial_line(name, trial))


if __name__ == "__main__":
    entry.run(main)
