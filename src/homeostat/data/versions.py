"""The versions of an accepted batch: until an amendment became known, another was in force."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from homeostat.data.known_at import FAR

if TYPE_CHECKING:
    from homeostat.project.layout import Project

UNTIL = "accepted until "  # of a verdict's files: the version before an amendment that became known then
EMPTY = ""  # the hash of a version in which nothing was accepted


def versions_of(files: Mapping[str, str]) -> tuple[tuple[datetime, str], ...]:
    """(Until when, hash of the accepted rows) of each version that a verdict's files name; the last is in force."""
    earlier = [(datetime.fromisoformat(k.removeprefix(UNTIL)), v) for k, v in files.items() if k.startswith(UNTIL)]
    return (*sorted(earlier), (FAR, files.get("accepted", EMPTY)))


def version_path(project: Project, name: str, label: str, sha256: str) -> Path:
    """Where an earlier version of an accepted batch lies."""
    return project.accepted / name / label / f"{sha256[:32]}.parquet"
