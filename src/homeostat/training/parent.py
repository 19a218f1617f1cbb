"""The release whose models a candidate continues: the window, a dep of the stage, names it by its content."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from homeostat import models
from homeostat.adapters.parquet import digest
from homeostat.core.errors import DataError
from homeostat.project.layout import MANIFEST

if TYPE_CHECKING:
    from homeostat.models import Model
    from homeostat.project.layout import Project

FOLDERS = {"judged": "judged", "final": "models"}  # where a bundle has the two models of an objective
# In training.json: the parent's hash, how it was continued, and by objective on which events.
PARENT, LEARN, CONTINUED_ON = "parent", "learn", "continued_on"


@dataclass(frozen=True)
class Parent:
    """The models to go on with, verified, as they were trained: without calibrators."""

    folder: Path
    threads: int

    def model(self, objective: str, part: str) -> Model:
        """The judged or the final model of an objective.

        Raises:
            DataError: it has none.
        """
        return models.load(self.folder / FOLDERS[part] / objective, self.threads)


def read_parent(project: Project, bundle_hash: str) -> Parent:
    """The unpacked release of that hash, its models verified.

    Raises:
        DataError: it is not unpacked here, or damaged.
    """
    folder = project.releases / bundle_hash
    try:
        manifest = (folder / MANIFEST).read_bytes()
        files = json.loads(manifest)["files"] if digest(manifest) == bundle_hash else {}
        own = {name: files[name] for name in files if name.split("/")[0] in FOLDERS.values()}
        whole = bool(own) and all(digest((folder / name).read_bytes()) == content for name, content in own.items())
    except OSError:
        whole = False
    if not whole:
        fix = "`homeostat releases verify` unpacks every release again, and --rebuild those that one continues"
        raise DataError(f"{folder}: not there or damaged, and {project.window_file} names it as parent; {fix}")
    return Parent(folder, project.scope.threads)
