"""Stage reference: sample what drift is held against, and the golden requests."""

from __future__ import annotations

from pathlib import Path

from homeostat.project.layout import Project
from homeostat.stages import entry
from homeostat.training.reference import write_reference


def main() -> None:
    """Write the reference."""
    print(f"reference: {write_reference(Project.find(Path.cwd())):,} rows")


if __name__ == "__main__":
    entry.run(main)
