"""Folders for their owner's eyes alone: predictions, labels that came back, and the database of runs."""

from __future__ import annotations

from pathlib import Path

OWNER_ONLY = 0o700


def private_folder(folder: Path) -> Path:
    """The folder, made where it is missing, closed to everybody but its owner."""
    folder.mkdir(parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o077:
        folder.chmod(OWNER_ONLY)
    return folder
