"""Models that a candidate takes over byte for byte: of objectives that are not due for a fresh fit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from homeostat.adapters.dvc_cache import restore_folder

if TYPE_CHECKING:
    from homeostat.project.layout import Project


def take_over(project: Project, carried: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Put models of earlier candidates into ``models/candidate``; what they were trained on, by objective.

    ``carried``: by objective the content of the folder ``models/candidate`` that has its models, as DVC names it. The
    answer is as in ``training.json``, with the time as of which the models were made.

    Raises:
        EnvironmentFault: the DVC cache lacks such a content.
    """
    trained = {}
    for content in sorted(set(carried.values())):
        with TemporaryDirectory() as folder:
            candidate = Path(folder)
            restore_folder(project.root, content, candidate)
            training = json.loads((candidate / "training.json").read_text())
            for name in (name for name, of in carried.items() if of == content):
                shutil.copytree(candidate / name, project.candidate / name)
                trained[name] = {"as_of": training["as_of"], **training["objectives"][name]}
    return trained
