"""A release derived from another: its commit with a file or two edited, of which only the last stages take notice.

What was ingested, trained and held out stays byte for byte, whatever has come since; what reads those files runs again,
with the code of that commit. So ``dvc repro`` at the new commit has nothing to do, and a rebuild gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import datetime
from typing import NamedTuple

from homeostat.adapters import dvc, git, worktree
from homeostat.adapters.stage_process import StageProcess
from homeostat.core.errors import EnvironmentFault
from homeostat.core.ledger import ReleaseEvent
from homeostat.project.layout import Project
from homeostat.project.whole_files import write_text
from homeostat.training import bundle as bundles
from homeostat.training.bundle import Bundle

STAGES = ("evaluate", "pack")
MODELS = ("models/", "judged/", "baseline/")  # below a bundle
Edits = Mapping[str, Callable[[str], str]]  # by path, the text from the text before; from none for a new file


class Derived(NamedTuple):
    """The commit, on no branch until a release's tag keeps it, and its bundle."""

    commit: str
    bundle: Bundle


def derive(project: Project, of: ReleaseEvent, edits: Edits, now: datetime) -> Derived:
    """Commit what the release ``of`` was made from with files edited, and what its stages make of that.

    Raises:
        EnvironmentFault: the cache lacks what they read, the edits concern other stages, or other models come out.
    """
    tree = project.state / "derived"
    git.remove_worktree(project.home, tree, now)
    try:
        git.add_worktree(project.home, tree, of.commit, now)
        dvc.share_cache(tree, project.home)
        for path, edit in edits.items():
            before = (tree / path).read_text(encoding="utf-8") if (tree / path).is_file() else ""
            write_text(edit(before), tree / path)
        with closing(StageProcess()) as worker:
            changed = dvc.reproduce_alone(tree, STAGES, worker)
        if changed:
            stages = " and ".join(STAGES)
            raise EnvironmentFault(f"{of.version}: {', '.join(changed)} concerns more stages than {stages}; retrain")
        made = _unpacked(project, bundles.load(Project(tree, tree).bundle))
        if _models(made) != _models(bundles.load(project.releases / of.bundle)):
            raise EnvironmentFault(f"{of.version}: its commit makes other models than it has; retrain")
        return Derived(worktree.commit_kept(tree, f"derived from {of.version}", now, tuple(edits)), made)
    finally:
        git.remove_worktree(project.home, tree, now)


def _unpacked(project: Project, made: Bundle) -> Bundle:
    folder = project.releases / made.hash
    if not folder.is_dir():
        made.folder.rename(folder)
    return bundles.load(folder, made.hash)


def _models(bundle: Bundle) -> dict[str, str]:
    files: Mapping[str, str] = bundle.manifest["files"]
    return {name: content for name, content in files.items() if name.startswith(MODELS)}
