"""Virtual environments for tools that the service is compared with, so that their dependencies meet none of ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def environment(folder: Path, name: str, *packages: str) -> Path:
    """The ``bin`` of a virtual environment with these packages; a complete one is reused."""
    place = folder / name
    ready = place / ".ready"
    if not ready.is_file() or ready.read_text().split() != list(packages):
        subprocess.run([sys.executable, "-m", "venv", "--clear", place], check=True)
        pip = [place / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--compile"]
        subprocess.run([*pip, *packages], check=True, stderr=subprocess.DEVNULL)
        ready.write_text(" ".join(packages))
    return place / "bin"
