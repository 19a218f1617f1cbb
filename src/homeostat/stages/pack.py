"""Stage pack: seal the candidate with everything it needs into one bundle."""

from __future__ import annotations

from pathlib import Path

from homeostat.project.layout import Project
from homeostat.stages import entry
from homeostat.training.pack import pack


def main() -> None:
    """Seal the bundle."""
    print(f"bundle {pack(Project.find(Path.cwd()))[:12]}")


if __name__ == "__main__":
    entry.run(main)
