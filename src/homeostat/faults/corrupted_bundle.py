"""A corrupted bundle: a model's file of the release in service is overwritten on this machine, as a bad disk would.

What was released is in the DVC cache by its hash: whoever reads the bundle next finds that it is not what was sealed,
and unpacks it again; the release in service stays.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from homeostat.core.errors import HomeostatError
from homeostat.project.whole_files import write_text
from homeostat.releases.registry import Registry

if TYPE_CHECKING:
    from homeostat.project.layout import Project


def inject(project: Project, who: str, now: datetime) -> str:
    """Overwrite the beginning of the largest model of the champion, once; a sentence where it was, else nothing."""
    champion = Registry.open(project).ledger.champion
    if champion is None or _note(project).is_file():
        return ""
    models = project.releases / champion.bundle / "models"
    file = max((path for path in models.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    damaged = b"\0" * 64 + file.read_bytes()[64:]
    file.unlink()  # it may be a link to the cache, which stays whole
    file.write_bytes(damaged)
    name = f"models/{file.relative_to(models).as_posix()}"
    write_text(json.dumps({"version": champion.version, "file": name, "at": now.isoformat()}), _note(project))
    return f"{name} of {champion.version} is overwritten"


def outcome(project: Project) -> str:
    """Whether the release can be read, and how it became whole again."""
    if not _note(project).is_file():
        return "nothing was in service whose bundle could be damaged"
    note = json.loads(_note(project).read_text())
    registry, what = Registry.open(project), f"{note['file']} of {note['version']} was overwritten"
    try:
        registry.load(note["version"])
    except HomeostatError as error:
        return f"{what}, and the release cannot be read: {error}"
    why = registry.restored(note["version"])
    return f"{what}; {f'found when it was read ({why}), and' if why else 'found before,'} restored from the cache"


def _note(project: Project) -> Path:
    """What was done, so that it is done once."""
    return project.state / "corrupted-bundle.json"
